"""A small world of instruments, and a slow, independent account of what happens in it."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from tradingd.domain.enums import InstrumentKind, Side
from tradingd.domain.events import Fill, LedgerEntry, MarketEvent
from tradingd.domain.instrument import Instrument
from tradingd.domain.prices import PriceBoard
from tradingd.portfolio.manager import PortfolioManager
from tradingd.testing import EventLog, make_bar, make_fill, make_instrument

D = Decimal

LINEAR_SWAP = "BTC/USD:USD"
INVERSE_SWAP = "BTC/USD:BTC"

INSTRUMENTS: dict[str, Instrument] = {
    instrument.symbol: instrument
    for instrument in (
        make_instrument("AAPL"),
        make_instrument("SAP", quote="EUR"),
        make_instrument("EUR/USD"),
        make_instrument("BTC/USD"),
        make_instrument("ETH/BTC"),
        make_instrument("BNB/USD"),
        make_instrument(LINEAR_SWAP, kind=InstrumentKind.SWAP, base="BTC", quote="USD", multiplier=D("0.01")),
        make_instrument(
            INVERSE_SWAP, kind=InstrumentKind.SWAP, base="BTC", quote="USD", multiplier=D(100), inverse=True
        ),
    )
}

# The inverse of each of these has few decimals, so that the slow account needs no rounding.
INVERSE_PRICES = (20_000, 31_250, 40_000, 50_000, 62_500, 80_000)

ROUTES = {"USD": (), "EUR": ("EUR/USD",), "BTC": ("BTC/USD",), "BNB": ("BNB/USD",), "AAPL": ("AAPL",)} | {
    "SAP": ("SAP", "EUR/USD"),
    "ETH": ("ETH/BTC", "BTC/USD"),
}

OPENING_PRICES = {
    "AAPL": 180.5,
    "SAP": 120.25,
    "EUR/USD": 1.08,
    "BTC/USD": 50_000.0,
    "ETH/BTC": 0.05,
    "BNB/USD": 300.0,
    LINEAR_SWAP: 50_100.0,
    INVERSE_SWAP: 50_000.0,
}


class Happening(NamedTuple):
    """A fill, or (with a size of 0) a new price."""

    symbol: str
    size: Decimal
    price: Decimal
    fees: tuple[tuple[str, Decimal], ...] = ()
    strategy: str = "s"

    def fill(self, trade_id: str = "T") -> Fill:
        """The fill it is."""
        return make_fill(
            Side.BUY if self.size > 0 else Side.SELL,
            self.size.copy_abs(),
            self.price,
            symbol=self.symbol,
            fees=self.fees,
            strategy_id=self.strategy,
            trade_id=trade_id,
        )


class World:
    """A portfolio with everything around it."""

    def __init__(self, opening_prices: dict[str, float] | None = None) -> None:
        self.board = PriceBoard()
        self.log = EventLog()
        self.portfolio = PortfolioManager(
            100_000, instruments=INSTRUMENTS, prices=self.board, emit=self.log, currency="USD"
        )
        self.portfolio.learn(*INSTRUMENTS)
        for symbol, price in (OPENING_PRICES if opening_prices is None else opening_prices).items():
            self.market(make_bar(price, symbol=symbol))

    def market(self, event: MarketEvent) -> None:
        """Deliver a market event as an event manager does."""
        self.board.update(event)
        self.portfolio.on_market_data(event)

    def happen(self, happening: Happening) -> None:
        """Let it happen."""
        if happening.size:
            self.portfolio.on_fill(happening.fill())
        else:
            self.market(make_bar(float(happening.price), symbol=happening.symbol))

    def mark(self, symbol: str) -> Fraction:
        """The latest market price as the fraction of its shortest text."""
        return Fraction(repr(self.board.price(symbol)))


class SlowBooks:
    """Remembers every fill and works out all figures from the first one on, in fractions."""

    def __init__(self) -> None:
        self.fills: list[Happening] = []

    def happen(self, happening: Happening) -> None:
        """Remember it, if it is a fill."""
        if happening.size:
            self.fills.append(happening)

    def assets(self) -> dict[str, Fraction]:
        """What is owned of each asset, not counting contracts."""
        owned: dict[str, Fraction] = defaultdict(Fraction, USD=Fraction(100_000))
        for symbol, size, price, fees, _ in self.fills:
            instrument = INSTRUMENTS[symbol]
            if not instrument.kind.is_contract:
                owned[instrument.base] += Fraction(size)
                owned[instrument.quote] -= Fraction(size) * Fraction(price)
            for asset, amount in fees:
                owned[asset] -= Fraction(amount)
        return owned

    def quantity(self, symbol: str) -> Fraction:
        """What is held in a symbol, after fees in its base coin."""
        total = Fraction(0)
        for name, size, _, fees, _ in self.fills:
            if name == symbol:
                instrument = INSTRUMENTS[symbol]
                in_base = [] if instrument.kind.is_contract else [x for coin, x in fees if coin == instrument.base]
                total += Fraction(size) - sum(map(Fraction, in_base))
        return total

    def profit(self, symbol: str, mark: Fraction, strategy: str | None = None) -> Fraction:
        """What all trades in a symbol have earned and would earn by closing at `mark`, in what it settles in."""
        instrument = INSTRUMENTS[symbol]
        mult = Fraction(instrument.multiplier)
        total = Fraction(0)
        for name, size, price, fees, owner in self.fills:
            if name == symbol and strategy in (None, owner):
                if instrument.inverse:
                    total += Fraction(size) * mult * (1 / Fraction(price) - 1 / mark)
                else:
                    total += Fraction(size) * mult * (mark - Fraction(price))
                if not instrument.kind.is_contract:
                    total -= sum(Fraction(x) * mark for coin, x in fees if coin == instrument.base)
        return total

    def equity(self, world: World) -> Fraction:
        """Everything owned and every contract's profit, at the latest prices."""
        total = sum((amount * rate(world, asset) for asset, amount in self.assets().items()), Fraction(0))
        for symbol, instrument in INSTRUMENTS.items():
            if instrument.kind.is_contract:
                total += self.profit(symbol, world.mark(symbol)) * rate(world, instrument.settle)
        return total


def rate(world: World, asset: str) -> Fraction:
    """What one unit of an asset is worth in USD."""
    result = Fraction(1)
    for symbol in ROUTES[asset]:
        result *= world.mark(symbol)
    return result


def movements(entries: Iterable[LedgerEntry], account: str) -> dict[str, Fraction]:
    """What a run's ledger entries add up to for one account, per asset."""
    totals: dict[str, Fraction] = defaultdict(Fraction)
    for entry in entries:
        if account in (entry.debit, entry.credit):
            totals[entry.asset] += Fraction(entry.amount) * (1 if entry.debit == account else -1)
    return totals
