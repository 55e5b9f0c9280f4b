"""Reports of a run: one module or folder a format, registered in `formats`. May import `files`, `rules` and the floors below."""
