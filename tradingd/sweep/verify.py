"""The proof: one parameter set through the event engine, held against what the kernel says of it."""

from collections.abc import Mapping
from decimal import Decimal
from itertools import zip_longest
from typing import Any, NamedTuple

from tradingd.app import build, load_market_data, make_strategies, register_all
from tradingd.config import Settings
from tradingd.domain.events import EventType, Fill
from tradingd.domain.money import ZERO, add
from tradingd.errors import ComponentError
from tradingd.sweep.runner import Simulation, SweepFill

__all__ = ["Verified", "engine_fills", "verify"]


class Verified(NamedTuple):
    """What both agree on."""

    fills: int
    equity: Decimal


class _Fills:
    """Keeps the fills of a run."""

    def __init__(self) -> None:
        self.seen: list[SweepFill] = []

    def observe(self, fill: Fill) -> None:
        """Take a fill."""
        fee = ZERO
        for each in fill.fees:
            fee = add(fee, each.amount)
        self.seen.append(SweepFill(fill.ts, fill.side, fill.quantity, fill.price, fee))


def engine_fills(settings: Settings, params: Mapping[str, Any]) -> tuple[list[SweepFill], Decimal]:
    """The fills and the last equity of a backtest of the one enabled strategy with these parameters."""
    chosen = [
        each.model_copy(update={"params": dict(params)}) if each.enabled else each for each in settings.strategies
    ]
    container = build(settings.model_copy(update={"strategies": chosen}))
    strategies = make_strategies(container)
    report = load_market_data(container, strategies)
    register_all(container, strategies)
    manager = container.get("event_manager")
    fills = _Fills()
    manager.observe(fills.observe, (EventType.FILL,))
    manager.clock.advance_to(report.first_ts)
    manager.start()
    for event in container.get("data_handler").stream():
        manager.publish(event)
    manager.stop()
    return fills.seen, container.get("portfolio_manager").get_equity()


def verify(simulation: Simulation, params: Mapping[str, Any]) -> Verified:
    """Run one parameter set through both; they must agree in every fill and in the equity at the end.

    Raises:
        ComponentError: they do not; it tells the first difference.

    """
    validated = simulation.strategy.Params.model_validate(dict(params))
    ours, our_equity = simulation.fills(validated)
    theirs, their_equity = engine_fills(simulation.settings, params)
    for number, (our, their) in enumerate(zip_longest(ours, theirs), 1):
        if our != their:
            raise ComponentError(
                f"kernel and event engine differ at fill {number}: the kernel has {_told(our)}, the engine "
                f"{_told(their)}; trust the engine, and report this unless the strategy is your own"
            )
    if our_equity != their_equity:
        raise ComponentError(
            f"kernel and event engine agree in all {len(ours)} fills, but not in equity: {our_equity} and "
            f"{their_equity}"
        )
    return Verified(len(ours), our_equity)


def _told(fill: SweepFill | None) -> str:
    if fill is None:
        return "none"
    return f"{fill.side} {fill.quantity} at {fill.price}, fee {fill.fee}, ts {fill.ts}"
