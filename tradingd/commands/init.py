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

_LIVE = """\
# Live trading of your own, on the exchange's own test venue first. Try, in this folder:
#
#   tradingd exchanges binance            what the exchange supports
#   tradingd check config.toml --online   keys, clock, markets, filters, limits
#   tradingd rehearse --config config.toml --faults all --seed 7
#   tradingd run config.toml
#
# The keys are no part of this file. Make them at the exchange, without leave to withdraw, then:
#
#   mkdir -m 700 secrets; umask 077; cat > secrets/main.api_key; cat > secrets/main.secret
#   export TRADINGD_SECRETS_DIR=$PWD/secrets

[run]
name = "mine-live"
mode = "live"                # "paper" trades on the same live data with simulated money, and cannot have keys
accounts = ["main"]          # who may trade

[accounts.main]
exchange = "binance"         # `tradingd exchanges` lists them
environment = "sandbox"      # then "production", when the rehearsal passes and the sandbox has run for days
symbols = ["BTC/USDT"]       # all that this account may trade; BTC/USDT:USDT is the swap
market_types = ["spot"]      # and "swap", "future", "option"
order_timeout_s = 5          # how long an order's request may take; then its outcome is looked for
# dead_man_s = 60            # where it can, the exchange cancels all orders, stops too, when we fall silent

[data]
# feed = "live"              # on paper; live trading is always on live data
interval = "1m"              # how long bars are; they are built from the trades

[data.live]
stale_after_s = 15           # a stream silent for so long is closed and opened anew

[[strategies]]
name = "my_strategy:MyStrategy"        # a class in my_strategy.py beside this file
id = "mine-btc"
params = { symbol = "BTC/USDT", lookback = 50 }

[portfolio]
currency = "USDT"            # what equity and limits are counted in; the cash is what the account has

[risk]
allow_short = false

[risk.sizer]
kind = "fixed_notional"      # small, and of a size that you know
notional = 20

[risk.limits]                # all of these are mandatory for live trading
max_order_notional = 25
max_position_notional = 50   # or max_position_quantity
max_gross_exposure_percent = 20        # or max_leverage
price_collar_percent = 1
stale_after_s = 30
max_orders_per_minute = 10
daily_loss_percent = 1
max_drawdown_percent = 5

[logging]
level = "info"
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

_TEMPLATES = {"paper": _CONFIG, "live": _LIVE}
_NEXT = {
    "paper": "tradingd run {}",
    "live": "put the keys into a secrets directory, as it says, and tradingd check {} --online",
}


def write_skeleton(folder: Path, *, force: bool, template: str = "paper", as_json: bool = False) -> None:
    """Write the configuration and the strategy; nothing is overwritten without `force`.

    Raises:
        UsageError: there is no such template, a file is there, or the folder cannot be written.

    """
    if template not in _TEMPLATES:
        raise UsageError(f"--template {template}: use {' or '.join(_TEMPLATES)}")
    files = {"config.toml": _TEMPLATES[template], "my_strategy.py": _STRATEGY}
    there = [name for name in files if (folder / name).exists()]
    if there and not force:
        raise UsageError(f"{folder / there[0]} is there already; give another folder, or --force to overwrite it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}") from error
    if as_json:
        echo_json({"written": [str(folder / name) for name in files]})
        return
    for name in files:
        typer.echo(f"wrote {folder / name}")
    typer.echo(f"\nNow: {_NEXT[template].format(folder / 'config.toml')}")
