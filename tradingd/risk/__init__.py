"""The risk gate between a strategy's wish and an order: limits, reservations, sizing, halts."""
