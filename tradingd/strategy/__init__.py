"""Strategies: the base class, the factory, streaming indicators and the shipped strategies."""
