"""Clearing: what an order sets aside, and what each fill moves between accounts, fees included."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from tradingd.testing.exchange.book import remaining
from tradingd.testing.exchange.exact import EIGHT, ZERO, floor, mul, quotient, sub
from tradingd.testing.exchange.filters import LIMITED
from tradingd.testing.exchange.ledger import FEES, Ledger
from tradingd.testing.exchange.model import HOUSE, BalanceChange, EngineEvent, FeePlan, MarketSpec, Order, Side

__all__ = ["Clearing"]

Fee = tuple[Decimal, str]


class Clearing:
    """Moves funds for orders and fills. House orders set nothing aside and pay no fees."""

    def __init__(self, emit: Callable[[EngineEvent], None], now: Callable[[], int]) -> None:
        self.ledger = Ledger()
        self.fees: dict[str, FeePlan] = {}
        self._emit = emit
        self._now = now

    def spendable(self, order: Order, spec: MarketSpec) -> Decimal:
        """Free funds of the asset that an order of this side pays with."""
        return self.ledger.free(order.account, _paid_asset(order.side, spec))

    def relock(self, order: Order, spec: MarketSpec) -> None:
        """Makes what the order holds equal to what is left of it may cost."""
        if order.account == HOUSE:
            return
        needed = required(order) if order.open else ZERO
        self.ledger.lock(order.account, _paid_asset(order.side, spec), sub(needed, order.locked))
        order.locked = needed

    def settle(
        self, spec: MarketSpec, trade_id: int, maker: Order, taker: Order, price: Decimal, qty: Decimal
    ) -> tuple[Fee, Fee]:
        """Books a fill whose quantity the orders already carry; returns the fees of maker and taker."""
        if maker.account == HOUSE == taker.account:
            return (ZERO, spec.quote), (ZERO, spec.quote)
        for order in (maker, taker):
            self.relock(order, spec)
        buyer, seller = (taker, maker) if taker.side is Side.BUY else (maker, taker)
        quote = mul(price, qty)
        reference = f"{spec.symbol}:{trade_id}"
        legs = [
            (buyer.account, spec.base, qty),
            (seller.account, spec.base, qty.copy_negate()),
            (seller.account, spec.quote, quote),
            (buyer.account, spec.quote, quote.copy_negate()),
        ]
        self.ledger.post(self._now(), "trade", reference, legs)
        return (
            self._charge(spec, reference, maker, qty, quote, maker=True),
            self._charge(spec, reference, taker, qty, quote, maker=False),
        )

    def _charge(
        self, spec: MarketSpec, reference: str, order: Order, qty: Decimal, quote: Decimal, *, maker: bool
    ) -> Fee:
        if order.account == HOUSE:
            return ZERO, spec.quote
        fee, asset = self._fee(spec, order, qty, quote, maker=maker)
        if fee:
            legs = [(order.account, asset, fee.copy_negate()), (FEES, asset, fee)]
            self.ledger.post(self._now(), "fee", reference, legs)
        return fee, asset

    def _fee(self, spec: MarketSpec, order: Order, qty: Decimal, quote: Decimal, *, maker: bool) -> Fee:
        """In the third coin while there is enough of it, else in the asset that the fill brought."""
        plan = self.fees[order.account]
        if plan.coin is not None:
            rate = plan.coin.maker if maker else plan.coin.taker
            fee = quotient(mul(quote, rate), plan.coin.price, EIGHT)
            if fee <= self.ledger.free(order.account, plan.coin.asset):
                return fee, plan.coin.asset
        rate = plan.maker if maker else plan.taker
        received, asset = (qty, spec.base) if order.side is Side.BUY else (quote, spec.quote)
        return floor(mul(received, rate), EIGHT), asset

    def tell_balances(self, account: str, assets: Sequence[str]) -> None:
        """Tells the account's owner where these assets stand."""
        if account != HOUSE:
            rows = tuple(
                (asset, self.ledger.free(account, asset), self.ledger.locked(account, asset))
                for asset in dict.fromkeys(assets)
            )
            self._emit(BalanceChange(self._now(), account, rows))


def required(order: Order) -> Decimal:
    """What an open order has to hold. A market order holds nothing: it pays as it goes."""
    if order.type not in LIMITED and order.working:
        return ZERO
    if order.side is Side.SELL:
        return remaining(order)
    return mul(order.price or order.stop_price, remaining(order))


def _paid_asset(side: Side, spec: MarketSpec) -> str:
    return spec.quote if side is Side.BUY else spec.base
