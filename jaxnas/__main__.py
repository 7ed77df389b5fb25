"""`python -m jaxnas` is the command line."""

import sys

from jaxnas.cli import main

sys.exit(main())
