"""The results report: one file for each format it is written in."""
