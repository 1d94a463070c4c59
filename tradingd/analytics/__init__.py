"""Figures about a finished or running session."""
