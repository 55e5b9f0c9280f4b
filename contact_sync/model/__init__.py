"""The nouns that cross folders on their way from the source to the report."""
