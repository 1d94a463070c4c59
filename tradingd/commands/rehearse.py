"""`tradingd rehearse`: a live configuration against an exchange on this machine on which things go wrong.

Each fault is rehearsed by itself, with a fresh exchange and a fresh daemon, so that what it does can be told and
done again: `--faults NAME --seed N`.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import msgspec
import typer

from tradingd.commands.output import echo_json, echo_table
from tradingd.commands.rehearsal_report import Bounds, FaultReport, Rehearsal, judge
from tradingd.commands.rehearsal_sides import OurSide, TheirSide
from tradingd.config import Settings, StrategySettings, load_settings, nearest_hint
from tradingd.data.handler import LoadReport
from tradingd.domain.loading import load_object
from tradingd.errors import UsageError
from tradingd.ops.logging import EventLogger
from tradingd.runtime.container import Container
from tradingd.runtime.daemon import DaemonSession
from tradingd.strategy.base import Strategy

__all__ = ["Attend", "RunLive", "rehearse"]

_STAGE = "tradingd.testing.rehearsal:Stage"
"""Loaded by name: the daemon does not import what it is tested with."""
_PRODDER = "tradingd.testing.rehearsal:Prodder"
_FAILED = 1
_LOOK_S = 0.05
_QUIET_S = 1.0
"""How long all is calm before the stop, so that what is late arrives as it would."""
_FLUSH_S = 5.0
_STOP_S = 45
"""How long the stop may take: the outcome of an order can be unknown for as long as the venue hides new ones."""
_ORDERS_A_MINUTE = 600
"""In the place of the configuration's rate: a rehearsal of an hour's orders should not take an hour."""

Attend = Callable[[DaemonSession], None]
"""What is called with the session before it runs."""


RunLive = Callable[[Settings, Attend], DaemonSession]
"""Runs the live daemon of a configuration until it stops, and returns its session."""


class _Stage(TheirSide, Protocol):
    """The exchange of one fault; see `tradingd.testing.rehearsal.Stage`."""

    url: str
    keys: Mapping[str, Mapping[str, str]]

    def orders(self) -> int: ...

    def hits(self) -> int: ...

    def calm(self) -> None: ...

    def recovery_s(self) -> float | None: ...


class _MakeStage(Protocol):
    def __call__(
        self, accounts: Mapping[str, Sequence[str]], *, fault: str, seed: int, orders: int, cash: Decimal
    ) -> AbstractContextManager[_Stage]: ...

    def fault_names(self) -> list[str]: ...


class Plan(msgspec.Struct, frozen=True):
    """What was asked for."""

    files: Sequence[Path]
    sets: Sequence[str]
    seed: int = 1
    orders: int = 40
    duration_s: float = 60.0
    cash: int = 10_000


def rehearse(
    files: Sequence[Path],
    sets: Sequence[str],
    faults: str,
    *,
    as_json: bool,
    log: Path | None = None,
    **options: Any,  # noqa: ANN401 - those of Plan
) -> int:
    """Rehearse each fault and print what came of it; returns 0 where all is passed, else 1.

    Raises:
        UsageError: the configuration is not a live one, or there is no such fault.

    """
    make_stage: _MakeStage = load_object(_STAGE, "the rehearsal's exchange")
    if faults == "list":
        _list_faults(make_stage.fault_names(), as_json=as_json)
        return 0
    plan = Plan(files, sets, **options)
    chosen = _chosen(faults, make_stage.fault_names())
    base = _base(plan)
    reports = []
    with _logging(log, base.logging.level) as logger:
        for fault in chosen:
            logger.info("rehearsal", fault=fault)
            reports.append(_rehearse_one(plan, base, fault, make_stage, partial(_run, logger)))
            if not as_json:
                typer.echo(f"{reports[-1].result:8} {fault or 'no fault'}", err=True)
    rehearsal = Rehearsal(plan.seed, tuple(reports))
    if as_json:
        echo_json(_as_json(rehearsal))
    else:
        _show(rehearsal)
    return 0 if rehearsal.passed else _FAILED


def _chosen(faults: str, known: Sequence[str]) -> list[str]:
    if faults == "all":
        return list(known)
    if faults == "none":
        return [""]
    names = [name.strip() for name in faults.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise UsageError(f"--faults: there is no fault {name!r}; {nearest_hint(name, known)}")
    if not names:
        raise UsageError("--faults: name some, or write all, none or list")
    return names


def _rehearse_one(plan: Plan, base: Settings, fault: str, make_stage: _MakeStage, run: RunLive) -> FaultReport:
    """A fresh exchange, a fresh daemon, one fault; both sides are compared when all is quiet."""
    accounts = {account: base.accounts[account].symbols for account in base.run.accounts}
    with make_stage(accounts, fault=fault, seed=plan.seed, orders=plan.orders, cash=Decimal(plan.cash)) as stage:
        settings = _settings(plan, base, stage)
        ours = OurSide(settings.symbols)

        def attend(session: DaemonSession) -> None:
            session.manager.observe(ours.observe, ours.event_types)
            session.attach("rehearsal", lambda: _direct(plan, stage, session))

        session = run(settings, attend)
        evidence = ours.evidence(stage, session.portfolio.ledger.balances())
        hits, recovery_s = stage.hits(), stage.recovery_s()
    report = judge(fault, hits, evidence, _bounds(settings), recovery_s)
    if session.failure is None:
        return report
    broken = f"the daemon failed: {session.failure}"
    return msgspec.structs.replace(report, violations=(broken, *report.violations))


@contextmanager
def _logging(path: Path | None, level: str) -> Iterator[Any]:
    """A logger of what the daemons tell: to a file that is added to, or to nobody."""
    from tradingd.ops.logging import configure_logging

    try:
        stream = Path(os.devnull if path is None else path).open("a", encoding="utf-8")  # noqa: SIM115 - closed below
    except OSError as error:
        raise UsageError(f"--log {path}: cannot be written: {error.strerror}") from error
    with stream:
        handle = configure_logging(level, "json", stream, "rehearsal")
        try:
            yield handle.logger
        finally:
            handle.close(_FLUSH_S)


def _run(logger: Any, settings: Settings, attend: Attend) -> DaemonSession:  # noqa: ANN401 - structlog's have no type
    """Run the live daemon as `tradingd run` does, its log lines elsewhere."""
    from tradingd.commands.run import LOGGED, run_connected
    from tradingd.wiring.live import connect

    def start(
        container: Container,
        strategies: Sequence[Strategy],
        report: LoadReport,
        **options: Any,  # noqa: ANN401 - those of DaemonSession
    ) -> DaemonSession:
        options["keep_reducing"] = settings.runtime.on_stop == "keep_protective"
        session = DaemonSession(
            container,
            strategies,
            report,
            name=settings.run.name,
            run_id="rehearsal",
            log=logger,
            handler_timeout_s=float(settings.runtime.handler_timeout_s),
            stop_timeout_s=float(settings.runtime.stop_timeout_s),
            **options,
        )
        session.keep(EventLogger(logger).observe, LOGGED)
        attend(session)
        return session

    async def run() -> DaemonSession:
        market = await connect(settings)
        try:
            session, _ = await run_connected(settings, market, start)
        finally:
            await market.close()
        return session

    return asyncio.run(run())


async def _direct(plan: Plan, stage: _Stage, session: DaemonSession) -> None:
    """Let things go wrong until enough orders were sent, then let all be calm, and stop."""
    over = time.monotonic() + plan.duration_s
    while time.monotonic() < over and await asyncio.to_thread(stage.orders) < plan.orders:  # noqa: ASYNC110 - another thread's doing
        await asyncio.sleep(_LOOK_S)
    await asyncio.to_thread(stage.calm)
    await asyncio.sleep(_QUIET_S)
    session.supervisor.request_stop("rehearsed")


# --- the configuration -----------------------------------------------------------------------------------------


def _base(plan: Plan) -> Settings:
    """The configuration without its keys, which nobody reads here."""
    as_paper = {"run": {"mode": "paper"}, "data": {"feed": "live"}, "broker": {"kind": "simulated"}}
    return load_settings(plan.files, overrides=plan.sets, environ=os.environ, forced=as_paper)


def _settings(plan: Plan, base: Settings, stage: _Stage) -> Settings:
    """The user's own configuration, live, at the exchange of the rehearsal and nowhere else."""
    where = {"exchange": "binance", "environment": "loopback", "loopback_url": stage.url, "dead_man_s": None}
    forced: dict[str, Any] = {
        "run": {"mode": "live"},
        "accounts": dict.fromkeys(base.run.accounts, where),
        "credentials": {account: dict(keys) for account, keys in stage.keys.items()},
        "data": {"record": {"catalog": None}},
        "strategies": [*(_as_table(each) for each in base.strategies), _prodder(plan, base)],
        "risk": {"limits": {"max_orders_per_minute": _ORDERS_A_MINUTE}},
        "runtime": {"on_stop": "cancel", "stop_timeout_s": _STOP_S},
    }
    return load_settings(plan.files, overrides=plan.sets, environ=os.environ, forced=forced)


def _as_table(strategy: StrategySettings) -> dict[str, Any]:
    return strategy.model_dump(exclude_none=True)


def _prodder(plan: Plan, base: Settings) -> dict[str, Any]:
    """The strategy that keeps orders coming: one's own may wait for hours."""
    return {"name": _PRODDER, "id": "prodder", "params": {"symbols": list(base.symbols), "seed": plan.seed}}


def _bounds(settings: Settings) -> Bounds:
    limits = settings.risk.limits
    return Bounds(
        max_order_notional=limits.max_order_notional,
        max_order_quantity=limits.max_order_quantity,
        max_position_notional=limits.max_position_notional,
        max_position_quantity=limits.max_position_quantity,
        price_collar_percent=limits.price_collar_percent or Decimal(0),
    )


# --- what is printed -------------------------------------------------------------------------------------------


def _list_faults(names: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        echo_json(list(names))
        return
    for name in names:
        typer.echo(name)


def _as_json(rehearsal: Rehearsal) -> dict[str, Any]:
    faults = [{**msgspec.to_builtins(each), "result": each.result} for each in rehearsal.faults]
    return {"passed": rehearsal.passed, "seed": rehearsal.seed, "faults": faults}


def _show(rehearsal: Rehearsal) -> None:
    rows = [
        (each.fault or "no fault", *map(str, (each.hits, each.orders, each.fills)), _seconds(each), each.result)
        for each in rehearsal.faults
    ]
    echo_table(("Fault", "Hits", "Orders", "Fills", "Recovery", "Result"), rows)
    for each in rehearsal.faults:
        for line in each.violations:
            typer.echo(f"{each.fault or 'no fault'}: {line}")
        for line in each.halts:
            typer.echo(f"{each.fault or 'no fault'}: halted: {line}")
    typer.echo(_verdict(rehearsal))


def _seconds(report: FaultReport) -> str:
    return "" if report.recovery_s is None else f"{report.recovery_s:.2f} s"


def _verdict(rehearsal: Rehearsal) -> str:
    results = Counter(each.result for each in rehearsal.faults)
    told = ", ".join(f"{number} {result}" for result, number in sorted(results.items()))
    if rehearsal.passed:
        return f"PASS (seed {rehearsal.seed}): {told}"
    if results["FAIL"]:
        return f"FAIL (seed {rehearsal.seed}): {told}"
    return (
        f"FAIL (seed {rehearsal.seed}): nothing was rehearsed: no fault met an order; raise --orders or --duration"
    )
