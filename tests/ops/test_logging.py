"""Logging: what a line looks like, and what is masked."""

import io
import json
import logging
import warnings
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from tradingd.domain.enums import HaltState, Side
from tradingd.domain.events import Fee
from tradingd.errors import UsageError
from tradingd.ops.logging import LogHandle, configure_logging

PATIENCE_S = 20.0
"""How long a test waits for a thread that is expected to end at once."""

Configure = Callable[..., LogHandle]


def written(handle: LogHandle, stream: io.StringIO) -> list[dict[str, Any]]:
    """Every JSON line that went to `stream`."""
    assert handle.close(PATIENCE_S)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


# -- what a line looks like -------------------------------------------------------------------------------------


def test_a_json_line_has_time_level_event_and_run(configure: Configure) -> None:
    """Every line starts with when, how bad, what and which run; the time is ISO in UTC."""
    stream = io.StringIO()
    handle = configure(stream)
    handle.logger.info("started", mode="paper")
    (line,) = written(handle, stream)
    assert list(line) == ["timestamp", "level", "event", "run_id", "mode"]
    assert (line["level"], line["event"], line["run_id"], line["mode"]) == ("info", "started", "run-1", "paper")
    assert line["timestamp"].endswith("Z")


def test_values_become_plain_json(configure: Configure) -> None:
    """Decimals are plain digits, enums their values, numbered ones their names, structs and tuples trees."""
    stream = io.StringIO()
    handle = configure(stream)
    handle.logger.info(
        "x",
        amount=Decimal("1E-7"),
        side=Side.BUY,
        halt=HaltState.NO_NEW,
        fees=(Fee("BNB", Decimal("1E+2")),),
        n=None,
    )
    (line,) = written(handle, stream)
    assert (line["amount"], line["side"], line["halt"], line["n"]) == ("0.0000001", "BUY", "NO_NEW", None)
    assert line["fees"] == [{"asset": "BNB", "amount": "100"}]


def test_an_exception_is_text(configure: Configure) -> None:
    """A logged exception brings its traceback as text, an exception as a value its type and message."""
    stream = io.StringIO()
    handle = configure(stream)
    try:
        int("broken")
    except ValueError as error:
        handle.logger.exception("failed", cause=error)
    (line,) = written(handle, stream)
    assert (line["level"], line["cause"]) == (
        "error",
        "ValueError: invalid literal for int() with base 10: 'broken'",
    )
    assert line["exception"].startswith("Traceback")


def test_an_object_that_cannot_be_shown_does_not_stop_the_caller(configure: Configure) -> None:
    """A __repr__ that raises costs its value, not the line."""

    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    stream = io.StringIO()
    handle = configure(stream)
    handle.logger.info("x", value=Broken())
    (line,) = written(handle, stream)
    assert line["value"] == "<Broken that cannot be shown: RuntimeError>"


def test_text_that_is_no_unicode_is_written_all_the_same(configure: Configure) -> None:
    """A lone surrogate from a broken name or message does not raise."""
    stream = io.StringIO()
    handle = configure(stream)
    handle.logger.info("x", text="\ud800")
    (line,) = written(handle, stream)
    assert line["text"] == "\ud800"


def test_an_endless_value_is_cut(configure: Configure) -> None:
    """A megabyte of somebody's error page becomes a bearable line."""
    stream = io.StringIO()
    handle = configure(stream)
    handle.logger.info("x", body="a" * 1_000_000)
    (line,) = written(handle, stream)
    assert line["body"].endswith("a... (983616 more)")


def test_a_value_that_contains_itself_ends_somewhere(configure: Configure) -> None:
    """A cycle is told to a depth, then by its repr."""
    cycle: list[Any] = []
    cycle.append(cycle)
    stream = io.StringIO()
    handle = configure(stream)
    handle.logger.info("x", cycle=cycle)
    (line,) = written(handle, stream)
    assert line["event"] == "x"


def test_lines_below_the_level_are_not_written(configure: Configure) -> None:
    """The level is a floor."""
    stream = io.StringIO()
    handle = configure(stream, level="warning")
    handle.logger.info("quiet")
    handle.logger.warning("loud")
    assert [line["event"] for line in written(handle, stream)] == ["loud"]


@pytest.mark.parametrize(("level", "fmt"), [("loud", "json"), ("info", "xml")])
def test_an_unknown_level_or_format_is_refused(level: str, fmt: Any) -> None:
    """A typing mistake is told, with what there is."""
    with pytest.raises(UsageError, match="use debug, info"):
        configure_logging(level, fmt, io.StringIO(), "run-1")


def test_the_console_format_is_for_reading(configure: Configure) -> None:
    """One line with the event first and key=value after it."""
    stream = io.StringIO()
    handle = configure(stream, fmt="console")
    handle.logger.info("fill", quantity=Decimal("1E+1"))
    handle.close(PATIENCE_S)
    assert "[info     ] fill " in stream.getvalue()
    assert "quantity=10 run_id=run-1" in stream.getvalue()


def test_the_console_format_lets_no_text_steer_the_terminal(configure: Configure) -> None:
    """Escape sequences in somebody's message are shown, not obeyed."""
    stream = io.StringIO()
    handle = configure(stream, fmt="console")
    handle.logger.info("x", reason="\x1b[2Jgone")
    handle.close(PATIENCE_S)
    assert "\x1b" not in stream.getvalue()


def test_any_structlog_logger_writes_to_the_same_place(configure: Configure) -> None:
    """structlog.get_logger needs no handle."""
    stream = io.StringIO()
    handle = configure(stream)
    structlog.get_logger().info("elsewhere")
    assert [(line["event"], line["run_id"]) for line in written(handle, stream)] == [("elsewhere", "run-1")]


# -- the standard library ---------------------------------------------------------------------------------------


def test_library_warnings_come_the_same_way(configure: Configure) -> None:
    """What asyncio or ccxt warn of is a line of ours, named by its logger."""
    stream = io.StringIO()
    handle = configure(stream)
    logging.getLogger("asyncio").warning("slow callback: %s ms", 120)
    (line,) = written(handle, stream)
    assert (line["event"], line["level"], line["run_id"]) == ("library_log", "warning", "run-1")
    assert (line["logger"], line["message"]) == ("asyncio", "slow callback: 120 ms")


def test_library_exceptions_bring_their_traceback(configure: Configure) -> None:
    """exc_info of the standard library's logging is kept."""
    stream = io.StringIO()
    handle = configure(stream)
    logging.getLogger("ccxt").error("failed", exc_info=ValueError("broken"))
    (line,) = written(handle, stream)
    assert (line["level"], line["exception"]) == ("error", "ValueError: broken")


def test_library_chatter_is_left_out(configure: Configure) -> None:
    """Libraries log whole requests below warning; none of that is written."""
    stream = io.StringIO()
    handle = configure(stream)
    logging.getLogger("ccxt").info("GET /account")
    assert written(handle, stream) == []


def test_a_library_line_whose_arguments_do_not_fit_is_told_anyway(configure: Configure) -> None:
    """A wrong format string in a library neither raises nor hides the warning."""
    stream = io.StringIO()
    handle = configure(stream)
    record = logging.LogRecord("lib", logging.WARNING, __file__, 1, "%d items", ("no",), None)
    logging.getLogger().handlers[-1].handle(record)
    (line,) = written(handle, stream)
    assert line["message"] == "%d items ('no',) (TypeError)"


def test_python_warnings_are_lines(configure: Configure) -> None:
    """A DeprecationWarning goes into the log instead of to stderr."""
    stream = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        handle = configure(stream)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        lines = written(handle, stream)
    assert [line["logger"] for line in lines] == ["py.warnings"]


def test_close_takes_everything_back(configure: Configure) -> None:
    """After close, neither structlog nor the standard library is configured by us."""
    before = list(logging.getLogger().handlers)
    handle = configure(io.StringIO())
    during = list(logging.getLogger().handlers)
    handle.close(PATIENCE_S)
    assert len(during) == len(before) + 1
    assert logging.getLogger().handlers == before
    assert not structlog.is_configured()


# -- secrets ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["api_key", "apiKey", "secret", "PASSWORD", "access_token", "private_key"])
def test_values_of_secret_keys_are_masked(configure: Configure, key: str) -> None:
    """Any key that sounds like a secret hides its value, at any depth."""
    stream = io.StringIO()
    handle = configure(stream)
    handle.logger.info("x", **{key: "hunter2", "nested": [{key: "hunter2"}]})
    (line,) = written(handle, stream)
    assert (line[key], line["nested"]) == ("***", [{key: "***"}])


def test_pydantic_secrets_stay_masked(configure: Configure) -> None:
    """A SecretStr under a harmless key is told by its own repr."""
    stream = io.StringIO()
    handle = configure(stream)
    handle.logger.info("x", value=SecretStr("hunter2"))
    assert "hunter2" not in stream.getvalue()
    assert written(handle, stream)[0]["value"] == "SecretStr('**********')"


@pytest.mark.parametrize(
    "text",
    [
        "GET https://x/y?apiKey=hunter2&symbol=BTC",
        "{'secret': 'hunter2'}",
        "Authorization: Bearer hunter2",
        'password="hunter2"',
        "&signature=hunter2",
    ],
)
def test_secrets_inside_texts_are_masked(configure: Configure, text: str) -> None:
    """Error messages quote requests; what looks like a credential in them is cut out."""
    stream = io.StringIO()
    handle = configure(stream)
    handle.logger.info("x", text=text, error=ValueError(text))
    handle.close(PATIENCE_S)
    assert stream.getvalue().count("***") == 2
    assert "hunter2" not in stream.getvalue()
