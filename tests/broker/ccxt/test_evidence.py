"""When an order may be believed absent: the table."""

import pytest

from tests.broker.ccxt.pure import Pure
from tests.broker.ccxt.rig import BTC
from tradingd.broker.ccxt.evidence import Case, Endpoint
from tradingd.broker.ccxt.policy import EvidencePolicy
from tradingd.domain.enums import OrderStatus as S
from tradingd.domain.enums import Side
from tradingd.domain.events import ReportKind as K
from tradingd.errors import UsageError
from tradingd.venues.model import OrderSeen, SeenStatus

ORDER, OPEN, CLOSED, TRADES = Endpoint.ORDER, Endpoint.OPEN, Endpoint.CLOSED, Endpoint.TRADES
POLICY = EvidencePolicy()


@pytest.mark.parametrize(
    ("asked", "enough"),
    [
        ([], False),
        ([(ORDER, 0), (OPEN, 0)], False),  # two reads
        ([(ORDER, 0), (ORDER, 10), (ORDER, 31)], False),  # one endpoint
        ([(ORDER, 0), (OPEN, 0), (ORDER, 29), (OPEN, 29)], False),  # too short a span
        ([(ORDER, 0), (OPEN, 0), (ORDER, 30)], False),  # the second endpoint did not look late enough
        ([(ORDER, 0), (OPEN, 0), (ORDER, 30), (OPEN, 30)], True),
        ([(OPEN, 0), (TRADES, 0), (OPEN, 30), (TRADES, 30)], True),
        ([(ORDER, 5), (ORDER, 34), (OPEN, 35), (CLOSED, 35)], True),
        ([(ORDER, -1), (OPEN, -1), (ORDER, 29.5), (OPEN, 29.5)], False),  # asked before the answer was lost
    ],
)
def test_reads_that_suffice(asked: list[tuple[Endpoint, float]], *, enough: bool) -> None:
    """Three reads, of two endpoints, that look late enough; only those asked for after the answer was lost."""
    case = Case(0.0, "timed out", 30.0)
    for endpoint, at in asked:
        case.note(endpoint, at)
    assert case.unseen(POLICY) is enough


def test_known_order_is_never_absent() -> None:
    """The venue said that it has the id: no number of reads proves the contrary."""
    case = Case(0.0, "duplicate", 30.0, known=True)
    for at in (0, 10, 40):
        case.note(ORDER, at)
        case.note(OPEN, at)
    assert not case.unseen(POLICY)


def test_next_read_is_due_when_the_span_is_over() -> None:
    """The pause grows, but the read that can prove absence is not put off; overdue, it grows once more."""
    case = Case(0.0, "timed out", 30.0)
    case.note(ORDER, 1.0)
    assert case.next_read(1.0, 0, POLICY) == 1.25
    assert case.next_read(25.0, 9, POLICY) == 31.0
    assert case.next_read(50.0, 9, POLICY) == 60.0
    assert case.next_read(70.0, 9, POLICY) == 130.0


def test_policy_refuses_nonsense() -> None:
    """A policy by which nothing would have to be read is refused."""
    with pytest.raises(UsageError, match="reads >= 1"):
        EvidencePolicy(reads=0)


def _unknown() -> tuple[Pure, str]:
    pure = Pure()
    order_id = pure.order(Side.BUY, "6", "49000")
    pure.desk.lost(order_id, "timed out")
    for at in (0.0, 31.0):
        pure.time._elapsed = at
        pure.search.order_read(order_id, None, at)
        pure.search.listed(BTC, OPEN, [], at)
    return pure, order_id


@pytest.mark.parametrize(("explained", "status"), [(True, S.VOID), (False, S.UNKNOWN)])
def test_balances_have_the_last_word(*, explained: bool, status: S) -> None:
    """Unseen in every read, an order is absent only if the balances moved by known trades alone."""
    pure, order_id = _unknown()
    assert [tracked.order_id for tracked in pure.search.unseen(BTC)] == [order_id]
    pure.search.balances_say(order_id, explained=explained)
    pure.tell()
    assert pure.status(order_id) is status


@pytest.mark.parametrize(
    ("status", "filled", "ends"),
    [
        (SeenStatus.OPEN, 0, S.OPEN),
        (SeenStatus.UNTOLD, None, S.OPEN),
        (SeenStatus.CANCELED, 0, S.CANCELED),
        (SeenStatus.EXPIRED, 0, S.EXPIRED),
        (SeenStatus.REJECTED, 0, S.REJECTED),
        (SeenStatus.CLOSED, 6, S.OPEN),  # its trades are still to come
        (SeenStatus.CANCELED, 2, S.OPEN),
    ],
)
def test_seen_order_leaves_unknown(status: SeenStatus, filled: int | None, ends: S) -> None:
    """An order that is seen is as the venue shows it, as far as trades bear that out."""
    pure, order_id = _unknown()
    amount = None if filled is None else pure.decimal(str(filled))
    pure.search.order_read(order_id, OrderSeen("7", order_id, BTC, status=status, filled=amount), 31.0)
    pure.tell()
    assert pure.status(order_id) is ends


def test_absent_order_that_shows_life_halts() -> None:
    """What was proved absent and is there all the same is tracked again, and its instrument halted."""
    pure, order_id = _unknown()
    pure.search.balances_say(order_id, explained=True)
    pure.search.hint([OrderSeen("7", order_id, BTC, Side.BUY, SeenStatus.OPEN)])
    pure.tell()
    assert pure.kinds(order_id) == [K.UNKNOWN, K.ABSENT, K.ACCEPTED]
    assert "there it is" in pure.halts[0]


def test_refused_order_that_is_listed_as_canceled_is_no_news() -> None:
    """Some venues list what they refused as canceled: that is no life."""
    pure = Pure()
    order_id = pure.order(Side.BUY, "6", "49000")
    pure.desk.refused(order_id, "-2010", "would take")
    seen = OrderSeen("7", order_id, BTC, Side.BUY, SeenStatus.CANCELED, filled=pure.decimal("0"))
    pure.search.hint([seen])
    pure.tell()
    assert pure.kinds(order_id) == [K.REJECTED]
    assert pure.halts == []


def test_end_without_a_figure_needs_two_complete_reads() -> None:
    """A venue that does not tell what was filled is believed after two reads of trades that agree."""
    pure = Pure()
    order_id = pure.order(Side.BUY, "6", "49000")
    pure.search.hint([OrderSeen("7", order_id, BTC, Side.BUY, SeenStatus.CANCELED)])
    pure.trades([])
    assert pure.status(order_id) is S.OPEN
    pure.trades([])
    assert pure.status(order_id) is S.CANCELED
