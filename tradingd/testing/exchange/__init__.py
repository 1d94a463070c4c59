"""A loopback exchange: Binance spot's protocol on 127.0.0.1, for tests and rehearsals. See docs/exchange.md."""
