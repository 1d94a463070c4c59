"""The connection to real exchanges through ccxt: clients, weight budget, what their answers mean."""
