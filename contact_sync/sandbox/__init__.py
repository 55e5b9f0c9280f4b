"""A stand-in for the API on a loopback port, with made-up contacts and faults on request."""
