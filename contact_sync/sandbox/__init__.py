"""A local stand-in for SMS Partner's API with faults on request, for rehearsals and tests.

`server` handles the HTTP endpoints, `store` keeps the contacts, `faults` parses and draws faults,
`assumptions` answers what the API's pages leave open. Adding a read endpoint takes
one handler and one line in `server._READS`. Imports only `errors`, `i18n` and `model`.
"""
