"""The report of a rehearsal: what is a violation, what a halt excuses, and when it is passed."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tradingd.commands.rehearsal_report import (
    Bounds,
    Deal,
    Evidence,
    FaultReport,
    RehearsalReport,
    SentOrder,
    judge,
    violations_of,
)

D = Decimal


def deal(number: int = 1, quantity: str = "1", price: str = "100", **changes: Any) -> Deal:
    """A trade of ours: a buy of BTC/USDT, with its fee in the base."""
    made = Deal("main", "BTC/USDT", str(number), True, D(quantity), D(price), (("BTC", D("0.001")),))
    return msgspec.structs.replace(made, **changes)


def order(client_id: str = "t1-1-1", quantity: str = "1", price: str = "100", **changes: object) -> SentOrder:
    """A request for an order, accepted."""
    made = SentOrder("main", client_id, "BTC/USDT", D(quantity), D(price))
    return msgspec.structs.replace(made, **changes)


CLEAN = Evidence(
    sent=(order(),),
    theirs=(deal(),),
    ours=(deal(),),
    their_balances={"BTC": D("0.999"), "USDT": D(900)},
    our_balances={"BTC": D("0.999"), "USDT": D("900.00")},
    known_orders=frozenset({"t1-1-1"}),
)
NO_BOUNDS = Bounds()


def found(bounds: Bounds = NO_BOUNDS, **changes: object) -> list[str]:
    """The violations of the clean evidence, changed."""
    return list(violations_of(msgspec.structs.replace(CLEAN, **changes), bounds))


def test_both_sides_alike_are_no_violation() -> None:
    """Equal to the last unit, however the digits are written."""
    assert found() == []


def test_an_order_that_was_sent_twice_is_told() -> None:
    """Whether the exchange took the second one or not: it might have."""
    assert found(sent=(order(), order(accepted=False))) == ["sent more than once: t1-1-1 (2 times)"]


def test_orders_of_two_accounts_may_have_one_id() -> None:
    """Ids are an account's."""
    assert found(sent=(order(), order(account="spare"))) == []


def test_an_order_that_we_do_not_know_is_told() -> None:
    """It fills behind our back; one that the exchange refused does not."""
    sent = (order(), order("t1-1-2"), order("t1-1-3", accepted=False))
    assert found(sent=sent) == ["at the exchange, and unknown to us: t1-1-2"]


def test_a_fill_that_was_booked_twice_is_told() -> None:
    """Once is what the exchange has."""
    assert found(ours=(deal(), deal())) == ["booked more than once: 1 of BTC/USDT at main"]


def test_a_fill_that_the_exchange_does_not_have_is_told() -> None:
    """We have made it up."""
    assert found(ours=(deal(), deal(2))) == ["booked, and unknown to the exchange: 2 of BTC/USDT at main"]


def test_a_fill_that_was_not_booked_is_told() -> None:
    """It is lost."""
    assert found(ours=()) == ["fill lost: 1 of BTC/USDT at main"]


def test_trades_of_two_symbols_may_have_one_id() -> None:
    """Trade ids count per symbol at some exchanges."""
    both = (deal(), deal(symbol="ETH/USDT"))
    assert found(theirs=both, ours=(deal(),)) == ["fill lost: 1 of ETH/USDT at main"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"quantity": D(2)}, "quantity 1, ours 2"),
        ({"price": D(99), "buy": False}, "buy True, ours False, price 100, ours 99"),
        ({"fees": ()}, "fees 0.001 BTC, ours none"),
        ({"fees": (("BNB", D("0.1")),)}, "fees 0.001 BTC, ours 0.1 BNB"),
    ],
)
def test_a_fill_that_was_booked_otherwise_is_told(changes: dict[str, Any], told: str) -> None:
    """With both sides' words."""
    assert found(ours=(deal(**changes),)) == [
        f"fill booked otherwise than the exchange has it: 1 of BTC/USDT at main ({told})"
    ]


def test_a_balance_that_differs_is_told() -> None:
    """By one unit of the last digit, or because one side does not have the asset."""
    ours = {"BTC": D("0.999"), "USDT": D("900.00000001"), "BNB": D(1)}
    assert found(our_balances=ours) == [
        "books differ from the exchange's ledger: BNB 0, ours 1, USDT 900, ours 900.00000001"
    ]


@pytest.mark.parametrize("halted", ["", "main", "BTC/USDT"])
def test_a_halt_excuses_what_is_not_known_yet(halted: str) -> None:
    """Of everything, of the account or of the symbol: it has a reason that somebody was told."""
    ours = {"BTC": D(0), "USDT": D(1000)}
    assert found(ours=(), our_balances=ours, halts={halted: "KEY_REFUSED"}) == []


def test_a_halt_elsewhere_excuses_nothing() -> None:
    """Another symbol's halt is no reason."""
    assert found(ours=(), halts={"ETH/EUR": "x", "spare": "y"}) == ["fill lost: 1 of BTC/USDT at main"]


def test_no_halt_excuses_an_order_sent_twice_or_a_fill_booked_twice() -> None:
    """Money is gone by then."""
    told = found(sent=(order(), order()), ours=(deal(), deal(), deal(2)), halts={"": "ALL"})
    assert [line.partition(":")[0] for line in told] == [
        "sent more than once",
        "booked more than once",
        "booked, and unknown to the exchange",
    ]


def test_an_order_above_the_limit_is_told() -> None:
    """Its value at its price, which may be as far from what it was judged by as the collar lets it."""
    bounds = Bounds(max_order_notional=D(100), price_collar_percent=D(2))
    assert found(bounds, sent=(order(price="102"),)) == []
    assert found(bounds, sent=(order(price="102.01"),)) == ["limit broken: max_order_notional by t1-1-1: 102.01"]
    assert found(bounds, sent=(order(price="200", accepted=False),)) == []


def test_an_order_of_too_many_units_is_told() -> None:
    """Units are exact."""
    bounds = Bounds(max_order_quantity=D("0.9"))
    assert found(bounds) == ["limit broken: max_order_quantity by t1-1-1: 1 BTC/USDT"]


def test_a_position_above_the_limit_is_told_once() -> None:
    """When a trade makes it grow beyond; not when it shrinks, nor when the price rises under it."""
    deals = (deal(1), deal(2, price="200"), deal(3, buy=False), deal(4, price="300"))
    told = found(Bounds(max_position_notional=D(200)), theirs=deals, ours=deals)
    assert told == ["limit broken: max_position_notional in BTC/USDT: 400"]
    assert found(Bounds(max_position_quantity=D(2)), theirs=deals, ours=deals) == []


def test_only_some_of_many_are_told_and_their_number() -> None:
    """A report stays readable."""
    theirs = tuple(deal(number) for number in range(1, 9))
    told = found(theirs=theirs, ours=())
    assert len(told) == 1
    assert told[0].endswith("5 of BTC/USDT at main and 3 more")


def test_the_result_of_a_fault() -> None:
    """A halt with a reason is a result of its own, and so is a fault that never struck."""
    halted = msgspec.structs.replace(CLEAN, halts={"BTC/USDT": "UNRESOLVED"})
    broken = msgspec.structs.replace(CLEAN, ours=())
    assert judge("x", 3, CLEAN, NO_BOUNDS, 1.5).result == "PASS"
    assert judge("x", 3, halted, NO_BOUNDS, None).result == "HALTED"
    assert judge("x", 3, halted, NO_BOUNDS, None).halts == ("BTC/USDT: UNRESOLVED",)
    assert judge("x", 0, CLEAN, NO_BOUNDS, None).result == "NOT MET"
    assert judge("x", 0, broken, NO_BOUNDS, None).result == "FAIL"


def test_a_rehearsal_passes_without_violations() -> None:
    """If anything was rehearsed at all: a fault that struck, an order that was sent."""
    good = FaultReport("a", hits=2, orders=3, fills=1)
    idle = FaultReport("b", hits=0, orders=3, fills=1)
    silent = FaultReport("c", hits=2, orders=0, fills=0)
    bad = FaultReport("d", hits=2, orders=3, fills=1, violations=("x",))
    assert RehearsalReport(7, (good, idle)).passed
    assert not RehearsalReport(7, (good, bad)).passed
    assert not RehearsalReport(7, (idle,)).passed
    assert not RehearsalReport(7, (silent,)).passed
    assert not RehearsalReport(7, ()).passed
