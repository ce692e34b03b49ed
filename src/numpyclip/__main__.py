"""`python -m numpyclip` is the command `numpyclip`."""

import sys

from numpyclip.cli import main

if __name__ == "__main__":
    sys.exit(main())
