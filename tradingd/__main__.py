"""`python -m tradingd` is the `tradingd` command."""

import os
import sys
from typing import NoReturn

__all__ = ["start"]

_INTERRUPTED = 130


def start() -> NoReturn:
    """Run the command line; Ctrl-C while it is still being imported is no traceback either."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - lives as long as we
    try:
        from tradingd.cli import main

        main()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    start()
