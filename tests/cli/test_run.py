"""`tradingd run` and `tradingd backtest` as processes: output, signals, exit codes."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import REPO, Result, environment

CONFIG = REPO / "config.toml"
FAST = ("--set", "data.replay.duration_s=none", "--set", "data.end=2007-03-01")
SLOW = ("--set", "data.replay.duration_s=100")


@contextmanager
def daemon(*arguments: object, **streams: object) -> Iterator["subprocess.Popen[str]"]:
    """A daemon that is running; killed at the end if it still does."""
    command = [sys.executable, "-m", "tradingd", "run", str(CONFIG), *map(str, arguments)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    env = environment(PYTHONPATH=str(REPO), TERM="xterm-256color")
    with subprocess.Popen(command, text=True, env=env, **options) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


def wait_for(process: "subprocess.Popen[str]", event: str) -> None:
    """Read JSON lines until one is this event."""
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == event:
            return
    raise AssertionError(f"the daemon ended without {event}")


def test_piped_output_is_json_lines_and_ends_with_the_summary(tradingd: Callable[..., Result]) -> None:
    """Without a terminal every line is JSON, the last one the summary, and the exit code is 0."""
    result = tradingd("run", CONFIG, *FAST)
    assert (result.code, result.err) == (0, "")
    events = [line["event"] for line in result.lines]
    assert events[-1] == "summary"
    assert {"started", "fill", "order_update", "run_state", "stopped"} <= set(events)
    assert result.lines[-1]["stop_reason"] == "end of data"
    assert len({line["run_id"] for line in result.lines}) == 1


def test_a_backtest_and_a_paper_run_come_to_the_same(tradingd: Callable[..., Result]) -> None:
    """The summaries of both modes over the same data agree in every figure."""
    paper = tradingd("run", CONFIG, *FAST).lines[-1]
    back = tradingd("backtest", CONFIG, *FAST, "--json").json
    same = ("equity", "fills", "fees", "orders", "denials", "positions", "strategies", "max_drawdown_percent")
    assert {key: paper[key] for key in same} == {key: back[key] for key in same}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_cleanly_with_the_summary(number: signal.Signals) -> None:
    """SIGINT, SIGTERM and SIGHUP end the run within 2 s, with its summary and exit code 0."""
    with daemon(*SLOW) as process:
        wait_for(process, "fill")
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    lines = {line["event"]: line for line in map(json.loads, out.splitlines())}
    assert (process.returncode, err) == (0, "")
    assert lines["summary"]["stop_reason"] == number.name
    asked, told = (datetime.fromisoformat(lines[event]["timestamp"]) for event in ("stop_requested", "summary"))
    assert told - asked < timedelta(seconds=2)


def test_working_orders_are_canceled_at_a_stop() -> None:
    """A stop leaves no order working: the summary counts none in an open state."""
    with daemon(*SLOW) as process:
        wait_for(process, "fill")
        process.terminate()
        out, _ = process.communicate(timeout=30)
    orders = json.loads(out.splitlines()[-1])["orders"]
    assert not {"NEW", "PREPARED", "SENDING", "OPEN", "CANCELING", "UNKNOWN"} & set(orders)


def test_a_slow_reader_gets_the_summary() -> None:
    """A reader that begins to read only when the run is over still gets the last line."""
    with daemon(*FAST) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        pipe_is_full_or_run_is_over = select.select([process.stdout], [], [], 30)[0]
        assert pipe_is_full_or_run_is_over
        lines = process.stdout.read().splitlines()
        process.wait(timeout=30)
    assert json.loads(lines[-1])["event"] == "summary"


def test_a_hang_up_that_is_to_be_ignored_is_ignored() -> None:
    """Under nohup the daemon does not stop when its terminal goes."""
    with daemon(*SLOW, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as process:
        wait_for(process, "fill")
        process.send_signal(signal.SIGHUP)
        wait_for(process, "status")
        process.terminate()
        out, _ = process.communicate(timeout=30)
    assert json.loads(out.splitlines()[-1])["stop_reason"] == "SIGTERM"


def test_json_lines_can_be_had_on_a_terminal() -> None:
    """`run --json` prints JSON lines where it would else show the panel."""
    leader, follower = pty.openpty()
    with daemon("--json", *FAST, stdout=follower, stdin=follower) as process:
        os.close(follower)
        lines = _read_all(leader, process).splitlines()
    assert json.loads(lines[-1])["event"] == "summary"


def test_a_closed_standard_output_is_no_error() -> None:
    """A daemon that is started with its output closed runs all the same."""
    command = f'"{sys.executable}" -m tradingd run "{CONFIG}" {" ".join(FAST)} >&-'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, cwd=REPO, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_on_a_terminal_it_shows_a_panel_and_a_summary_table() -> None:
    """On a terminal the run shows a live panel, then a summary table; no JSON."""
    leader, follower = pty.openpty()
    with daemon("--set", "data.replay.duration_s=2", *FAST[2:], stdout=follower, stdin=follower) as process:
        os.close(follower)
        shown = _read_all(leader, process)
    text = shown.decode(errors="replace")
    assert process.returncode == 0
    assert "PAPER - simulated money" in text
    assert "events" in text
    assert "Max drawdown" in text
    assert '"event"' not in text


def _read_all(leader: int, process: "subprocess.Popen[str]") -> bytes:
    shown = b""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        ready, _, _ = select.select([leader], [], [], 0.2)
        if ready:
            try:
                chunk = os.read(leader, 65536)
            except OSError:  # the other end is closed: the process has ended
                break
            if not chunk:
                break
            shown += chunk
    process.wait(timeout=5)
    os.close(leader)
    return shown


def test_a_reader_that_goes_away_does_not_hurt() -> None:
    """When the reader of its output is gone, the daemon runs on and ends cleanly, without a traceback."""
    with daemon(*FAST, "--set", "data.replay.duration_s=1") as process:
        wait_for(process, "started")
        assert process.stdout is not None
        process.stdout.close()
        process.wait(timeout=20)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize("fmt", ["csv", "parquet"])
def test_out_writes_the_records(tradingd: Callable[..., Result], tmp_path: Path, fmt: str) -> None:
    """--out writes signals, orders, fills, ledger and equity in the chosen format."""
    result = tradingd("backtest", CONFIG, *FAST, "--out", tmp_path / "out", "--format", fmt)
    assert result.code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{name}.{fmt}" for name in ("equity", "fills", "ledger", "orders", "signals")
    ]


def test_records_are_never_overwritten(tradingd: Callable[..., Result]) -> None:
    """A second run into the same --out is refused, in whichever format, and leaves the first one's records."""
    assert tradingd("backtest", CONFIG, *FAST, "--out", "out").code == 0
    again = tradingd("backtest", CONFIG, *FAST, "--out", "out", "--format", "csv")
    assert (again.code, again.err) == (
        64,
        "tradingd: out has the records of another run; give another folder, or remove them\n",
    )


def test_a_format_needs_an_out(tradingd: Callable[..., Result]) -> None:
    """--format without --out says what is missing instead of doing nothing."""
    assert "give that, too" in tradingd("backtest", CONFIG, "--format", "csv").err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", ["backtest", "check"])
def test_output_that_cannot_be_written_is_told(command: str) -> None:
    """When standard output is full, the command says so in one line and ends with 74."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tradingd", command, str(CONFIG)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPO,
            check=False,
        )
    assert (done.returncode, done.stderr) == (74, "tradingd: No space left on device: standard output\n")


def test_a_wrong_format_is_a_usage_error(tradingd: Callable[..., Result]) -> None:
    """An unknown --format ends with 64 and says which there are."""
    result = tradingd("backtest", CONFIG, "--out", "out", "--format", "xlsx")
    assert (result.code, result.err) == (64, "tradingd: --format xlsx: use parquet or csv\n")


def test_run_refuses_a_backtest_configuration(tradingd: Callable[..., Result]) -> None:
    """`run` on a configuration that says backtest points to `backtest`."""
    result = tradingd("run", CONFIG, "--set", "run.mode=backtest")
    assert result.code == 64
    assert "use `tradingd backtest`" in result.err
