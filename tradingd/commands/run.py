"""`tradingd run` and `tradingd backtest`."""

import os
import secrets
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tradingd.analytics.recorder import RunRecorder
from tradingd.analytics.summary import Summary
from tradingd.app import build, check_live_data, load_market_data, make_strategies, register_all
from tradingd.commands.output import show_summary
from tradingd.config import Settings, load_settings
from tradingd.data.handler import LoadReport
from tradingd.domain.events import EventType
from tradingd.errors import ConfigError, UsageError
from tradingd.runtime.backtest import BacktestSession
from tradingd.runtime.container import Container
from tradingd.strategy.base import Strategy

if TYPE_CHECKING:  # a backtest has no need of an event loop, and none of structured logs
    import asyncio

    from tradingd.ops.logging import LogHandle
    from tradingd.runtime.daemon import DaemonSession
    from tradingd.wiring.live import ConnectedMarket

__all__ = ["LOGGED", "exit_code", "run_backtest", "run_connected", "run_daemon"]

_NS = 1_000_000_000
_FORCED = 130
_FLUSH_S = 1.0
"""How long a reader of the output may take for the last lines, after a stop that was asked for."""
_PATIENT_FLUSH_S = 60.0
"""The same at the end of the data, when nobody waits for the process to end."""
LOGGED = (
    EventType.SIGNAL,
    EventType.ORDER_REQUEST,
    EventType.CANCEL_REQUEST,
    EventType.ORDER,
    EventType.ORDER_UPDATE,
    EventType.FILL,
    EventType.CORPORATE_ACTION,
    EventType.FAULT,
    EventType.MARGIN_CALL,
    EventType.HALT,
)


def run_backtest(
    files: Sequence[Path], sets: Sequence[str], out: Path | None, fmt: str | None, *, as_json: bool = False
) -> None:
    """Run a backtest from configuration files and print its summary."""
    recorder_format = _format(fmt, out)
    settings = load_settings(files, overrides=sets, environ=os.environ, forced={"run": {"mode": "backtest"}})
    container, strategies, report = _prepare(settings)
    session = BacktestSession(
        container,
        strategies,
        report,
        name=settings.run.name,
        run_id=_run_id(settings),
        recorder=_recorder(out, recorder_format),
    )
    summary = session.run()
    for line in session.observer_failures:
        sys.stderr.write(f"tradingd: {line}\n")
    show_summary(summary, as_json=as_json)
    if session.recorder is not None and session.recorder.failure is not None:
        raise session.recorder.failure


def run_daemon(
    files: Sequence[Path], sets: Sequence[str], out: Path | None, fmt: str | None, *, as_json: bool = False
) -> int:
    """Run the daemon from configuration files; returns the exit code. `as_json`: JSON lines on a terminal, too."""
    import asyncio

    from tradingd.runtime.daemon import END_OF_DATA

    recorder_format = _format(fmt, out)
    settings = load_settings(files, overrides=sets, environ=os.environ)
    if settings.run.mode == "backtest":
        raise UsageError('the configuration says run.mode = "backtest"; use `tradingd backtest`')
    recorded = _prepare(settings) if settings.data.feed == "replay" else None
    panel = settings.logging.format == "auto" and not as_json and _is_terminal()
    handle = _logging(settings, panel=panel)
    recorder = _recorder(out, recorder_format)
    start = partial(_session, settings, handle, panel=panel, recorder=recorder)
    runner = asyncio.Runner(loop_factory=_loop_factory(settings.runtime.uvloop))
    patience_s = _FLUSH_S
    try:
        if recorded is None:
            session, summary = runner.run(_run_live(settings, start))
        else:
            session = start(*recorded, speed=_speed(settings, recorded[2]))
            summary = runner.run(session.run())
        if summary.stop_reason == END_OF_DATA:
            patience_s = _PATIENT_FLUSH_S
        if not panel:
            handle.drain(patience_s)  # so that the summary finds room, however slow the reader is
            handle.logger.info("summary", **_as_fields(summary))
    finally:
        handle.close(patience_s)
    if panel:
        show_summary(summary, as_json=False)
    code = exit_code(session)
    if session.stuck:  # closing the loop would wait for them for ever
        sys.stdout.flush()
        os._exit(code or _FORCED)
    runner.close()
    return code


def _session(
    settings: Settings,
    handle: "LogHandle",
    container: Container,
    strategies: Sequence[Strategy],
    report: LoadReport,
    *,
    panel: bool,
    recorder: RunRecorder | None,
    **options: Any,  # noqa: ANN401 - those of DaemonSession that differ between recorded and live data
) -> "DaemonSession":
    """The daemon's session, with those who watch it."""
    from tradingd.ops.event_logger import EventLogger
    from tradingd.runtime.daemon import DaemonSession

    session = DaemonSession(
        container,
        strategies,
        report,
        name=settings.run.name,
        run_id=_run_id(settings),
        recorder=recorder,
        log=handle.logger,
        handler_timeout_s=float(settings.runtime.handler_timeout_s),
        stop_timeout_s=float(settings.runtime.stop_timeout_s),
        **options,
    )
    session.keep(EventLogger(handle.logger).observe, LOGGED)
    _log_gaps(handle, report)
    if panel:
        _attach_panel(session)
    else:
        session.attach("status", session.status)
    return session


async def _run_live(settings: Settings, start: "Callable[..., DaemonSession]") -> "tuple[DaemonSession, Summary]":
    """Check, connect, run, and close the connections, whatever happens."""
    from tradingd.wiring.checks import check_accounts, refuse_failures
    from tradingd.wiring.live import connect

    if settings.run.mode == "live":
        refuse_failures(await check_accounts(settings))
    market = await connect(settings)
    try:
        return await run_connected(settings, market, start)
    finally:
        await market.close()


async def run_connected(
    settings: Settings, market: "ConnectedMarket", start: "Callable[..., DaemonSession]"
) -> "tuple[DaemonSession, Summary]":
    """Run a daemon on connected venues until it is stopped; returns its session and what it came to."""
    from tradingd.wiring.live import feed_recorder, live_options, without_keys

    open_settings = without_keys(settings)
    container = build(open_settings, market)
    strategies = make_strategies(container)
    report = check_live_data(container, strategies)
    register_all(container, strategies)
    session = start(container, strategies, report, **live_options(open_settings, market, strategies))
    recorder = feed_recorder(open_settings, market.instruments)
    if recorder is None:
        return session, await session.run()
    session.keep(recorder, tuple(recorder.types))
    session.attach("feed.recorder", recorder.run)
    try:
        return session, await session.run()
    finally:
        recorder.close()


def _prepare(settings: Settings) -> tuple[Container, list[Strategy], LoadReport]:
    container = build(settings)
    strategies = make_strategies(container)
    report = load_market_data(container, strategies)
    register_all(container, strategies)
    return container, strategies, report


def _attach_panel(session: "DaemonSession") -> None:
    from rich.console import Console

    from tradingd.ops.console import LiveConsole

    live = LiveConsole(lambda: session.snapshot(session.state), Console())
    session.attach("console", live.run)


def _is_terminal() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def exit_code(session: "DaemonSession") -> int:
    """What the process ends with: 0, the failure's own code (told on stderr), or 130 for a forced stop."""
    lost = session.recorder.failure if session.recorder is not None else None
    failure = session.failure or lost
    if failure is not None:
        sys.stderr.write(f"tradingd: {failure}\n")
        return failure.exit_code
    return _FORCED if session.forced else 0


def _loop_factory(wanted: str) -> "Callable[[], asyncio.AbstractEventLoop] | None":
    """Uvloop's loop where it is wanted and there, else None for asyncio's own."""
    if wanted == "off":
        return None
    try:
        import uvloop
    except ImportError:
        if wanted == "on":
            raise ConfigError('runtime.uvloop = "on", but uvloop is not installed: pip install uvloop') from None
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _speed(settings: Settings, report: LoadReport) -> float | None:
    """How many seconds of data are to pass in a second."""
    replay = settings.data.replay
    if replay.speed is not None:
        return float(replay.speed)
    if replay.duration_s is not None:
        return max(report.last_ts - report.first_ts, 1) / _NS / float(replay.duration_s)
    return None


def _logging(settings: Settings, *, panel: bool) -> "LogHandle":
    """Log lines to stdout; nowhere while the panel, which tells the same, has the terminal."""
    from tradingd.ops.logging import configure_logging

    stream = open(os.devnull, "w", encoding="utf-8") if panel else sys.stdout  # noqa: SIM115, PTH123 - lives as long as the run
    fmt: Literal["json", "console"] = "console" if settings.logging.format == "console" else "json"
    return configure_logging(settings.logging.level, fmt, stream, _run_id(settings))


def _log_gaps(handle: "LogHandle", report: LoadReport) -> None:
    for scanned in report.series:
        if scanned.gap_count:
            handle.logger.warning(
                "data_gaps", symbol=scanned.spec.symbol, gaps=scanned.gap_count, missing_bars=scanned.missing
            )


def _recorder(out: Path | None, fmt: Literal["parquet", "csv"]) -> RunRecorder | None:
    return None if out is None else RunRecorder(out, fmt)


def _format(fmt: str | None, out: Path | None) -> Literal["parquet", "csv"]:
    if fmt is not None and out is None:
        raise UsageError("--format is of the files in --out; give that, too")
    match fmt:
        case None:
            return "parquet"
        case "parquet" | "csv":
            return fmt
        case _:
            raise UsageError(f"--format {fmt}: use parquet or csv")


_STARTED = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def _run_id(settings: Settings) -> str:
    """The name of this run of the process."""
    return f"{settings.run.name}-{_STARTED}"


def _as_fields(summary: Summary) -> dict[str, object]:
    import msgspec

    from tradingd.analytics.summary import to_json

    fields: dict[str, object] = msgspec.json.decode(to_json(summary))
    fields.pop("run_id")
    return fields
