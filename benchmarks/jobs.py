"""What one child process does: make the data, or run one measured piece of work and tell what it took.

    python benchmarks/jobs.py JOB '{"config": "..."}'

The answer is one line of JSON on standard output. Figures are of everything from the configuration file to the
closed records, without starting Python and importing; CPU seconds are of all threads of the process.
"""

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.work import (
    CASH,
    RunningAverage,
    SummedAverage,
    crossover,
    run_loop,
    trader,
    write_bars,
    write_config,
)

if TYPE_CHECKING:  # the loop is measured without what it has no need of
    from tradingd.analytics.summary import Summary

Result = dict[str, Any]
"""bars, fills, profit (decimal text, or a float of the loops), cpu_s, wall_s, peak_mib, denials."""


class Watch:
    """CPU and wall time since it was made."""

    def __init__(self) -> None:
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def read(self) -> Result:
        """Seconds so far."""
        return {"cpu_s": time.process_time() - self._cpu, "wall_s": time.perf_counter() - self._wall}


def make(folder: str, symbols: int, bars: int) -> Result:
    """Write `symbols` files of `bars` each."""
    for number in range(symbols):
        write_bars(Path(folder) / f"S{number}.parquet", bars, seed=7 + number)
    return {"bars": symbols * bars}


def configure(path: str, symbols: int = 1, strategies: int = 1, trade_every: int | None = None) -> None:
    """Write a configuration: `strategies` crossovers of each symbol, or one that trades every so many bars."""
    names = [f"S{number}" for number in range(symbols)]
    tables = [crossover(name, f"{name.lower()}-{i}") for name in names for i in range(strategies)]
    write_config(Path(path), names, tables if trade_every is None else [trader(names[0], trade_every)])


def loop(config: str, average: type[SummedAverage | RunningAverage] = SummedAverage) -> Result:
    """The reference: the hand-written loop."""
    import pyarrow.parquet  # noqa: F401 - not to be measured

    watch = Watch()
    bars, portfolio = run_loop(Path(config).parent / "S0.parquet", average)
    return {**watch.read(), "bars": bars, "fills": portfolio.fills, "profit": portfolio.equity - CASH}


def tight_loop(config: str) -> Result:
    """The same with running sums for its averages."""
    return loop(config, RunningAverage)


def backtest(config: str, *, record: bool = True) -> Result:
    """The event engine; with `record` as `tradingd backtest --out` does, else as without."""
    import pyarrow.parquet  # noqa: F401 - not to be measured

    import tradingd.app  # noqa: F401 - as above
    from tradingd.runtime.backtest import BacktestSession

    watch = Watch()
    container, strategies, report = _prepare(config, "backtest")
    loaded = watch.read()
    with _out(record) as out:
        session = BacktestSession(container, strategies, report, name="b", run_id="b", recorder=_recorder(out))
        summary = session.run()
        return {**watch.read(), **_figures(summary), "load_cpu_s": loaded["cpu_s"]}


def daemon(config: str, *, record: bool = True) -> Result:
    """The daemon on uvloop, as fast as it takes the bars; with `record` as `tradingd run --out`."""
    import asyncio

    import pyarrow.parquet  # noqa: F401 - not to be measured
    import structlog
    import uvloop

    import tradingd.app  # noqa: F401 - as above
    from tradingd.runtime.daemon import DaemonSession

    with open(os.devnull, "w", encoding="utf-8") as nowhere, _out(record) as out:  # noqa: PTH123 - no file
        watch = Watch()
        container, strategies, report = _prepare(config, "paper")
        session = DaemonSession(
            container,
            strategies,
            report,
            name="b",
            run_id="b",
            recorder=_recorder(out),
            log=structlog.wrap_logger(structlog.PrintLogger(nowhere)),
        )
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            summary = runner.run(session.run())
        return {**watch.read(), **_figures(summary)}


def _prepare(config: str, mode: str) -> tuple[Any, Any, Any]:
    """The parts of a run as the commands make them."""
    from tradingd.app import build, load_market_data, make_strategies, register_all
    from tradingd.config import load_settings

    container = build(load_settings([config], overrides=[f"run.mode={mode}"], environ={}))
    strategies = make_strategies(container)
    report = load_market_data(container, strategies)
    register_all(container, strategies)
    return container, strategies, report


def _out(record: bool) -> AbstractContextManager[str | None]:  # noqa: FBT001 - private
    return tempfile.TemporaryDirectory(prefix="tradingd-bench-") if record else nullcontext()


def _recorder(out: str | None) -> Any:  # noqa: ANN401 - imported by those that record
    from tradingd.analytics.recorder import RunRecorder

    return None if out is None else RunRecorder(Path(out))


def _figures(summary: "Summary") -> Result:
    if summary.stop_reason != "end of data" or summary.denials or summary.halts or summary.faults:
        raise SystemExit(f"the run did not do its work: {summary}")
    return {"bars": summary.events, "fills": summary.fills, "profit": str(summary.pnl)}


def peak_mib() -> float:
    """The highest resident memory of this process.

    `ru_maxrss` would count what the parent held when it started us, so it is only the second choice.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024
    except (OSError, IndexError):
        unit = 1024 * 1024 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def is_compiled() -> bool:
    """Whether the engine that runs here is the compiled one."""
    from tradingd.domain import money

    return not str(money.__file__).endswith(".py")


JOBS: dict[str, Callable[..., Result]] = {
    "make": make,
    "loop": loop,
    "tight_loop": tight_loop,
    "backtest": backtest,
    "daemon": daemon,
}


def main() -> None:
    """Do the job that is named on the command line."""
    name, arguments = sys.argv[1], json.loads(sys.argv[2])
    result = JOBS[name](**arguments)
    result["peak_mib"] = peak_mib()
    if name in {"backtest", "daemon"}:
        result["compiled"] = is_compiled()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
