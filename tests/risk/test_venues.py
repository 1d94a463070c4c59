"""What venues tell of themselves, and what components ask to halt."""

import pytest

from tests.risk.desk import BUY, SELL, Desk
from tradingd.domain.enums import HaltScope, HaltState
from tradingd.domain.events import HaltRequest, VenueCondition, VenueStatus

NOT_READY = [condition for condition in VenueCondition if condition is not VenueCondition.READY]


@pytest.mark.parametrize("condition", NOT_READY)
def test_nothing_grows_at_a_venue_that_is_not_ready(condition: VenueCondition) -> None:
    """While a venue is connecting, catching up, down or refuses us, an entry there is denied with its reason."""
    desk = Desk()
    desk.risk.on_venue_status(VenueStatus(2, "SIM", condition, "maintenance"))
    assert desk.order(BUY, 1) == f"VENUE_NOT_READY: SIM is {condition}: maintenance"


def test_what_reduces_passes_at_a_venue_that_is_not_ready() -> None:
    """Getting out is never held up by what the venue tells of itself."""
    desk = Desk()
    desk.hold(5)
    desk.risk.on_venue_status(VenueStatus(2, "SIM", VenueCondition.CATCHING_UP))
    assert desk.order(SELL, 5, reduce_only=True) == ""


def test_a_ready_venue_is_traded_with_again() -> None:
    """Once the venue says READY, entries pass."""
    desk = Desk()
    desk.risk.on_venue_status(VenueStatus(2, "SIM", VenueCondition.DOWN))
    desk.risk.on_venue_status(VenueStatus(3, "SIM", VenueCondition.READY))
    assert desk.order(BUY, 1) == ""


def test_another_venues_condition_does_not_matter() -> None:
    """A venue that is down stops nothing elsewhere."""
    desk = Desk()
    desk.risk.on_venue_status(VenueStatus(2, "elsewhere", VenueCondition.DOWN))
    assert desk.order(BUY, 1) == ""


def test_a_halt_request_halts() -> None:
    """What a component asks to halt is halted, with its reason."""
    desk = Desk()
    desk.risk.on_halt_request(HaltRequest(2, HaltScope.INSTRUMENT, "AAPL", HaltState.NO_NEW, "MISMATCH at SIM"))
    assert desk.order(BUY, 1) == "HALTED: instrument AAPL is NO_NEW: MISMATCH at SIM"


def test_nothing_grows_before_the_run_is_ready() -> None:
    """Until feed and history are there, an entry at any venue is denied with what is waited for."""
    desk = Desk()
    desk.risk.on_venue_status(VenueStatus(2, "SIM", VenueCondition.READY))
    desk.risk.on_venue_status(VenueStatus(2, "", VenueCondition.CONNECTING, "waiting for history"))
    assert desk.order(BUY, 1) == "NOT_READY: this run is not ready: waiting for history"
    desk.risk.on_venue_status(VenueStatus(3, "", VenueCondition.READY))
    assert desk.order(BUY, 1) == ""
