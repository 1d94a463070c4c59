"""Tests of the portfolio; the package lets its modules share a small world."""
