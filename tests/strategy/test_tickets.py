"""Following orders: what is certain of them, and when to ask again."""

from decimal import Decimal

import pytest

from tradingd.domain.enums import OrderStatus, OrderType, Side
from tradingd.domain.events import OrderUpdate
from tradingd.strategy.tickets import Backoff, Ticket, Tickets
from tradingd.testing import make_fill

S = 1_000_000_000


def update(status: OrderStatus, filled: str = "0", reason: str = "", quantity: str = "5") -> OrderUpdate:
    """News of the order s:1."""
    amount = Decimal(quantity)
    return OrderUpdate(
        0, "s", "s:1", "c1", "X", Side.BUY, OrderType.LIMIT, amount, Decimal(filled), status, reason
    )


def opened() -> tuple[Tickets, Ticket]:
    """An order of five that has just been asked for."""
    tickets = Tickets()
    ticket = tickets.add("s:1", Side.BUY, Decimal(5))
    assert ticket is not None
    return tickets, ticket


def test_an_order_nobody_has_told_of_is_outstanding_in_full() -> None:
    """From the wish on it may fill."""
    tickets, ticket = opened()
    assert (ticket.ended, ticket.settled, ticket.outstanding, len(tickets)) == (False, False, Decimal(5), 1)


def test_a_filled_order_is_settled_when_its_fill_is_booked_too() -> None:
    """The order's news alone leave the outcome open."""
    tickets, ticket = opened()
    tickets.on_order(update(OrderStatus.FILLED, "5"))
    assert (ticket.ended, ticket.settled, ticket.outstanding) == (True, False, Decimal(5))
    assert tickets
    tickets.on_fill(make_fill(Side.BUY, 5, "1", intent_id="s:1"))
    assert (ticket.settled, ticket.failed, ticket.outstanding) == (True, False, Decimal(0))
    assert not tickets


def test_the_fill_may_come_first() -> None:
    """The order of the two does not matter."""
    tickets, ticket = opened()
    tickets.on_fill(make_fill(Side.BUY, 5, "1", intent_id="s:1"))
    assert not ticket.settled
    tickets.on_order(update(OrderStatus.FILLED, "5"))
    assert ticket.settled


@pytest.mark.parametrize("status", [OrderStatus.DENIED, OrderStatus.REJECTED, OrderStatus.CANCELED])
def test_an_order_that_ends_without_a_fill_is_settled_at_once(status: OrderStatus) -> None:
    """Nothing more is to come, and it has failed."""
    tickets, ticket = opened()
    tickets.on_order(update(status))
    assert (ticket.settled, ticket.failed, ticket.outstanding, bool(tickets)) == (True, True, Decimal(0), False)


def test_an_unknown_order_is_not_settled() -> None:
    """Unknown is not dead."""
    tickets, ticket = opened()
    tickets.on_order(update(OrderStatus.UNKNOWN))
    assert (ticket.ended, ticket.outstanding) == (False, Decimal(5))


def test_a_late_fill_finds_its_order() -> None:
    """A settled order is remembered for a while."""
    tickets, ticket = opened()
    tickets.on_order(update(OrderStatus.CANCELED))
    assert tickets.on_fill(make_fill(Side.BUY, 2, "1", intent_id="s:1")) is ticket
    assert ticket.booked == 2


def test_an_order_that_comes_back_to_life_is_followed_again() -> None:
    """A refused order that the venue has after all."""
    tickets, ticket = opened()
    tickets.on_order(update(OrderStatus.REJECTED))
    tickets.on_order(update(OrderStatus.UNKNOWN))
    assert list(tickets) == [ticket]


def test_a_refused_change_revives_nothing() -> None:
    """Risk's refusal repeats the state before the end."""
    tickets, ticket = opened()
    tickets.on_order(update(OrderStatus.FILLED, "5"))
    tickets.on_order(update(OrderStatus.OPEN, "0", "MODIFY_DENIED: TICK"))
    assert ticket.ended


def test_a_changed_quantity_counts() -> None:
    """What is outstanding follows the order."""
    tickets, ticket = opened()
    tickets.on_order(update(OrderStatus.OPEN, "1", quantity="3"))
    tickets.on_fill(make_fill(Side.BUY, 1, "1", intent_id="s:1"))
    assert ticket.outstanding == 2


def test_strangers_and_warm_up_are_not_followed() -> None:
    """An order that was not sent, and one that is not ours."""
    tickets = Tickets()
    assert tickets.add("", Side.BUY, Decimal(1)) is None
    assert tickets.on_order(update(OrderStatus.OPEN)) is None
    assert tickets.on_fill(make_fill(Side.BUY, 1, "1", intent_id="s:1")) is None


def test_settled_orders_are_forgotten_in_time() -> None:
    """Memory does not grow with the number of orders."""
    tickets = Tickets()
    for number in range(1_000):
        tickets.add(f"s:{number}", Side.BUY, Decimal(1))
        tickets.on_order(
            OrderUpdate(
                0, "s", f"s:{number}", "", "X", Side.BUY, None, Decimal(1), Decimal(0), OrderStatus.DENIED, "x"
            )
        )
    assert tickets.get("s:999") is not None
    assert tickets.get("s:0") is None


def test_refusals_double_the_wait_up_to_a_bound() -> None:
    """1, 2, 4 seconds, then no more than 5."""
    backoff = Backoff(1.0, 5.0)
    waits = []
    for _ in range(5):
        backoff.fail(100 * S)
        waits.append((backoff.until - 100 * S) // S)
    assert waits == [1, 2, 4, 5, 5]


def test_a_success_ends_the_wait() -> None:
    """The next refusal begins anew."""
    backoff = Backoff(1.0)
    backoff.fail(0)
    backoff.fail(0)
    assert backoff.waits(S)
    assert not backoff.waits(2 * S)
    backoff.succeed()
    assert not backoff.waits(0)
    backoff.fail(0)
    assert backoff.until == S
