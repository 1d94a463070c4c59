"""Whatever the order of answers, hints and reads, the books come out the same."""

from collections.abc import Callable
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.broker.ccxt.pure import Pure
from tests.broker.ccxt.rig import BTC, D
from tradingd.broker.ccxt.evidence import Endpoint
from tradingd.domain.enums import OrderStatus as S
from tradingd.domain.enums import Side
from tradingd.venues.model import OrderSeen, SeenStatus, TradeSeen

_NS = 1_000_000_000
_ENDS = {SeenStatus.CANCELED: S.CANCELED, SeenStatus.EXPIRED: S.EXPIRED, SeenStatus.CLOSED: S.FILLED}


class Truth:
    """What happened at the venue to an order of 6: fills, then an end."""

    def __init__(self, pieces: list[int], end: SeenStatus) -> None:
        self.pieces: list[Decimal] = []
        for piece in pieces:
            if sum(self.pieces) + piece <= 6:
                self.pieces.append(D(piece))
        self.filled = sum(self.pieces, D(0))
        self.end = SeenStatus.CLOSED if self.filled == 6 else end

    def state(self, order_id: str, step: int) -> OrderSeen:
        """The order after so many fills; the last step is its end."""
        over = step > len(self.pieces) or (self.end is SeenStatus.CLOSED and step == len(self.pieces))
        filled = sum(self.pieces[:step], D(0))
        status = self.end if over else SeenStatus.OPEN
        return OrderSeen("77", order_id, BTC, Side.BUY, status, D(6), filled)

    def trades(self, start_ns: int, step: int) -> list[TradeSeen]:
        """The trades of the first so many fills."""
        return [
            TradeSeen(f"{number}", "77", "", BTC, Side.BUY, piece, D(49_000), ts=start_ns + number * _NS)
            for number, piece in enumerate(self.pieces[:step])
        ]


_WAYS = (
    "answer lost hint nameless-hint order unseen open trades cancel canceled not-there cancel-lost round-over wait"
)
observations = st.lists(st.tuples(st.sampled_from(_WAYS.split()), st.integers(0, 8)), max_size=25)


def show(pure: Pure, order_id: str, truth: Truth, what: str, step: int) -> None:
    """One observation of what is true of some moment."""
    seen = truth.state(order_id, min(step, len(truth.pieces) + 1))
    nameless = OrderSeen("77", "", BTC, Side.BUY, seen.status, seen.quantity, seen.filled)
    desk, search, now = pure.desk, pure.search, pure.time.monotonic()
    ways: dict[str, Callable[[], object]] = {
        "answer": lambda: desk.accepted(order_id, seen),
        "lost": lambda: desk.lost(order_id, "timed out"),
        "hint": lambda: search.hint([seen]),
        "nameless-hint": lambda: search.hint([nameless]),
        "order": lambda: search.order_read(order_id, seen, now),
        "unseen": lambda: search.order_read(order_id, None, now),
        "open": lambda: search.listed(BTC, Endpoint.OPEN, [seen] * (seen.status is SeenStatus.OPEN), now),
        "trades": lambda: pure.trades(truth.trades(pure.time._start_ns, step)),
        "cancel": lambda: desk.cancel(order_id),
        "canceled": lambda: desk.canceled(order_id, seen if seen.status is SeenStatus.CANCELED else None),
        "not-there": lambda: desk.cancel_refused(order_id, "UNKNOWN_ORDER", "unknown order"),
        "cancel-lost": lambda: desk.cancel_lost(order_id),
        "round-over": lambda: search.read_over(order_id),
        "wait": lambda: pure.after(step),
    }
    ways[what]()
    pure.tell()


@settings(max_examples=400, deadline=None)
@given(st.lists(st.integers(1, 4), max_size=5), st.sampled_from(list(_ENDS)[:2]), observations)
def test_any_order_of_observations_gives_the_same_books(
    pieces: list[int], end: SeenStatus, observed: list[tuple[str, int]]
) -> None:
    """Answers, hints and reads in any order, any number of times: each fill once, the end as the venue has it."""
    truth = Truth(pieces, end)
    pure = Pure()
    order_id = pure.order(Side.BUY, "6", "49000")
    for what, step in observed:
        show(pure, order_id, truth, what, step)
    last = len(truth.pieces) + 1
    for what in ("lost", "order", "trades", "order"):
        show(pure, order_id, truth, what, last)
    assert pure.status(order_id) is _ENDS[truth.end]
    assert sorted(fill.trade_id for fill in pure.fills) == [str(number) for number in range(len(truth.pieces))]
    assert all(fill.order_id == order_id for fill in pure.fills)
    assert pure.get(order_id).filled == truth.filled
    assert pure.held("BTC") == 10 + truth.filled
    assert pure.held("USD") == 1_000_000 - 49_000 * truth.filled
    assert not [update for update in pure.log.events if "CONTRADICTION" in getattr(update, "reason", "")]


@settings(max_examples=200, deadline=None)
@given(observations)
def test_order_that_never_arrived_is_void_however_it_was_looked_for(observed: list[tuple[str, int]]) -> None:
    """Reads that do not know the order, in any order: it ends VOID or UNKNOWN, and never otherwise."""
    pure = Pure()
    order_id = pure.order(Side.BUY, "6", "49000")
    pure.desk.lost(order_id, "timed out")
    pure.tell()
    for what, step in observed:
        if what in {"unseen", "not-there", "cancel-lost", "round-over", "wait", "cancel"}:
            show(pure, order_id, Truth([], SeenStatus.CANCELED), what, step)
        elif what == "open":
            pure.search.listed(BTC, Endpoint.OPEN, [], pure.time.monotonic())
        elif what == "trades":
            pure.trades([])
        for tracked in pure.search.unseen(BTC):
            pure.search.balances_say(tracked.order_id, explained=True)
            assert pure.time.monotonic() >= 30
        pure.tell()
    assert pure.status(order_id) in {S.UNKNOWN, S.VOID}
    assert pure.fills == []
