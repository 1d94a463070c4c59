"""What `tradingd rehearse` loads by name: the faults there are, and one rehearsal after the other."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from tradingd.broker.ccxt.policy import EvidencePolicy
from tradingd.commands.rehearsal_report import FaultReport
from tradingd.config import Settings
from tradingd.errors import UsageError
from tradingd.testing.exchange.faults import FaultScript, Rule, WorldFault
from tradingd.testing.exchange.scripts import catalogue, choose, fault, random_script
from tradingd.testing.rehearsal.performance import Pace, Rehearsal
from tradingd.testing.rehearsal.stage import NO_FAULTS
from tradingd.wiring.live import Tuning

__all__ = ["Performer", "performer"]

_SPOILT = 0.25
"""How much of all that happens is spoilt: a quarter of the orders, cancels, reads or frames that a fault is of."""
_HITS_OVER = 0.7
"""The faults are over when so much of the orders were sent, so that recovery can be seen."""


ON_THIS_MACHINE = Tuning(
    policy=EvidencePolicy(
        span_s=3.0,
        halt_s=20.0,
        settle_s=20.0,
        longest_s=3.0,
        poll_s=1.0,
        late_s=5.0,
        barrier_s=3.0,
        quiet_s=0.5,
        stream_grace_s=3.0,
        refresh_s=5.0,
    ),
    visibility_s=2.0,
)
"""Patience with an exchange that answers at once and hides what is new for a second at most. What is decided is as
in earnest; only the waits are shorter, so that all faults are rehearsed within minutes."""


class Performer:
    """One rehearsal at a time, each with an exchange and a daemon of its own."""

    def choose(self, faults: str) -> list[str]:
        """The names of the faults that a text means: all, names, numbers such as A1, letters such as B.

        Raises:
            UsageError: there is no such fault.

        """
        try:
            return choose(faults)
        except ValueError as error:
            raise UsageError(f"--faults {faults}: {error}") from None

    def known(self) -> list[tuple[str, str, str]]:
        """Name, number and meaning of every fault."""
        return [(each.name, each.number, each.text) for each in catalogue()]

    def perform(
        self,
        name: str,
        base: Settings,
        load: Callable[[Mapping[str, Any]], Settings],
        log: Any,  # noqa: ANN401 - structlog's loggers have no common type
        *,
        seed: int,
        orders: int,
        duration_s: float,
        cash: int,
    ) -> FaultReport:
        """Rehearse one fault; the empty name is none."""
        script = _script(name, seed, max(1, round(orders * _HITS_OVER)))
        pace = Pace(orders=orders, duration_s=duration_s, cash=Decimal(cash), tuning=ON_THIS_MACHINE)
        rehearsal = Rehearsal(base, load, log=log, script=script, name=name, seed=seed, pace=pace)
        return rehearsal.in_threads()


def _script(name: str, seed: int, orders: int) -> FaultScript:
    """So much of a fault that it can be seen; what happens to the exchange itself happens once."""
    if not name:
        return NO_FAULTS
    if isinstance(fault(name), WorldFault):
        return FaultScript((Rule(fault(name), nth=max(1, orders // 2)),))
    return random_script(seed, [name], intensity=_SPOILT, orders=orders)


performer = Performer()
