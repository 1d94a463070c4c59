"""The sole owner of orders and client order ids."""
