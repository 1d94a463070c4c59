"""The sole owner of positions and cash, over a double-entry ledger."""
