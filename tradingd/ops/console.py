"""The operator's terminal: a live panel while a session runs, and its summary at the end.

Nothing here decides anything, and nothing waits for the terminal: the panel is painted by a thread of its own from
frozen snapshots, of which the latest wins. Rounded figures are for reading only.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from tradingd.analytics.snapshot import OrderLine as OrderLine
from tradingd.analytics.snapshot import Snapshot as Snapshot
from tradingd.analytics.summary import PositionLine, StrategyLine, Summary
from tradingd.domain.money import magnitude, quantize
from tradingd.errors import ComponentError

__all__ = ["LiveConsole", "OrderLine", "Snapshot", "format_money", "render_snapshot", "render_summary"]

_CASH: Final = frozenset({"USD", "EUR", "GBP", "CHF", "JPY", "CAD", "AUD", "USDT", "USDC", "DAI", "FDUSD", "BUSD"})
_CENT: Final = Decimal("0.01")
_COIN_DECIMALS: Final = Decimal("1e-8")
_SIGNIFICANT: Final = 4
_MODES: Final = {
    "LIVE": ("LIVE - REAL MONEY", "bold white on red", "red"),
    "SANDBOX": ("SANDBOX - the exchange's test venue", "bold black on yellow", "yellow"),
    "DEMO": ("DEMO - the exchange's test venue", "bold black on yellow", "yellow"),
    "LOOPBACK": ("LOOPBACK - an exchange on this machine", "bold black on yellow", "yellow"),
    "PAPER": ("PAPER - simulated money", "bold black on cyan", "cyan"),
    "BACKTEST": ("BACKTEST", "bold black on yellow", "yellow"),
}
_STATES: Final = {"TRADING": "bold green", "HALTED": "bold white on red", "STOPPED": "bold"}
_WORDS: Final = {"BUY": "green", "SELL": "red", "UNKNOWN": "bold red", "FAULTED": "bold red"}
_TALL: Final = 32  # lines, from which on the live panel has a table of strategies


class LiveConsole:
    """A panel that follows a session.

    `run` is for the supervisor; a driver without an event loop calls `refresh` itself, as often as it likes to.
    `close` gives the terminal back, and may be called at any time, more than once.
    """

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        console: Console,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        refresh_hz: float = 8.0,
        screen: bool = True,
    ) -> None:
        self._snapshot = snapshot
        self._console = console
        self._sleep = sleep
        self._interval_s = 1 / refresh_hz
        self._screen = screen
        self._ready = threading.Condition()
        self._pending: Snapshot | None = None
        self._closed = False
        self._error: BaseException | None = None
        self._painter = threading.Thread(target=self._paint, name="console-painter", daemon=True)

    async def run(self) -> None:
        """Refresh until cancelled, then give the terminal back."""
        try:
            while True:
                self.refresh()
                await self._sleep(self._interval_s)
        finally:
            self.close()

    def refresh(self) -> None:
        """Have the present state painted; takes the snapshot here and leaves the painting to the thread.

        Raises:
            ComponentError: an earlier painting failed, as when the terminal is gone.

        """
        if self._error is not None:
            raise ComponentError(f"the live console failed: {self._error}") from self._error
        if self._closed:
            return
        if not self._painter.ident:
            self._painter.start()
        snapshot = self._snapshot()
        with self._ready:
            self._pending = snapshot
            self._ready.notify()

    def close(self, timeout_s: float = 0.5) -> bool:
        """Paint what is pending and restore the terminal; returns whether all went well, and in time."""
        with self._ready:
            self._closed = True
            self._ready.notify()
        if self._painter.ident:
            self._painter.join(timeout_s)
        return not self._painter.is_alive() and self._error is None

    def _next(self) -> Snapshot | None:
        with self._ready:
            while self._pending is None and not self._closed:
                self._ready.wait()
            snapshot, self._pending = self._pending, None
            return snapshot

    def _paint(self) -> None:
        live = Live(
            console=self._console,
            screen=self._screen,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        try:
            with live:
                while (snapshot := self._next()) is not None:
                    width, height = self._console.size
                    live.update(render_snapshot(snapshot, width, height - (not self._screen)), refresh=True)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - `refresh` raises it; rich exits on a broken pipe
            self._error = error


_Columns = tuple[tuple[str, str, Callable[[Any], Text]], ...]
"""A table's columns: heading, field of the line, and how that field is shown; words go left, figures right."""


class _Section(NamedTuple):
    """A titled table before it is laid out."""

    title: str
    columns: _Columns
    lines: Sequence[PositionLine | OrderLine | StrategyLine]

    def render(self, share: int, width: int) -> list[RenderableType]:
        """A rule, and at most `share` lines; the rule tells how many are left out."""
        hidden = len(self.lines) - share
        title = f"{self.title} ({hidden} more not shown)" if hidden > 0 else self.title
        table = _table(self.columns, self.lines[:share], width) if self.lines else Text("none", "dim")
        return [_rule(title), table]


def _table(columns: _Columns, lines: Sequence[object], width: int) -> Table:
    """A table of one line per row; where it gets narrow, the first column gives way and the figures stay whole."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading, _, show in columns:
        table.add_column(heading, justify="left" if show is _word else "right", no_wrap=True, overflow="ellipsis")
    rows = [[show(getattr(line, field)) for _, field, show in columns] for line in lines]
    widths = [
        max([len(heading), *(len(row[index]) for row in rows)]) for index, (heading, _, _) in enumerate(columns)
    ]
    for first, *rest in rows:
        first.truncate(max(8, width - sum(widths[1:]) - 2 * len(rest)), overflow="ellipsis")
        table.add_row(first, *rest)
    return table


def render_snapshot(snapshot: Snapshot, width: int, height: int) -> RenderableType:
    """The live panel, exactly `height` lines high."""
    head = _head(snapshot, width - 4)
    sections = [
        _Section("Positions", _POSITIONS, snapshot.positions),
        _Section("Working orders", _ORDERS, snapshot.open_orders),
    ]
    if height >= _TALL:
        sections.append(_Section("Strategies", _STRATEGIES, snapshot.strategies))
    room = height - 2 - len(head) - 1 - sum(1 + bool(section.lines) for section in sections)
    wanted = [max(1, len(section.lines)) for section in sections]
    *shares, rest = _share(room, [*wanted, len(snapshot.recent)])
    body = list(head)
    for section, share in zip(sections, shares, strict=True):
        body += section.render(share, width - 4)
    body += [_rule("Events"), *map(_line, snapshot.recent[len(snapshot.recent) - rest :])]
    return _panel(Group(*body), snapshot.mode, snapshot.name, height)


def _head(snapshot: Snapshot, width: int) -> list[RenderableType]:
    """State and clock, money, progress, and the latest halt if there is one."""
    state = Text(f" {snapshot.state} ", _STATES.get(snapshot.state, "bold yellow"))
    faulted_first = sorted(snapshot.strategies, key=lambda line: line.state != "FAULTED")
    names = ", ".join(f"{line.strategy_id} {line.state}" for line in faulted_first)
    first = Text.assemble(state, "  ", _utc(snapshot.clock_ns), ("   " + _clean(names), "dim"))
    first.truncate(width, overflow="ellipsis")
    money = Text.assemble(
        ("Equity ", "dim"),
        (format_money(snapshot.equity, snapshot.currency), "bold"),
        ("   P&L ", "dim"),
        _signed(snapshot.pnl, snapshot.currency),
        " ",
        _percent(snapshot.return_percent),
        ("   Drawdown ", "dim"),
        f"{quantize(snapshot.drawdown_percent, _CENT)}%",
    )
    money.truncate(width, overflow="ellipsis")
    halts = [_line(f"HALT {snapshot.halts[-1]}", "bold red")] if snapshot.halts else []
    return [first, money, _progress(snapshot, width), *halts]


def _progress(snapshot: Snapshot, width: int) -> RenderableType:
    total = "" if snapshot.events_total is None else f" / {snapshot.events_total:,}"
    done = f"{snapshot.events_done:,}{total} events"
    if snapshot.progress is None:
        return Text(done, "dim")
    told = f" {snapshot.progress:6.1%}  {done}"
    bar = Table.grid()
    bar.add_row(ProgressBar(total=1.0, completed=snapshot.progress, width=max(10, width - len(told))), told)
    return bar


def _share(room: int, wanted: Sequence[int]) -> list[int]:
    """Lines for each who wants some: evenly, and what one leaves goes to the others; the last one first."""
    shares = [0] * len(wanted)
    hungry = [index for index in reversed(range(len(wanted))) if wanted[index]]
    while room > 0 and hungry:
        for index in hungry[:room]:
            shares[index] += 1
        room -= len(hungry[:room])
        hungry = [index for index in hungry if shares[index] < wanted[index]]
    return shares


def render_summary(summary: Summary, console: Console) -> None:
    """Print what the session came to."""
    figures = Table.grid(padding=(0, 2))
    figures.add_column(style="dim", no_wrap=True)
    for name, value in _figures(summary):
        figures.add_row(name, value)
    console.print(_panel(figures, summary.mode, summary.name))
    strategies = _Section("Strategies", _STRATEGIES, summary.strategies)
    for section in (_Section("Positions", _POSITIONS, summary.positions), strategies):
        if section.lines:
            console.print(*section.render(len(section.lines), console.width), sep="\n")
    for name, lines in (("Halts", summary.halts), ("Faults", summary.faults)):
        if lines:
            console.print(_rule(name, "bold red"))
            console.print(*(Text(_clean(line)) for line in lines), sep="\n")


def _figures(summary: Summary) -> Iterable[tuple[str, Text | str]]:
    """The key figures, by name."""
    rate = f", {summary.events / summary.wall_s:,.0f}/s" if summary.wall_s > 0 else ""
    orders = "  ".join(f"{status} {count:,}" for status, count in summary.orders.items())
    yield "Run", _clean(summary.run_id)
    yield "Ended", _clean(summary.stop_reason)
    yield "Period", f"{_utc(summary.started_ns)} to {_utc(summary.ended_ns)}"
    yield "Events", f"{summary.events:,} in {summary.wall_s:,.2f} s{rate}"
    yield "Initial equity", format_money(summary.initial_equity, summary.currency)
    yield "Equity", Text(format_money(summary.equity, summary.currency), "bold")
    yield "P&L", _signed(summary.pnl, summary.currency).append(" ").append_text(_percent(summary.return_percent))
    yield "Max drawdown", f"{quantize(summary.max_drawdown_percent, _CENT)}%"
    yield "Fills", f"{summary.fills:,}"
    yield "Fees", _fees(summary.fees)
    if summary.dividends:
        yield "Dividends", _fees(summary.dividends)
    yield "Orders", orders or "none"
    if summary.denials:
        yield "Denied by", "  ".join(f"{_clean(reason)} {count:,}" for reason, count in summary.denials.items())


def format_money(value: Decimal, currency: str) -> str:
    """An amount for reading: thousands separators, and two decimals for cash.

    Coins keep up to eight decimals, and an amount that would round to nothing its first four digits. Without a
    currency an amount has two decimals, and one below 1 its first four digits.
    """
    step = _CENT if currency.upper() in _CASH or not currency else _COIN_DECIMALS
    if value and magnitude(value) < (step if currency else 1):
        step = Decimal(1).scaleb(value.adjusted() + 1 - _SIGNIFICANT)
    return f"{_digits(value, step, 2)} {_clean(currency)}".rstrip()


def _price(value: Decimal | None) -> Text:
    """A price to eight significant digits, with two decimals at least."""
    return Text("-" if value is None else _digits(value, min(_CENT, Decimal(1).scaleb(value.adjusted() - 7)), 2))


def _quantity(value: Decimal | int) -> Text:
    return Text(_digits(Decimal(value), _COIN_DECIMALS, 0))


def _fees(fees: Mapping[str, Decimal]) -> Text:
    return Text("  ".join(format_money(amount, asset) for asset, amount in fees.items()) or "none")


def _digits(value: Decimal, step: Decimal, least: int) -> str:
    """Rounded to `step`, without trailing zeros beyond `least` decimals."""
    rounded = quantize(value, step)
    whole, _, decimals = format(rounded or magnitude(rounded), ",f").partition(".")
    decimals = decimals.rstrip("0").ljust(least, "0")
    return f"{whole}.{decimals}" if decimals else whole


def _signed(value: Decimal | None, currency: str = "") -> Text:
    """A gain or loss with its sign, in its colour."""
    text = "-" if value is None else ("+" if value > 0 else "") + format_money(value, currency)
    return Text(text, _colour(value))


def _percent(value: Decimal) -> Text:
    return Text(f"({quantize(value, _CENT):+,f}%)", _colour(value))


def _colour(value: Decimal | None) -> str:
    return ("green" if value > 0 else "red") if value else ""


def _panel(body: RenderableType, mode: str, name: str, height: int | None = None) -> Panel:
    """A frame that shows the mode unmistakably, by word and by colour."""
    badge, style, border = _MODES.get(mode.upper(), (_clean(mode.upper()), "bold reverse", "white"))
    title = Text.assemble((f" {badge} ", style), f" {_clean(name)} " if name else "")
    return Panel(body, title=title, border_style=border, box=box.HEAVY, height=height, padding=(0, 1))


def _utc(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _rule(title: str, style: str = "bold") -> Rule:
    return Rule(Text(title, style), align="left", style="dim", characters="─")


def _word(text: str) -> Text:
    return Text(_clean(text), _WORDS.get(text, ""))


def _line(text: str, style: str = "") -> Text:
    return Text(_clean(text), style, no_wrap=True, overflow="ellipsis")


def _clean(text: str) -> str:
    """One line that cannot steer the terminal, wherever the text came from."""
    return "".join(char if char.isprintable() else " " for char in text)


_POSITIONS: Final[_Columns] = (
    ("Symbol", "symbol", _word),
    ("Quantity", "quantity", _quantity),
    ("Average", "average_price", _price),
    ("Price", "price", _price),
    ("Unrealized", "unrealized_pnl", _signed),
    ("Realized", "realized_pnl", _signed),
)
_ORDERS: Final[_Columns] = (
    ("Symbol", "symbol", _word),
    ("Side", "side", _word),
    ("Type", "order_type", _word),
    ("Quantity", "quantity", _quantity),
    ("Filled", "filled", _quantity),
    ("Price", "price", _price),
    ("Status", "status", _word),
)
_STRATEGIES: Final[_Columns] = (
    ("Strategy", "strategy_id", _word),
    ("State", "state", _word),
    ("Fills", "fills", _quantity),
    ("Unrealized", "unrealized_pnl", _signed),
    ("Realized", "realized_pnl", _signed),
    ("Fees", "fees", _fees),
)
