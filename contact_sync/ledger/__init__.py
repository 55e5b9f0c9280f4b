"""The ledger: the outcome of every row of a run, what the API last confirmed for each contact, and the history of runs.

`store` is the interface that the rest of the program sees, `state_dir` opens a ledger for an account, `digests` recognises values
without keeping them, `sqlite` is the storage engine, and `postgres` shares with other hosts what outlives a run. It imports
`model`, `errors`, `settings`, `packed`, `i18n` and `files`.
"""
