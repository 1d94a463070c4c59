"""Instruments from what the catalog and the configuration say of symbols."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tradingd.domain.enums import InstrumentKind
from tradingd.domain.instrument import Instrument
from tradingd.errors import ConfigError

__all__ = ["InstrumentRegistry"]

_FIELDS = frozenset(Instrument.__struct_fields__)


class InstrumentRegistry(Mapping[str, Instrument]):
    """Instruments by symbol, made when first asked for.

    `recorded` has the raw fields that the catalog knows of a symbol, `configured` those that override them.
    What neither tells follows from the symbol: `BTC/USD` is spot, `BTC/USD:USD` a swap settled in USD, anything
    else a share quoted in `currency` with a tick of 0.01 and a lot of 1. A tick of anything but a share is never
    guessed.
    """

    def __init__(
        self,
        recorded: Mapping[str, Mapping[str, Any]],
        configured: Mapping[str, Mapping[str, Any]],
        *,
        currency: str,
        venue: str,
    ) -> None:
        self._recorded = recorded
        self._configured = configured
        self._currency = currency
        self._venue = venue
        self._made: dict[str, Instrument] = {}

    def __getitem__(self, symbol: str) -> Instrument:
        instrument = self._made.get(symbol)
        if instrument is None:
            if symbol not in self:
                raise KeyError(f"{symbol} is neither in the catalog nor under [[instruments]]")
            instrument = self._made[symbol] = self._make(symbol)
        return instrument

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._made or symbol in self._recorded or symbol in self._configured

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._recorded, *self._configured)))

    def __len__(self) -> int:
        return len({*self._recorded, *self._configured})

    def _make(self, symbol: str) -> Instrument:
        fields = {
            **self._implied(symbol),
            **self._recorded.get(symbol, {}),
            **self._configured.get(symbol, {}),
        }
        unknown = sorted(set(fields) - _FIELDS)
        if unknown:
            raise ConfigError(f"instrument {symbol}: no such fields: {', '.join(unknown)}")
        if "tick" not in fields:
            raise ConfigError(
                f"instrument {symbol}: its tick (price step) is not known; set it in the configuration, "
                f'for example [[instruments]] symbol = "{symbol}", tick = "0.01"'
            )
        try:
            return msgspec.convert(fields, Instrument)
        except msgspec.ValidationError as error:
            raise ConfigError(f"instrument {symbol}: {error}") from error

    def _implied(self, symbol: str) -> dict[str, Any]:
        pair, _, settle = symbol.partition(":")
        base, slash, quote = pair.partition("/")
        implied: dict[str, Any] = {"symbol": symbol, "venue": self._venue}
        if not slash:
            share = InstrumentKind.EQUITY
            return {**implied, "kind": share, "base": symbol, "quote": self._currency, "tick": "0.01", "lot": "1"}
        if settle:
            kind = InstrumentKind.SWAP
            inverse = settle == base
            return {
                **implied, "kind": kind, "base": base, "quote": quote, "settle": settle, "lot": "1",
                "inverse": inverse,
            }  # fmt: skip
        return {**implied, "kind": InstrumentKind.SPOT, "base": base, "quote": quote, "lot": "0.00000001"}
