"""A loopback exchange: Binance spot's protocol on 127.0.0.1, with an engine, a ledger and faults of its own."""
