"""What the second venue tells of an account and of its markets over REST."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from tests.second import views
from tests.second.contracts import ContractSpec
from tests.second.streams import Streams
from tradingd.testing.exchange.candles import INTERVALS, candles_of
from tradingd.testing.exchange.engine import Engine
from tradingd.testing.exchange.exact import ZERO, add, mul, sub

ANN = "ann"
Query = Mapping[str, str]


class Reads:
    """The reads; `SecondVenue` adds orders and the wire."""

    engine: Engine
    streams: Streams
    now: Callable[[], int]
    can_withdraw: bool

    # --- the account -------------------------------------------------------------------------------------------

    def details(self) -> list[dict[str, Any]]:
        """All coins."""
        profits: dict[str, Decimal] = {}
        for spec, held, mark in self._positions():
            gained = mul(mul(sub(mark, held.entry), held.contracts), spec.size)
            profits[spec.settle] = add(profits.get(spec.settle, ZERO), gained)
        return [
            views.balance_detail(asset, *amounts, profits.get(asset, ZERO))
            for asset, amounts in self.engine.balances(ANN).items()
        ]

    def _positions(self) -> list[tuple[ContractSpec, Any, Decimal]]:
        clearing: Any = self.engine._clearing
        return [
            (spec, held, self.engine.last_price(symbol) or held.entry)
            for (_, symbol), held in clearing.positions.items()
            if held.contracts and isinstance(spec := self.engine.markets[symbol], ContractSpec)
        ]

    def balance(self, _query: Query) -> dict[str, Any]:
        """GET account/balance."""
        return views.told({"details": self.details(), "uTime": str(self.now()), "totalEq": "0"})

    def positions(self, _query: Query) -> dict[str, Any]:
        """GET account/positions."""
        return views.told(*(views.position_entry(*each, self.now()) for each in self._positions()))

    def config(self, _query: Query) -> dict[str, Any]:
        """GET account/config."""
        return views.told(
            {
                "uid": "1",
                "acctLv": "2",
                "perm": "read_only,withdraw,trade" if self.can_withdraw else "read_only,trade",
            }
        )

    # --- the market --------------------------------------------------------------------------------------------

    def instruments(self, query: Query) -> dict[str, Any]:
        """GET public/instruments."""
        found = [spec for spec in self.engine.markets.values() if views.kind_of(spec) == query["instType"]]
        return views.told(*map(views.instrument, found))

    def book(self, query: Query) -> dict[str, Any]:
        """GET market/books."""
        return views.told(self.streams.levels(query["instId"], int(query.get("sz") or 1)))

    def trades(self, query: Query) -> dict[str, Any]:
        """GET market/trades: the newest, newest first, whatever time is asked for."""
        found = self.engine.public_trades(query["instId"])[-min(int(query.get("limit") or 100), 500) :]
        return views.told(*(views.public_trade(each) for each in reversed(found)))

    def candles(self, query: Query) -> dict[str, Any]:
        """GET market/candles: newest first, those between `before` and `after`, both left out."""
        step = INTERVALS[query["bar"].replace("H", "h").replace("D", "d").replace("utc", "")]
        early, late = int(query.get("before") or 0), int(query.get("after") or 1 << 62)
        made = candles_of(
            self.engine.past.get(query["instId"], ()), self.engine.public_trades(query["instId"]), step, self.now()
        )
        found = [each for each in made if early < each.start < late]
        size = min(int(query.get("limit") or 100), 300)
        rows = [views.candle_row(each, closed=each.start + step <= self.now()) for each in found]
        return views.told(*list(reversed(rows))[:size])

    def ticker(self, query: Query) -> dict[str, Any]:
        """GET market/ticker."""
        return views.told(self.streams.ticker(query["instId"]))

    def clock(self, _query: Query) -> dict[str, Any]:
        """GET public/time."""
        return views.told({"ts": str(self.now())})
