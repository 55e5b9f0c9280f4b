"""`python -m contact_sync`: the same program as the command `contact-sync`."""

import sys

from contact_sync.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
