"""Rules that turn the text of a cell into a value or a violation.

Pure code: no file, no network, no clock. May import only the ground floor (`errors`, `model`, `i18n`).
"""
