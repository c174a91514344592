"""`python -m workshop COMMAND`: what `python3 course.py COMMAND` runs."""

import sys

from .cli import main

sys.exit(main())
