"""The flow of a run, from the source to the report."""
