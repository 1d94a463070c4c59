"""A rehearsal: an exchange with faults, the live daemon of a configuration, and what both know, compared."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from tradingd.commands.rehearsal_report import Bounds, FaultReport, judge
from tradingd.commands.rehearsal_sides import OurSide
from tradingd.commands.run import LOGGED, run_connected
from tradingd.config import Settings, load_settings
from tradingd.data.handler import LoadReport
from tradingd.domain.enums import OrderStatus
from tradingd.ops.event_logger import EventLogger
from tradingd.runtime.container import Container
from tradingd.runtime.daemon import DaemonSession
from tradingd.strategy.base import Strategy
from tradingd.testing.exchange.faults import FaultScript
from tradingd.testing.rehearsal.stage import NO_FAULTS, Stage
from tradingd.wiring.live import AT_A_DISTANCE, Tuning, connect

__all__ = ["Pace", "Rehearsal"]

_PRODDER = "tradingd.testing.rehearsal:Prodder"
_LOOK_S = 0.02
_BEHIND = 50
"""So many market events may wait for the daemon before the market does."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How much is rehearsed, and how long what is waited for."""

    orders: int = 40
    """How many orders are sent while things go wrong."""
    duration_s: float = 60.0
    """And for how long at most."""
    recovery_s: float = 60.0
    """How long until orders are sent again, after all is calm; with nothing halted, more is a violation."""
    agreement_s: float = 90.0
    """How long until the accounts have been compared with the books once more."""
    stop_s: int = 60
    """How long the stop may take."""
    orders_a_minute: int = 600
    """In the place of the configuration's rate: a rehearsal of an hour's orders should not take an hour."""
    rate: float = 40.0
    """How often a second something happens in each market."""
    every: int = 3
    """On how many trades of a symbol the prodder acts."""
    cash: Decimal = Decimal(10_000)
    """What each account begins with, in dollars."""
    tuning: Tuning = AT_A_DISTANCE


class Rehearsal:
    """One script of faults against the live daemon of a configuration.

    `base` is the configuration, on paper: without keys. `load` makes it what is run, from what the rehearsal
    insists on. `name` is what the report calls the script.
    """

    def __init__(
        self,
        base: Settings,
        load: Callable[[Mapping[str, Any]], Settings] = lambda forced: load_settings(
            [], environ={}, forced=forced
        ),
        *,
        log: Any,  # noqa: ANN401 - structlog's loggers have no common type
        script: FaultScript = NO_FAULTS,
        name: str = "",
        seed: int = 1,
        pace: Pace = Pace(),  # noqa: B008 - it is frozen
    ) -> None:
        self._base, self._load, self._log = base, load, log
        self._script, self._name, self._seed, self._pace = script, name, seed, pace
        self._ours = OurSide(base.symbols)

    def in_threads(self) -> FaultReport:
        """Perform it, the exchange in a thread of its own, so that a strategy that blocks does not hold it up."""
        with self._stage() as stage:
            return asyncio.run(self._perform(stage))

    async def in_this_loop(self) -> FaultReport:
        """Perform it, the exchange in the same loop."""
        async with self._stage() as stage:
            return await self._perform(stage)

    def _stage(self) -> Stage:
        accounts = {account: self._base.accounts[account].symbols for account in self._base.run.accounts}
        pace = self._pace
        return Stage(accounts, self._script, seed=self._seed, cash=pace.cash, rate=pace.rate)

    async def _perform(self, stage: Stage) -> FaultReport:
        settings = self._load(self._forced(stage))
        market = await connect(settings, tuning=self._pace.tuning)

        def start(
            container: Container,
            strategies: Sequence[Strategy],
            report: LoadReport,
            **options: Any,  # noqa: ANN401 - those of DaemonSession
        ) -> DaemonSession:
            return self._session(settings, stage, (container, strategies, report), options)

        try:
            session, _ = await run_connected(settings, market, start)
        finally:
            await market.close()
        return self._judged(settings, stage, session)

    def _session(
        self, settings: Settings, stage: Stage, parts: tuple[Any, ...], options: dict[str, Any]
    ) -> DaemonSession:
        """The daemon as `tradingd run` makes it, watched and directed."""
        session = DaemonSession(
            *parts,
            name=settings.run.name,
            run_id="rehearsal",
            log=self._log,
            handler_timeout_s=float(settings.runtime.handler_timeout_s),
            stop_timeout_s=float(settings.runtime.stop_timeout_s),
            **{**options, "keep_reducing": False},
        )
        session.keep(EventLogger(self._log).observe, LOGGED)
        session.keep(self._ours.observe, self._ours.event_types)
        session.attach("rehearsal", lambda: self._direct(stage, session))
        # What is rehearsed are faults, on whatever machine: one that is slow gets a market that is slow.
        stage.held = lambda: session.waiting_events > _BEHIND
        return session

    # --- what happens ------------------------------------------------------------------------------------------

    async def _direct(self, stage: Stage, session: DaemonSession) -> None:
        """Let things go wrong, then be calm until all has recovered and has been compared, then stop."""
        pace, ours = self._pace, self._ours
        await _until(lambda: stage.orders() >= pace.orders or ours.is_over, pace.duration_s)
        stage.calm()
        before = stage.accepted()
        await _until(lambda: stage.accepted() > before or ours.is_halted, pace.recovery_s)
        self._went_on = stage.accepted() > before
        session.execution.refuse_new("REHEARSED")
        session.execution.cancel_all("REHEARSED")
        ours.snapshots.clear()
        everybody = set(self._base.run.accounts)
        await _until(lambda: ours.snapshots | ours.refused >= everybody, pace.agreement_s)
        session.supervisor.request_stop("rehearsed")

    _went_on = False

    def _judged(self, settings: Settings, stage: Stage, session: DaemonSession) -> FaultReport:
        evidence = self._ours.evidence(stage, session.portfolio.ledger.balances())
        report = judge(self._name, stage.hits(), evidence, _bounds(settings), stage.recovery_s())
        found = list(report.violations)
        if session.failure is not None:
            found.insert(0, f"the daemon failed: {session.failure}")
        if not self._went_on and not evidence.halts:
            calm_s, why = self._pace.recovery_s, self._ours.last_denied or "none was asked for"
            found.append(f"no order was sent within {calm_s:g} s of calm, and nothing is halted: {why}")
        unknown = [id_ for id_, order in session.execution.orders.items() if order.status is OrderStatus.UNKNOWN]
        if unknown and not evidence.halts:
            found.append(f"the outcome is still not known of {', '.join(unknown)}")
        return msgspec.structs.replace(report, violations=tuple(found), struck=stage.struck())

    # --- the configuration -------------------------------------------------------------------------------------

    def _forced(self, stage: Stage) -> dict[str, Any]:
        """What makes the configuration live, at the exchange of the rehearsal and nowhere else."""
        pace, base = self._pace, self._base
        where: dict[str, Any] = {
            "exchange": "binance",
            "environment": "loopback",
            "loopback_url": stage.url,
            "urls": {},
            "dead_man_s": None,
        }
        prodder = {"symbols": list(base.symbols), "seed": self._seed, "every": pace.every}
        own = [each.model_dump(exclude_none=True) for each in base.strategies]
        return {
            "run": {"mode": "live"},
            "accounts": dict.fromkeys(base.run.accounts, where),
            "credentials": stage.keys,
            "data": {"record": {"catalog": None}},
            "strategies": [*own, {"name": _PRODDER, "id": "prodder", "params": prodder}],
            "risk": {"limits": {"max_orders_per_minute": pace.orders_a_minute}},
            "runtime": {"on_stop": "cancel", "stop_timeout_s": pace.stop_s},
        }


async def _until(condition: Callable[[], bool], within_s: float) -> None:
    """Wait for a condition that another loop may bring about, so long and no longer."""
    over = time.monotonic() + within_s
    while time.monotonic() < over and not condition():  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(_LOOK_S)


def _bounds(settings: Settings) -> Bounds:
    limits = settings.risk.limits
    return Bounds(
        max_order_notional=limits.max_order_notional,
        max_order_quantity=limits.max_order_quantity,
        max_position_notional=limits.max_position_notional,
        max_position_quantity=limits.max_position_quantity,
        price_collar_percent=limits.price_collar_percent or Decimal(0),
    )
