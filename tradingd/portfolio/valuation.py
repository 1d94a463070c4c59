"""What assets and contracts are worth in the account's currency, kept up to date in O(1) per event."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ONE, ZERO, add, divide, mul, sub, worth
from tradingd.domain.prices import PriceBoard
from tradingd.errors import AccountingError, MoneyError

__all__ = ["Valuation"]


class _Line:
    """One line of the books: how to value it, what it was last worth, and which symbols' prices it hangs on.

    `balance` is of an asset; a contract has a `profit` by price instead.
    """

    __slots__ = ("asset", "balance", "contract", "direct", "profit", "symbols", "worth")

    def __init__(self, asset: str, contract: str) -> None:
        self.asset = asset
        self.contract = contract
        self.balance = ZERO
        self.profit: Callable[[Decimal], Decimal] | None = None
        self.symbols: tuple[str, ...] = ()
        self.direct = ""
        """The one symbol whose plain price is the asset's rate; empty where it takes more than that."""
        self.worth = ZERO


class Valuation:
    """The marked value of every line of the books, and their sum.

    A line is an asset (balance x rate) or a contract (unrealised profit x rate of its settlement currency). An
    asset's rate is the price of an instrument that has it as base, times the rate of that instrument's quote; or
    the inverse price of an instrument that has the account's currency as base. Of several ways to the account's
    currency the shortest counts, then the one learned first.

    A market event only notes its symbol; the lines that hang on it are valued anew when the total is asked for.
    """

    def __init__(self, currency: str, prices: PriceBoard) -> None:
        self.currency = currency
        self._prices = prices
        self._last_trade: dict[str, Decimal] = {}
        self._by_quote: dict[str, dict[str, Instrument]] = {}
        self._by_base: dict[str, dict[str, Instrument]] = {}
        self._routes: dict[str, tuple[Instrument, ...]] = {currency: ()}
        self._routes_outdated = False
        self._lines: dict[str, _Line] = {}
        self._lines_of_symbol: dict[str, dict[str, _Line]] = {}
        self._unpriced: dict[str, AccountingError] = {}
        self._dirty: dict[str, None] = {}
        self._total = ZERO
        self.current = False
        """Whether `total` would say what it said last: nothing has changed since. To read."""

    @property
    def marked(self) -> Mapping[str, object]:
        """The symbols whose prices count at this moment: a live view."""
        return self._lines_of_symbol

    # --- prices ------------------------------------------------------------------------------------------

    def learn(self, instrument: Instrument) -> None:
        """Let `instrument` price its base asset, or its quote if its base is the account's currency."""
        if instrument.kind.is_contract:
            return
        self._by_quote.setdefault(instrument.quote, {}).setdefault(instrument.symbol, instrument)
        self._by_base.setdefault(instrument.base, {}).setdefault(instrument.symbol, instrument)
        self._routes_outdated = True
        self.current = False

    def note_trade(self, symbol: str, price: Decimal) -> None:
        """Take a trade's price for a symbol that has no market data (yet)."""
        self._last_trade[symbol] = price
        if symbol not in self._prices.latest:
            self.touch(symbol)

    def restate(self, symbol: str, change: Callable[[Decimal], Decimal]) -> None:
        """The price board has put `symbol` on other terms; `change` does so with its last trade's price."""
        if symbol in self._last_trade:
            self._last_trade[symbol] = change(self._last_trade[symbol])
        self.touch(symbol)

    def price(self, symbol: str) -> Decimal | None:
        """The mark of `symbol`: its latest market price, else its last trade's; None when that is no number."""
        if symbol in self._prices.latest:
            return self._prices.exact(symbol)
        return self._last_trade.get(symbol)

    def can_price(self, asset: str) -> bool:
        """Whether the learned instruments lead from `asset` to the account's currency."""
        if self._routes_outdated:
            self._find_routes()
        return asset in self._routes

    def rate(self, asset: str) -> Decimal:
        """What one unit of `asset` is worth in the account's currency.

        Raises:
            AccountingError: nothing prices it.

        """
        if asset == self.currency:
            return ONE
        if self._routes_outdated:
            self._find_routes()
        route = self._routes.get(asset)
        if route is None:
            raise AccountingError(
                f"{asset} has no price in {self.currency}: add an instrument such as {asset}/{self.currency} "
                "to the market data"
            )
        rate = self._step(asset, route[0])
        for instrument in route[1:]:
            rate = worth(rate, self._step(asset, instrument))
        return rate

    def _step(self, asset: str, instrument: Instrument) -> Decimal:
        """What one step of the route of `asset` multiplies its rate by."""
        price = self.price(instrument.symbol)
        inverted = instrument.base == self.currency
        if price is None or (inverted and price <= 0):
            raise AccountingError(
                f"{asset} has no price in {self.currency}: {instrument.symbol}, which prices it, "
                f"{'has no market data yet' if price is None else f'is at {price}'}"
            )
        unit = price if instrument.multiplier == ONE else mul(price, instrument.multiplier)
        return divide(ONE, unit) if inverted else unit

    def _find_routes(self) -> None:
        """Find the shortest way from each asset to the account's currency; value anew what now has another."""
        self._routes_outdated = False
        routes: dict[str, tuple[Instrument, ...]] = {self.currency: ()}
        nearest_first = [self.currency]
        for asset in nearest_first:  # grows on the way
            steps = [(step.base, step) for step in self._by_quote.get(asset, {}).values()]
            if asset == self.currency:
                steps += [(step.quote, step) for step in self._by_base.get(asset, {}).values()]
            for other, step in steps:
                if other not in routes:
                    routes[other] = (step, *routes[asset])
                    nearest_first.append(other)
        self._routes = routes
        for name, line in self._lines.items():
            symbols = self._symbols_of(line)
            if symbols != line.symbols:
                self._link(name, line, symbols)
                self._value(name, line)

    # --- lines -------------------------------------------------------------------------------------------

    def set_asset(self, asset: str, balance: Decimal) -> None:
        """Value `asset` at `balance` from now on."""
        if not balance:
            self._drop_line(asset)
            return
        line = self._line(asset, asset, "")
        line.balance = balance
        self._value(asset, line)

    def set_contract(self, symbol: str, settle: str, profit: Callable[[Decimal], Decimal] | None) -> None:
        """Value an open contract by its unrealised `profit(mark)`; None closes it."""
        name = f"contract:{symbol}"
        if profit is None:
            self._drop_line(name)
        else:
            line = self._line(name, settle, symbol)
            line.profit = profit
            self._value(name, line)

    def touch(self, symbol: str) -> None:
        """`symbol` has a new price: its lines are valued anew when the total is next asked for."""
        if symbol in self._lines_of_symbol:
            self._dirty[symbol] = None
            self.current = False

    def total(self) -> Decimal:
        """The sum of all lines.

        Raises:
            AccountingError: a line has no price.

        """
        if self._routes_outdated:
            self._find_routes()
        if self._dirty:
            for symbol in self._dirty:
                for name, line in self._lines_of_symbol.get(symbol, {}).items():
                    self._value(name, line)
            self._dirty.clear()
        if self._unpriced:
            self._complain()
        self.current = True
        return self._total

    def _complain(self) -> None:
        for name in tuple(self._unpriced):
            self._value(name, self._lines[name])
            if name in self._unpriced:
                raise self._unpriced[name]

    def _worth(self, line: _Line) -> Decimal:
        """What a line is worth now; raises AccountingError when nothing tells."""
        if line.direct:
            price = self.price(line.direct)
            if price is not None:
                return worth(line.balance, price)
        if line.profit is None:
            if line.asset == self.currency:
                return line.balance
            return worth(line.balance, self.rate(line.asset))
        price = self.price(line.contract)
        if price is None:
            raise AccountingError(f"{line.contract} has no price: add it to the market data")
        return worth(line.profit(price), self.rate(line.asset))

    def _symbols_of(self, line: _Line) -> tuple[str, ...]:
        route = tuple(instrument.symbol for instrument in self._routes.get(line.asset, ()))
        return (line.contract, *route) if line.contract else route

    def _line(self, name: str, asset: str, contract: str) -> _Line:
        """The line called `name`, made if it is not there yet."""
        if self._routes_outdated:
            self._find_routes()
        line = self._lines.get(name)
        if line is None:
            line = self._lines[name] = _Line(asset, contract)
            self._link(name, line, self._symbols_of(line))
        return line

    def _drop_line(self, name: str) -> None:
        line = self._lines.pop(name, None)
        if line is not None:
            self._link(name, line, ())
            self._unpriced.pop(name, None)
            self._total = sub(self._total, line.worth)
            self.current = False

    def _link(self, name: str, line: _Line, symbols: tuple[str, ...]) -> None:
        """Let `line` hang on the prices of `symbols` and no others."""
        for symbol in line.symbols:
            lines = self._lines_of_symbol[symbol]
            del lines[name]
            if not lines:
                del self._lines_of_symbol[symbol]
        line.symbols = symbols
        line.direct = self._direct(line)
        for symbol in symbols:
            self._lines_of_symbol.setdefault(symbol, {})[name] = line

    def _direct(self, line: _Line) -> str:
        """The symbol whose price is the rate of an asset's line; empty where the rate takes more than that."""
        route = self._routes.get(line.asset, ())
        if line.contract or len(route) != 1 or not line.symbols:
            return ""
        step = route[0]
        return step.symbol if step.base != self.currency and step.multiplier == ONE else ""

    def _value(self, name: str, line: _Line) -> None:
        try:
            value = self._worth(line)
        except AccountingError as error:
            value = self._leave_out(name, error)
        except MoneyError as error:
            value = self._leave_out(name, AccountingError(str(error)))
        else:
            if self._unpriced:
                self._unpriced.pop(name, None)
        if value != line.worth:
            self._total = add(self._total, sub(value, line.worth))
            line.worth = value
            self.current = False

    def _leave_out(self, name: str, error: AccountingError) -> Decimal:
        """Count a line that has no price as nothing: `total` raises as long as it is so."""
        self._unpriced[name] = error
        self.current = False
        return ZERO
