"""The command line: commands and their options, what is printed, the log and the exit code; may import every other folder."""
