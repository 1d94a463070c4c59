"""The specification's example: wire the components by hand and let a loop route the events by itself.

Run it from anywhere: `python examples/spec_example.py` (needs `pip install 'tradingd[data,demo]'`).
"""

import os
from pathlib import Path

from tradingd import bootstrap
from tradingd.domain.events import EventType

os.chdir(Path(__file__).resolve().parents[1])  # config/ is beside this folder

# The container holds every part, wired and idle.
container = bootstrap(["config/backtest.yaml"])
config = container.get("config")
event_manager = container.get("event_manager")
data_handler = container.get("data_handler")
portfolio_manager = container.get("portfolio_manager")
risk_manager = container.get("risk_manager")
broker = container.get("broker")
execution_engine = container.get("execution_engine")
strategy_factory = container.get("strategy_factory")

initial_cash = config.get_section("portfolio").get_float("initial_cash")

strategy = strategy_factory.create("ma_crossover", {"symbol": "AAPL", "fast_ma": 10, "slow_ma": 30})

# Who handles what. A component gets these and whatever else it cannot do without.
event_manager.register_component("broker", broker, [EventType.BAR])
event_manager.register_component("execution_engine", execution_engine, [EventType.ORDER])
event_manager.register_component("portfolio", portfolio_manager, [EventType.FILL])
event_manager.register_component("risk", risk_manager, [EventType.SIGNAL])
event_manager.register_component("strategy", strategy, [EventType.BAR])


class Fills:
    """Prints fills. Observers are held weakly: keep the object."""

    def __init__(self) -> None:
        self.count = 0

    def on_fill(self, fill) -> None:  # noqa: ANN001 - an example
        """Print a fill."""
        self.count += 1
        print(f"  {fill.side:4} {fill.quantity} {fill.symbol} at {fill.price}")


fills = Fills()
event_manager.observe(fills.on_fill, [EventType.FILL])

data_handler.load_data(["AAPL"], start_date="2020-01-01", end_date="2020-12-31")

bars = 0
while data_handler.has_more_data():
    bar = data_handler.get_next_bar("AAPL")  # broker, portfolio and strategy have seen it when this returns
    bars += 1

print(f"Bars:      {bars}")
print(f"Fills:     {fills.count}")
print(f"Equity:    {portfolio_manager.get_equity():,.2f} USD (began with {initial_cash:,.2f})")
for symbol, position in portfolio_manager.positions.items():
    print(f"Position:  {position.quantity} {symbol}, average price {position.average_price:.2f}")
