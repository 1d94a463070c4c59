"""What assets and contracts are worth in the account's currency, kept up to date in O(1) per event."""

from collections.abc import Callable
from decimal import Decimal

from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ONE, ZERO, add, divide, from_market, mul, sub
from tradingd.domain.prices import PriceBoard
from tradingd.errors import AccountingError

__all__ = ["Valuation"]


class Valuation:
    """The marked value of every line of the books, and their sum.

    A line is an asset (balance x rate) or a contract (unrealised profit x rate of its settlement currency). An
    asset's rate comes from the instrument that has it as base, preferably one quoted in the account's currency,
    else through that instrument's quote currency; or from an instrument that quotes the account's currency in
    it. A market event touches only the lines that depend on its symbol.
    """

    def __init__(self, currency: str, prices: PriceBoard) -> None:
        self.currency = currency
        self._prices = prices
        self._pricing: dict[str, tuple[str, Instrument]] = {}
        self._last_trade: dict[str, Decimal] = {}
        self._lines: dict[str, Callable[[], Decimal]] = {}
        self._values: dict[str, Decimal] = {}
        self._unpriced: set[str] = set()
        self._lines_of_symbol: dict[str, tuple[str, ...]] = {}
        self._dirty: dict[str, None] = {}
        self._total = ZERO

    def learn(self, instrument: Instrument) -> None:
        """Let `instrument` price its base asset (or its quote, when its base is the account's currency)."""
        if instrument.kind.is_contract:
            return
        asset = instrument.base if instrument.base != self.currency else instrument.quote
        known = self._pricing.get(asset)
        if known is None or (known[1].quote != self.currency and instrument.quote == self.currency):
            self._pricing[asset] = (instrument.symbol, instrument)

    def note_trade(self, symbol: str, price: Decimal) -> None:
        """Take a trade's price for a symbol that has no market data (yet)."""
        self._last_trade[symbol] = price

    def price(self, symbol: str) -> Decimal | None:
        """The mark of `symbol`: its latest market price, else its last trade's."""
        latest = self._prices.price(symbol)
        return self._last_trade.get(symbol) if latest is None else from_market(latest)

    def rate(self, asset: str) -> Decimal:
        """What one unit of `asset` is worth in the account's currency.

        Raises:
            AccountingError: nothing prices it.

        """
        rate = self._rate(asset)
        if rate is None:
            raise AccountingError(
                f"{asset} has no price in {self.currency}: add an instrument such as {asset}/{self.currency} "
                "to the market data"
            )
        return rate

    def _rate(self, asset: str) -> Decimal | None:
        if asset == self.currency:
            return ONE
        symbol, instrument = self._pricing.get(asset, ("", None))
        price = self.price(symbol) if instrument else None
        if instrument is None or price is None:
            return None
        if instrument.base == self.currency:
            return divide(ONE, price)
        unit = price if instrument.multiplier == ONE else mul(price, instrument.multiplier)
        if instrument.quote == self.currency:
            return unit
        through = self._rate(instrument.quote)
        return None if through is None else mul(unit, through)

    def set_asset(self, asset: str, balance: Decimal) -> None:
        """Value `asset` at `balance` from now on."""
        if balance:
            self._set_line(asset, lambda: mul(balance, self.rate(asset)), self._chain(asset))
        else:
            self._drop_line(asset)

    def set_contract(self, symbol: str, settle: str, profit: Callable[[Decimal], Decimal] | None) -> None:
        """Value an open contract by its unrealised `profit(mark)`; None closes it."""
        line = f"contract:{symbol}"
        if profit is None:
            self._drop_line(line)
            return
        self._set_line(line, lambda: self._contract_value(symbol, settle, profit), (symbol, *self._chain(settle)))

    def _contract_value(self, symbol: str, settle: str, profit: Callable[[Decimal], Decimal]) -> Decimal:
        price = self.price(symbol)
        if price is None:
            raise AccountingError(f"{symbol} has no price")
        return mul(profit(price), self.rate(settle))

    def touch(self, symbol: str) -> None:
        """`symbol` has a new price: its lines are valued anew when the total is next asked for."""
        if symbol in self._lines_of_symbol:
            self._dirty[symbol] = None

    def total(self) -> Decimal:
        """The sum of all lines.

        Raises:
            AccountingError: a line has no price.

        """
        if self._dirty:
            for symbol in self._dirty:
                for line in self._lines_of_symbol.get(symbol, ()):
                    self._value(line)
            self._dirty.clear()
        for line in tuple(self._unpriced):
            self._value(line)
            if line in self._unpriced:
                self._lines[line]()  # raises, and says what is missing
        return self._total

    def _chain(self, asset: str) -> tuple[str, ...]:
        """The symbols that the rate of `asset` depends on."""
        symbols: list[str] = []
        while asset != self.currency and asset in self._pricing:
            symbol, instrument = self._pricing[asset]
            if symbol in symbols:
                break
            symbols.append(symbol)
            asset = self.currency if instrument.base == self.currency else instrument.quote
        return tuple(symbols)

    def _set_line(self, line: str, value: Callable[[], Decimal], symbols: tuple[str, ...]) -> None:
        known = line in self._lines
        self._lines[line] = value
        if not known:
            for symbol in symbols:
                self._lines_of_symbol[symbol] = (*self._lines_of_symbol.get(symbol, ()), line)
        self._value(line)

    def _drop_line(self, line: str) -> None:
        if self._lines.pop(line, None) is None:
            return
        self._total = sub(self._total, self._values.pop(line, ZERO))
        self._unpriced.discard(line)
        for symbol, lines in tuple(self._lines_of_symbol.items()):
            if line in lines:
                rest = tuple(other for other in lines if other != line)
                if rest:
                    self._lines_of_symbol[symbol] = rest
                else:
                    del self._lines_of_symbol[symbol]

    def _value(self, line: str) -> None:
        try:
            value = self._lines[line]()
        except AccountingError:
            self._unpriced.add(line)  # `total` raises as long as it is so
            value = ZERO
        else:
            self._unpriced.discard(line)
        self._total = add(self._total, sub(value, self._values.get(line, ZERO)))
        self._values[line] = value
