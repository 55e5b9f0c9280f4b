"""Rules that turn the text of a cell into a value or a violation: pure code without files, network or clock.

May import only `errors`, `model` and `i18n`. A new rule is a line in `cells.RULES`, its sentence in `i18n.catalogue` with the
translations, and an example in `tests/rules/test_columns.py`; `columns.py` needs a line only to keep its fast path.
"""
