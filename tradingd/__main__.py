"""`python -m tradingd` is the `tradingd` command."""

import sys
from typing import NoReturn

__all__ = ["start"]

_INTERRUPTED = 130


def start() -> NoReturn:
    """Run the command line; Ctrl-C while it is still being imported is no traceback either."""
    try:
        from tradingd.cli import main

        main()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    start()
