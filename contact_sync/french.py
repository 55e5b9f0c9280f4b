"""Every sentence that operators read, in French, by its English words; `tests/test_language.py` holds that none is missing."""

FRENCH: dict[str, str] = {}
