"""Execution algorithms: components that split an order into several, over time or by size."""
