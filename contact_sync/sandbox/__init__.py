"""A local stand-in for SMS Partner's API with faults on request, for rehearsals and tests.

`server` handles the HTTP endpoints, `store` keeps the contacts, `faults` parses and draws faults. Adding a read endpoint takes
one handler and one line in `server._READS`. Imports only `errors`, `i18n` and `model`.
"""
