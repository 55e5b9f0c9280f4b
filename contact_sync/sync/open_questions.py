"""The questions that the API's pages leave open, and the answers, as they are noted for an account."""

OMITTED, NUMBER, CLEAR = "omitted", "phoneNumber", "clear"
"""Questions: what becomes of fields that are left out; whether an update needs the number; whether an empty field is emptied."""
KEPT, EMPTIED, REQUIRED = "kept", "emptied", "required"  # answers


def clear_of(field: str) -> str:
    """Return the question whether sending a field empty empties it."""
    return f"{CLEAR} {field}"
