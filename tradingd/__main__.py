"""`python -m tradingd` is the `tradingd` command."""

from tradingd.cli import main

if __name__ == "__main__":
    main()
