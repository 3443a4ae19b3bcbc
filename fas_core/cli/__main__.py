"""`python -m fas_core.cli`, as PyTorch's launcher starts it."""

import os
import sys

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))  # noqa: PTH120

# `python -m` looks for modules in the working folder first, where a json.py of somebody else's may lie.
if not sys.flags.safe_path and os.path.realpath(sys.path[0]) != PROJECT:
    del sys.path[0]

from fas_core.cli.main import main  # noqa: E402

if __name__ == "__main__":
    main()
