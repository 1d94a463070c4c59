"""In what order components are offered what comes from a feed."""

from collections.abc import Callable, Container, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tradingd.domain.ports import Stage

if TYPE_CHECKING:
    from tradingd.runtime.manager import Node

__all__ = ["Offer", "action_stages", "market_stages"]

Offer = tuple[Container[str] | None, "Node", Callable[[Any], None]]
"""Whom an event is offered to, if its symbol is in the container (None: in any case)."""

_ACTION_STAGES = (Stage.PORTFOLIO, Stage.BROKER, Stage.EXECUTION, Stage.RISK, Stage.STRATEGY)
"""A corporate action is booked first: who answers the cancels that it leads to sees what is held after it."""


def market_stages(targets: Iterable[tuple["Node", Callable[[Any], None]]]) -> tuple[tuple[Offer, ...], ...]:
    """The stages of a market event: to those that have a use for it at the moment."""
    return _staged([(node.interest(), node, handler) for node, handler in targets], tuple(Stage))


def action_stages(targets: Iterable[tuple["Node", Callable[[Any], None]]]) -> tuple[tuple[Offer, ...], ...]:
    """The stages of a corporate action: to all it concerns, after they had a chance to tell what was before it."""
    offers: list[Offer] = [(None, node, handler) for node, handler in targets]
    ahead = tuple(
        (None, node, node.component.before_action)
        for _, node, _ in offers
        if hasattr(node.component, "before_action")
    )
    stages = _staged(offers, _ACTION_STAGES)
    return (ahead, *stages) if ahead else stages


def _staged(offers: Sequence[Offer], order: Iterable[Stage]) -> tuple[tuple[Offer, ...], ...]:
    return tuple(
        group for stage in order if (group := tuple(offer for offer in offers if offer[1].stage is stage))
    )
