"""SMS Partner's HTTP API: the client, the rate limit, and one file an endpoint. Imports only `errors`, `i18n` and `model`."""
