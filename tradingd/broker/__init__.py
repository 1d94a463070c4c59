"""Brokers: the interface and the simulated exchange."""
