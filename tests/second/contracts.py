"""Contracts at the second venue: positions, profit that is realised when they are closed, no asset that changes hands."""

from collections import defaultdict
from decimal import Decimal

from tradingd.testing.exchange.clearing import Clearing
from tradingd.testing.exchange.exact import EIGHT, ZERO, add, floor, mul, quotient, sub
from tradingd.testing.exchange.ledger import FEES
from tradingd.testing.exchange.model import HOUSE, MarketSpec, Order, Side

_DEEP = Decimal("1e20")
_HOUSE_CONTRACTS = "contracts"


class ContractSpec(MarketSpec, frozen=True, gc=False):
    """A perpetual swap: quantities are contracts of `size` of the base coin (inverse: of the quote coin)."""

    size: Decimal = Decimal(1)
    settle: str = ""
    inverse: bool = False


class Position:
    """What an account holds of a swap: contracts, above 0 for long, and what one was entered at."""

    def __init__(self) -> None:
        self.contracts = ZERO
        self.entry = ZERO


class ContractClearing(Clearing):
    """As the spot market's, but a `ContractSpec` moves positions, and only profits and fees move money."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.positions: dict[tuple[str, str], Position] = defaultdict(Position)

    def spendable(self, order: Order, spec: MarketSpec) -> Decimal:
        """Margin is not what is tried here."""
        return _DEEP if isinstance(spec, ContractSpec) else super().spendable(order, spec)

    def relock(self, order: Order, spec: MarketSpec) -> None:
        """Contracts set nothing aside."""
        if not isinstance(spec, ContractSpec):
            super().relock(order, spec)

    def settle(
        self, spec: MarketSpec, trade_id: int, maker: Order, taker: Order, price: Decimal, qty: Decimal
    ) -> tuple[tuple[Decimal, str], tuple[Decimal, str]]:
        """Both sides' positions change; whoever closes is paid."""
        if not isinstance(spec, ContractSpec):
            return super().settle(spec, trade_id, maker, taker, price, qty)
        reference = f"{spec.symbol}:{trade_id}"
        return (
            self._deal(spec, reference, maker, price, qty, maker=True),
            self._deal(spec, reference, taker, price, qty, maker=False),
        )

    def _deal(
        self, spec: ContractSpec, reference: str, order: Order, price: Decimal, qty: Decimal, *, maker: bool
    ) -> tuple[Decimal, str]:
        if order.account == HOUSE:
            return ZERO, spec.settle
        signed = qty if order.side is Side.BUY else qty.copy_negate()
        profit = self._moved(spec, self.positions[order.account, spec.symbol], price, signed)
        if profit:
            legs = [(order.account, spec.settle, profit), (HOUSE, spec.settle, profit.copy_negate())]
            self.ledger.post(self._now(), "trade", reference, legs)
        plan = self.fees[order.account]
        fee = floor(mul(worth(spec, price, qty), plan.maker if maker else plan.taker), EIGHT)
        if fee:
            legs = [(order.account, spec.settle, fee.copy_negate()), (FEES, spec.settle, fee)]
            self.ledger.post(self._now(), "fee", reference, legs)
        return fee, spec.settle

    def _moved(self, spec: ContractSpec, held: Position, price: Decimal, signed: Decimal) -> Decimal:
        """Change a position; returns what that realises."""
        before, after = held.contracts, add(held.contracts, signed)
        if mul(before, signed) >= 0:
            cost = add(mul(held.entry, before.copy_abs()), mul(price, signed.copy_abs()))
            held.contracts, held.entry = after, quotient(cost, after.copy_abs(), Decimal("1e-12"))
            return ZERO
        closed = min(before.copy_abs(), signed.copy_abs())
        gained = sub(price, held.entry) if before > 0 else sub(held.entry, price)
        held.contracts = after
        if mul(before, after) < 0:
            held.entry = price
        return mul(mul(gained, closed), spec.size)


def worth(spec: ContractSpec, price: Decimal, qty: Decimal) -> Decimal:
    """What contracts are worth in the coin that they settle in."""
    return quotient(mul(qty, spec.size), price, Decimal("1e-12")) if spec.inverse else mul(mul(price, qty), spec.size)
