"""What the commands of the command line do; `tradingd.cli` declares them."""
