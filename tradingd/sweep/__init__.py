"""Sweeps: one declared strategy over a grid of parameters, simulated by a compiled kernel.

Only `tradingd sweep` imports this package; numpy and numba are needed by it and by nothing else of tradingd.
"""
