"""TWAP, VWAP and iceberg: what they send, when, and that it adds up."""

from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.execution.desk import K, S
from tests.execution.floor import SELL, Floor
from tradingd.domain.enums import OrderType, Side
from tradingd.domain.events import OrderUpdate, SubmitOrder
from tradingd.domain.instrument import Instrument
from tradingd.domain.terms import AlgoSpec, OrderTerms
from tradingd.execution.algorithms.base import Algorithm, Parent
from tradingd.execution.algorithms.params import Params
from tradingd.testing import at, make_instrument

D = Decimal


def work(floor: Floor, algorithm: str, limit: str | None = None, **options: Any) -> None:
    """Place an order for an algorithm; what is no field of an order is a parameter."""
    fields = {name: options.pop(name) for name in ("quantity", "side") if name in options}
    terms = OrderTerms(algo=AlgoSpec.of(algorithm, **options))
    if limit is None:
        floor.place(terms=terms, **fields)
    else:
        floor.limit(limit, terms=terms, **fields)


def run(floor: Floor, minutes: float, *, fill: bool = True, price: float = 100) -> None:
    """Quotes every six seconds; what was sent fills, where told, before the next quote."""
    filled: set[str] = {sent.order_id for sent in floor.sent if not floor.engine.orders.get(sent.order_id)}
    for tenth in range(1, int(minutes * 10) + 1):
        floor.quote(price - 0.5, price + 0.5, tenth / 10)
        for sent in floor.sent:
            if fill and sent.order_id not in filled and sent.order_id in floor.engine.orders:
                filled.add(sent.order_id)
                floor.fill(sent.order_id, sent.quantity)


def moments(floor: Floor) -> list[float]:
    """When orders were sent, in seconds from the start."""
    return [(sent.ts - at(0)) / 1e9 for sent in floor.sent]


# --- TWAP ----------------------------------------------------------------------------------------------------


def test_twap() -> None:
    """Equal slices at equal intervals from the start on; the last takes the rest, and all adds up."""
    floor = Floor()
    work(floor, "twap", duration_s=60, slices=4)
    run(floor, 2)
    assert (floor.sizes, moments(floor)) == ([2, 2, 3, 3], [0, 15, 30, 45])
    assert {sent.order_type for sent in floor.sent} == {OrderType.MARKET}
    assert floor.told() == [S.PREPARED, S.SENDING, S.OPEN, S.FILLED]


def test_twap_is_not_sent_itself() -> None:
    """While its slices work, the order is one OPEN order of its strategy, with what has filled."""
    floor = Floor()
    work(floor, "twap", duration_s=60, slices=5)
    run(floor, 0.5)
    assert (floor.order().status, floor.order().filled) == (S.OPEN, D(6))
    assert all(update.parent_id for update in floor.log.of(OrderUpdate) if update.intent_id != "s:1")


def test_twap_over_a_gap_in_the_data() -> None:
    """Slices that come due while there is no data are sent at their moments all the same."""
    floor = Floor()
    work(floor, "twap", duration_s=60, slices=4)
    floor.wait_until(60)
    assert moments(floor) == [0, 15, 30, 45]


def test_twap_keeps_to_a_limit() -> None:
    """The slices of a limit order are limit orders at its price."""
    floor = Floor()
    work(floor, "twap", "101", duration_s=60, slices=2)
    run(floor, 2)
    assert [(sent.order_type, sent.limit_price) for sent in floor.sent] == [(OrderType.LIMIT, D(101))] * 2


def test_twap_passive() -> None:
    """A passive slice is put at the best price of its side; what has not filled of it is spread over the rest."""
    floor = Floor()
    floor.quote(99.5, 100.5, 0)
    work(floor, "twap", quantity="12", duration_s=60, slices=3, style="passive")
    floor.fill(floor.latest, 1)
    floor.quote(99.7, 100.5, 0.2)
    floor.quote(99.7, 100.5, 0.4)
    assert (floor.sizes, [sent.limit_price for sent in floor.sent]) == ([4, 5], [D("99.5"), D("99.7")])
    assert floor.canceled() == [floor.sent[0].order_id]


def test_twap_passive_takes_the_rest_at_the_end() -> None:
    """When the time is over, what works passively is canceled and the rest is sent at market."""
    floor = Floor()
    floor.quote(99.5, 100.5, 0)
    work(floor, "twap", duration_s=60, slices=2, style="passive")
    run(floor, 1.2, fill=False)
    assert (floor.sent[-1].order_type, floor.sizes[-1], moments(floor)[-1]) == (OrderType.MARKET, 10, 60)
    floor.fill(floor.latest, 10)
    assert floor.told()[-1] is S.FILLED


def test_twap_passive_never_beyond_its_limit() -> None:
    """A passive slice of a limit order is never put beyond its limit, nor is the rest at the end."""
    floor = Floor()
    floor.quote(99.5, 100.5, 0)
    work(floor, "twap", "99", duration_s=60, slices=2, style="passive")
    run(floor, 1.2, fill=False)
    assert {sent.limit_price for sent in floor.sent} == {D(99)}
    assert floor.sizes == [5, 10, 10]


def test_twap_gives_up_the_rest() -> None:
    """With finish = cancel what has not filled by the end is canceled, and told so."""
    floor = Floor()
    work(floor, "twap", "99", duration_s=60, slices=2, finish="cancel")
    run(floor, 1.2, fill=False)
    assert (floor.told()[-1], floor.reason()) == (S.CANCELED, "UNFILLED: 10 at the end of the twap")
    assert not floor.engine.orders


def test_twap_of_rejected_slices() -> None:
    """What was rejected is spread over the slices to come, and taken once more at the end."""
    floor = Floor()
    floor.venue.rejects = True
    work(floor, "twap", duration_s=60, slices=2)
    run(floor, 0.6, fill=False)
    floor.venue.rejects = False
    run_on(floor, 0.7, 1.2)
    assert (floor.sizes, floor.told()[-1]) == ([5, 10, 10], S.FILLED)


def run_on(floor: Floor, begin: float, end: float) -> None:
    """Quotes from `begin` to `end`, in minutes; what is open fills."""
    for tenth in range(int(begin * 10), int(end * 10) + 1):
        floor.quote(99.5, 100.5, tenth / 10)
        for order_id in [order.order_id for order in floor.engine.orders.values() if order.parent_id]:
            floor.fill(order_id, floor.engine.orders[order_id].remaining)


def test_twap_that_nobody_takes() -> None:
    """When the venue rejects everything, the order ends, and says what is left."""
    floor = Floor()
    floor.venue.rejects = True
    work(floor, "twap", duration_s=60, slices=2)
    run(floor, 2, fill=False)
    assert (floor.told()[-1], floor.sizes) == (S.CANCELED, [5, 10, 10])


def test_small_slices_are_merged_forward() -> None:
    """Slices below the least quantity are sent with later ones, a rest below it with the slice before."""
    floor = Floor(instrument=make_instrument(min_quantity=D(3)))
    work(floor, "twap", duration_s=60, slices=6)
    run(floor, 2)
    assert (floor.sizes, moments(floor)) == ([3, 3, 4], [10, 30, 50])


def test_small_values_are_merged_forward() -> None:
    """The same goes for the least value of an order, at the price known."""
    floor = Floor(instrument=make_instrument(min_notional=D(350)))
    floor.quote(99.5, 100.5, 0)
    work(floor, "twap", duration_s=60, slices=5)
    run(floor, 2)
    assert floor.sizes == [4, 6]


def test_twap_with_jitter() -> None:
    """With jitter, slices come earlier or later by the run's seeded chance, by half of it at most."""
    seen = []
    for _ in range(2):
        floor = Floor(draw=Random(7).random)  # noqa: S311 - no secret depends on it
        work(floor, "twap", duration_s=60, slices=4, jitter="0.5")
        run(floor, 2)
        seen.append(moments(floor))
    assert seen[0] == seen[1] != [0, 15, 30, 45]
    assert all(abs(moment - 15 * number) <= 3.75 for number, moment in enumerate(seen[0]))


def test_canceled_twap() -> None:
    """A canceled order sends nothing more, and its algorithm's timers stop."""
    floor = Floor()
    work(floor, "twap", duration_s=60, slices=4)
    floor.cancel()
    floor.wait_until(5)
    assert (len(floor.sent), floor.told()[-1]) == (1, S.CANCELED)
    assert floor.timers.next_due > at(10_000)


def test_change_of_a_worked_order() -> None:
    """An order that an algorithm works is not changed."""
    floor = Floor()
    work(floor, "twap", duration_s=60)
    floor.change(quantity="20")
    assert floor.reason().startswith("MODIFY_REJECTED: an order that an algorithm works")


# --- VWAP ----------------------------------------------------------------------------------------------------


def test_vwap_by_a_curve() -> None:
    """Slices are in proportion to the curve, in equal parts of the time."""
    floor = Floor()
    work(floor, "vwap", quantity="100", duration_s=60, curve="3,2,1,4")
    run(floor, 2)
    assert (floor.sizes, moments(floor)) == ([30, 20, 10, 40], [0, 15, 30, 45])


def test_vwap_by_a_named_curve() -> None:
    """A curve may be one that the configuration names."""
    floor = Floor(curves={"us-open": "1,0,3"})
    work(floor, "vwap", quantity="8", duration_s=60, curve="us-open")
    run(floor, 2)
    assert (floor.sizes, moments(floor)) == ([2, 6], [0, 40])


def test_vwap_without_volume_at_the_end() -> None:
    """Parts without volume at the end get nothing; the last that has some takes the rest."""
    floor = Floor()
    work(floor, "vwap", quantity="7", duration_s=60, curve="1,1,0,0")
    run(floor, 2)
    assert (floor.sizes, moments(floor)) == ([3, 4], [0, 15])


# --- iceberg -------------------------------------------------------------------------------------------------


def test_iceberg() -> None:
    """It shows its part at the limit price, and the next one when that has filled."""
    floor = Floor()
    work(floor, "iceberg", "99", display=4)
    for _ in range(3):
        shown = floor.latest
        floor.fill(shown, floor.sent[-1].quantity)
    assert (floor.sizes, {sent.limit_price for sent in floor.sent}) == ([4, 4, 2], {D(99)})
    assert floor.told()[-1] is S.FILLED


def test_iceberg_waits_for_the_whole_part() -> None:
    """A part that has filled in part is left to fill."""
    floor = Floor()
    work(floor, "iceberg", "99", display=4)
    floor.fill(floor.latest, 3)
    assert floor.sizes == [4]


def test_iceberg_shows_a_small_rest_with_the_part_before() -> None:
    """A rest that is too small for an order of its own is shown with the part before."""
    floor = Floor(instrument=make_instrument(min_quantity=D(3)))
    work(floor, "iceberg", "99", display=4)
    floor.fill(floor.latest, 4)
    assert floor.sizes == [4, 6]


def test_iceberg_that_is_refused() -> None:
    """When the venue rejects a part, the order ends with the venue's reason."""
    floor = Floor()
    work(floor, "iceberg", "99", display=4)
    floor.fill(floor.latest, 4)
    floor.report(floor.latest, K.REJECTED, reason="FUNDS: none")
    assert (floor.told()[-1], floor.reason(), floor.order().filled) == (S.CANCELED, "FUNDS: none", D(4))


# --- what is wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("algorithm", "limit", "params", "reason"),
    [
        ("twpa", None, {}, "UNKNOWN_ALGORITHM: 'twpa'; there are: iceberg, twap, vwap"),
        ("twap", None, {}, "WRONG_PARAMETER: twap: duration_s is missing"),
        ("twap", None, {"duration_s": "long"}, "duration_s must be a number, it is 'long'"),
        ("twap", None, {"duration_s": -1}, "duration_s must be above 0, it is -1"),
        ("twap", None, {"duration_s": 60, "slices": "2.5"}, "slices must be a whole number from 1 to 10000"),
        ("twap", None, {"duration_s": 60, "slice": 2}, "no such parameter: slice; there are"),
        ("twap", None, {"duration_s": 60, "jitter": 2}, "jitter must be from 0 to 1, it is 2"),
        ("twap", None, {"duration_s": 60, "style": "loud"}, "style must be one of market, limit, passive"),
        ("twap", None, {"duration_s": 60, "style": "limit"}, "does not fit the order's limit price: it has none"),
        ("twap", "99", {"duration_s": 60, "style": "market"}, "does not fit the order's limit price: it has one"),
        ("vwap", None, {"duration_s": 60}, "curve is missing"),
        ("vwap", None, {"duration_s": 60, "curve": "lunch"}, "curve 'lunch' is not in execution.volume_curves"),
        ("vwap", None, {"duration_s": 60, "curve": "1,x"}, "curve must be numbers with commas between"),
        ("vwap", None, {"duration_s": 60, "curve": "0,0"}, "curve needs a number above 0"),
        ("iceberg", None, {"display": 4}, "only a limit order can be worked as an iceberg"),
        ("iceberg", "99", {"display": "1.5"}, "display 1.5 is less than the venue takes, or not in whole lots"),
    ],
)
def test_wrong(algorithm: str, limit: str | None, params: dict[str, Any], reason: str) -> None:
    """A wrong name or parameter ends the order as VOID with a reason, before anything is sent."""
    floor = Floor()
    work(floor, algorithm, limit, **params)
    assert floor.told()[-1] is S.VOID
    assert reason in floor.reason()
    assert not floor.log.of(SubmitOrder)
    assert not floor.engine.orders


def test_parameter_given_twice() -> None:
    """A parameter that is given twice is refused."""
    floor = Floor()
    pairs = (("duration_s", "60"), ("duration_s", "90"))
    floor.place(terms=OrderTerms(algo=AlgoSpec("twap", pairs)))
    assert floor.reason() == "WRONG_PARAMETER: twap: duration_s is given twice"


# --- users' own ----------------------------------------------------------------------------------------------


class Broken(Algorithm):
    """Sends one share, and raises at the next occasion."""

    def accept(self, parent: Parent, params: Params) -> None:
        """Take anything."""

    def advance(self, parent: Parent) -> None:
        """Send one, then raise."""
        if parent.children:
            raise ValueError("oh dear")
        self.send(parent, D(1))
        self.wake_at(parent, self.clock.now() + 1_000_000_000)


class Greedy(Algorithm):
    """Asks for more than there is, again and again."""

    def accept(self, parent: Parent, params: Params) -> None:
        """Take anything."""

    def advance(self, parent: Parent) -> None:
        """Ask for twice the order."""
        self.send(parent, parent.order.quantity * 2)


@pytest.mark.parametrize("cls", [Broken, Greedy])
def test_algorithm_that_fails(cls: type[Algorithm]) -> None:
    """An algorithm that raises or floods is stopped alone: what it worked is canceled, it gets nothing more."""
    floor = Floor(algorithms={"own": cls})
    work(floor, "own")
    floor.wait_until(1)
    assert floor.manager.faulted == ("algo.own",)
    assert floor.told()[-1] is S.CANCELED
    assert floor.reason().startswith("ALGORITHM_FAULTED")
    floor.place("s:2", terms=OrderTerms(algo=AlgoSpec("own")))
    assert (floor.told("s:2")[-1], floor.reason("s:2").partition(":")[0]) == (S.VOID, "ALGORITHM_FAULTED")
    floor.place("s:3")
    assert floor.order("s:3").status is S.OPEN


# --- what always holds ---------------------------------------------------------------------------------------


def instruments() -> Iterator[Instrument]:
    """With whole and broken lots, with and without a least quantity."""
    yield make_instrument()
    yield make_instrument(lot=D("0.001"), min_quantity=D("0.01"))
    yield make_instrument(lot=D(5), min_quantity=D(10))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_slices_add_up(data: st.DataObject) -> None:
    """Slices are whole lots that add up to the order exactly, and no bigger than what is left at any time."""
    instrument = data.draw(st.sampled_from(list(instruments())))
    lots = data.draw(st.integers(2, 500))
    quantity = instrument.lot * max(lots, int(instrument.min_quantity / instrument.lot))
    curve = data.draw(st.lists(st.integers(0, 9), min_size=1, max_size=12).filter(any))
    side = data.draw(st.sampled_from([Side.BUY, SELL]))
    floor = Floor(instrument=instrument)
    work(
        floor, "vwap", quantity=str(quantity), side=side, duration_s=60, curve=",".join(map(str, curve)),
    )  # fmt: skip
    fates = data.draw(st.lists(st.sampled_from(["fill", "part", "reject", "wait"]), min_size=30, max_size=30))
    for tenth, fate in enumerate(fates, 1):
        floor.quote(99.5, 100.5, tenth / 10)
        for order in [order for order in floor.engine.orders.values() if order.parent_id]:
            if fate == "fill":
                floor.fill(order.order_id, order.remaining)
            elif fate == "part" and order.quantity > instrument.lot:
                floor.fill(order.order_id, instrument.lot)
                floor.report(order.order_id, K.CANCELED)
            elif fate == "reject":
                floor.report(order.order_id, K.CANCELED)
    for order in [order for order in floor.engine.orders.values() if order.parent_id]:
        floor.fill(order.order_id, order.remaining)
    children = [floor.engine.get_order(sent.order_id) for sent in floor.sent]
    assert all(sent.quantity % instrument.lot == 0 for sent in floor.sent)
    assert sum(child.filled for child in children if child) == floor.order().filled <= quantity
    assert not floor.order().is_open
    if set(fates) == {"fill"}:
        assert floor.order().filled == quantity
