"""`tradingd init`: something of one's own that runs."""

from pathlib import Path

import typer

from tradingd.commands.output import echo_json
from tradingd.errors import UsageError

__all__ = ["write_skeleton"]

_CONFIG = """\
# A paper-trading run of your own. Try, in this folder:
#
#   tradingd run config.toml          watch it (Ctrl-C stops it)
#   tradingd backtest config.toml     the same, at once
#   tradingd check config.toml        this file resolved, with the limits told as money

[run]
name = "mine"
mode = "paper"               # "backtest" is what `tradingd backtest` makes of it

[data]
catalog = "pkg:tradingd/sample_data"   # the prices that come with tradingd; or a folder of your own
# catalog = "data"                     # filled by `tradingd data import prices.csv --catalog data ...`
interval = "1d"              # picks among several series of a symbol
prices = "adjusted"          # "raw", or "adjusted" for splits and dividends
start = 2006-01-03
end = 2013-03-01

[data.replay]
duration_s = 30              # the whole replay takes about this long; leave both out for full speed
# speed = 3600               # or: seconds of data in a second

[[strategies]]
name = "my_strategy:MyStrategy"        # a class in my_strategy.py beside this file
id = "mine-aapl"
params = { symbol = "AAPL", lookback = 50 }

[[strategies]]
name = "ma_crossover"                  # a shipped one; `tradingd strategies` lists them
id = "trend-msft"
params = { symbol = "MSFT", fast_ma = 10, slow_ma = 30 }

[portfolio]
initial_cash = 100000
currency = "USD"

[broker]
kind = "simulated"
account = "cash"             # "margin" may borrow and sell short
maker_fee_percent = 0.02
taker_fee_percent = 0.05
slippage_bps = 2             # 2 bps: 0.02 % worse than the price

[risk]
allow_short = false

[risk.sizer]
kind = "percent_of_equity"   # fixed_quantity, fixed_notional, percent_of_equity, atr_target
percent = 20

[risk.limits]                # every limit is off unless it is set
max_order_notional = 50000
max_gross_exposure_percent = 100
max_orders_per_minute = 30
daily_loss_percent = 5
max_drawdown_percent = 25

[logging]
level = "info"
format = "auto"              # a live panel on a terminal, JSON lines when piped
"""

_STRATEGY = '''\
"""A strategy to begin with: buys above its average of the last bars, gets out below it."""

from pydantic import Field

from tradingd.domain.enums import Direction
from tradingd.domain.events import Bar, Fill, OrderUpdate
from tradingd.strategy.base import Strategy, StrategyParams
from tradingd.strategy.indicators import SMA


class MyStrategy(Strategy):
    """Long while the close is above its simple moving average."""

    class Params(StrategyParams):
        """Declared here, checked before the run starts; an unknown name is refused."""

        symbol: str
        lookback: int = Field(50, ge=2, description="How many bars the average is taken over.")

    params: Params

    @property
    def warmup_bars(self) -> int:
        """Until this many bars were seen, whatever this strategy asks for is dropped."""
        return self.params.lookback

    def on_start(self) -> None:
        """Before the first event."""
        self.average = SMA(self.params.lookback)

    def on_bar(self, bar: Bar) -> None:
        """At each closed bar. Orders asked for here fill at the next bar's open."""
        average = self.average.update(bar.close)
        if average is None:
            return
        held = not self.position(bar.symbol).is_flat
        if bar.close > average and not held:
            self.signal(bar.symbol, Direction.LONG)  # risk decides how much
        elif bar.close < average and held:
            self.signal(bar.symbol, Direction.FLAT)

    def on_fill(self, fill: Fill) -> None:
        """When a fill of this strategy has been booked."""

    def on_order(self, update: OrderUpdate) -> None:
        """When an order of this strategy changed, or was denied: `update.status`, `update.reason`."""
'''

_FILES = {"config.toml": _CONFIG, "my_strategy.py": _STRATEGY}


def write_skeleton(folder: Path, *, force: bool, as_json: bool = False) -> None:
    """Write the configuration and the strategy; nothing is overwritten without `force`.

    Raises:
        UsageError: a file is there, or the folder cannot be written.

    """
    there = [name for name in _FILES if (folder / name).exists()]
    if there and not force:
        raise UsageError(f"{folder / there[0]} is there already; give another folder, or --force to overwrite it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in _FILES.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}") from error
    if as_json:
        echo_json({"written": [str(folder / name) for name in _FILES]})
        return
    for name in _FILES:
        typer.echo(f"wrote {folder / name}")
    typer.echo(f"\nNow: tradingd run {folder / 'config.toml'}")
