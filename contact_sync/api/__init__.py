"""SMS Partner's HTTP API: how it is reached, how fast, and what one endpoint's answers mean."""
