"""`python -m contact_sync`, and the `contact-sync` command."""

import sys

from contact_sync.cli import main as _main


def main() -> None:
    """Run the program and leave with its exit code."""
    sys.exit(_main())


if __name__ == "__main__":
    main()
