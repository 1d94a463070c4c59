"""The strategies that place explicit orders, in whole backtests over recorded data: their bounds and the books."""

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.parts import REPO, drive, loaded
from tradingd.domain.enums import OrderStatus, Side
from tradingd.domain.events import (
    CancelRequest,
    Event,
    Fill,
    ModifyRequest,
    OrderRequest,
    OrderUpdate,
    PositionUpdate,
    Signal,
)
from tradingd.testing import EventLog

DATA = REPO.parent / "shared" / "data" / "tests_only"
EQUITIES = "equities_daily_2013_2018"


class Backtest:
    """A backtest of one strategy over files of recorded data."""

    def __init__(
        self, tmp_path: Path, files: dict[str, str], strategy: str, rest: str = "", kind: str = "bars"
    ) -> None:
        config = tmp_path / "c.toml"
        config.write_text(rest + "".join(_file(*each, kind) for each in files.items()) + strategy)
        self.container, self.strategies, report = loaded([config], "backtest")
        manager = self.container.get("event_manager")
        log = EventLog()
        manager.observe(log.observe)
        manager.clock.advance_to(report.first_ts)
        drive(manager, self.container.get("data_handler").stream())
        assert manager.faulted == ()
        self.events: list[Event] = log.events
        self.portfolio = self.container.get("portfolio_manager")

    def of(self, *kinds: type[Event]) -> list[Any]:
        """The events of these kinds."""
        return [event for event in self.events if isinstance(event, kinds)]

    @property
    def refused(self) -> Counter[str]:
        """The reason codes of orders that were denied or rejected."""
        bad = (OrderStatus.DENIED, OrderStatus.REJECTED)
        return Counter(
            update.reason.partition(":")[0]
            for update in self.of(OrderUpdate)
            if update.status in bad or update.reason.startswith("MODIFY_")
        )

    def positions(self, symbol: str) -> list[Decimal]:
        """The position after each fill."""
        return [update.quantity for update in self.of(PositionUpdate) if update.symbol == symbol]

    def books_agree(self) -> None:
        """What the fills add up to is the position, the strategy's and the account's, and the venue's account."""
        account = self.container.get("broker").account
        for symbol in self.strategies[0].symbols:
            total = sum(
                (fill.quantity * fill.side.sign for fill in self.of(Fill) if fill.symbol == symbol), Decimal(0)
            )
            strategy_id = self.strategies[0].strategy_id
            instrument = self.strategies[0].instrument(symbol)
            assert total == self.portfolio.get_position(symbol).quantity
            assert total == self.portfolio.get_strategy_position(strategy_id, symbol).quantity
            assert total == account.position(instrument).quantity


def _file(symbol: str, path: str, kind: str) -> str:
    full = DATA / f"{path}.parquet"
    if not full.exists():
        pytest.skip(f"the recorded data is not here: {full}")
    text = f'[[data.files]]\nsymbol = "{symbol}"\nkind = "{kind}"\npath = "{full}"\n'
    if kind == "bars":
        text += 'interval = "1d"\ncalendar = "weekdays"\n' if EQUITIES in path else 'interval = "1m"\n'
    return text


def _instrument(symbol: str, lot: str) -> str:
    return f'[[instruments]]\nsymbol = "{symbol}"\ntick = "0.01"\nlot = "{lot}"\n'


def _strategy(name: str, params: str) -> str:
    return f'[[strategies]]\nname = "{name}"\nparams = {{ {params} }}\n'


# --- momentum ----------------------------------------------------------------------------------------------


def equities() -> dict[str, str]:
    """All sixteen."""
    folder = DATA / EQUITIES
    if not folder.is_dir():
        pytest.skip(f"the recorded data is not here: {folder}")
    return {path.stem: f"{EQUITIES}/{path.stem}" for path in sorted(folder.glob("*.parquet"))}


@pytest.mark.parametrize("bottom", [0, 2])
def test_momentum_over_sixteen_shares(tmp_path: Path, bottom: int) -> None:
    """Five years, monthly: never more than it selects, no order refused, weights near their shares."""
    files = equities()
    params = f'symbols = {list(files)}, lookback = 126, skip = 21, top = 4, bottom = {bottom}, capital = "80000"'
    margin = '[broker]\naccount = "margin"\nleverage = 2\n[risk]\nallow_short = true\n' if bottom else ""
    run = Backtest(tmp_path, files, _strategy("cross_sectional_momentum", params), margin)
    held: dict[str, Decimal] = {}
    most = {Side.BUY: 0, Side.SELL: 0}
    for update in run.of(PositionUpdate):
        held[update.symbol] = update.quantity
        most[Side.BUY] = max(most[Side.BUY], sum(quantity > 0 for quantity in held.values()))
        most[Side.SELL] = max(most[Side.SELL], sum(quantity < 0 for quantity in held.values()))
    assert most == {Side.BUY: 4, Side.SELL: bottom}
    assert not run.refused
    assert len(run.of(Fill)) > 100
    run.books_agree()
    worth = [
        float(position.market_value(run.portfolio.price(symbol)))
        for symbol, position in run.portfolio.positions.items()
    ]
    longs, shorts = [value for value in worth if value > 0], [-value for value in worth if value < 0]
    assert (len(longs), len(shorts)) == (4, bottom)
    for side in (longs, shorts):
        assert max(side, default=0.0) <= 1.5 * min(side, default=0.0)


# --- pairs -------------------------------------------------------------------------------------------------

PAIR = {"XOM": f"{EQUITIES}/XOM", "CVX": f"{EQUITIES}/CVX"}
PAIR_PARAMS = 'a = "XOM", b = "CVX", notional = "20000", max_bars = 60'


def test_pairs_of_two_oil_companies(tmp_path: Path) -> None:
    """Always one long and one short or nothing, but for the moments between the fills of two legs."""
    margin = '[broker]\naccount = "margin"\nleverage = 2\n[risk]\nallow_short = true\n'
    run = Backtest(tmp_path, PAIR, _strategy("pairs", PAIR_PARAMS), margin)
    held = dict.fromkeys(PAIR, Decimal(0))
    lame_since: dict[int, int] = {}
    for update in run.of(PositionUpdate):
        held[update.symbol] = update.quantity
        assert held["XOM"] * held["CVX"] <= 0
        if bool(held["XOM"]) != bool(held["CVX"]):
            lame_since[update.ts] = lame_since.get(update.ts, 0) + 1
        else:
            assert lame_since.pop(update.ts, 1) == 1  # completed within the same instant
    assert not lame_since
    assert not run.refused
    assert len(run.of(Fill)) > 40
    run.books_agree()


def test_pairs_without_short_selling_stop_before_they_trade(tmp_path: Path) -> None:
    """One denied order, one clear error, no position."""
    config = tmp_path / "c.toml"
    config.write_text("".join(_file(*each, "bars") for each in PAIR.items()) + _strategy("pairs", PAIR_PARAMS))
    container, _, report = loaded([config], "backtest")
    manager = container.get("event_manager")
    log = EventLog()
    manager.observe(log.observe)
    manager.clock.advance_to(report.first_ts)
    drive(manager, container.get("data_handler").stream())
    assert manager.faulted == ("strategy.pairs",)
    assert [type(event) for event in log.events if isinstance(event, OrderRequest | Fill)] == [OrderRequest]


# --- grid and DCA over a crash by the minute ---------------------------------------------------------------

BITCOIN = {"BTC/USD": "crypto_1m/coinbase_BTCUSD_20180404_20180406"}
GRID_PARAMS = 'symbol = "BTC/USD", lower = "6500", upper = "7500", levels = 201, quantity = "0.05"'


def test_a_grid_over_three_days_of_bitcoin(tmp_path: Path) -> None:
    """Within its inventory at every fill and with all that works; no sale without a purchase a level below."""
    rest = _instrument("BTC/USD", "0.00000001") + "[broker]\nmaker_fee_percent = 0.05\n"
    run = Backtest(
        tmp_path, BITCOIN, _strategy("grid", f'{GRID_PARAMS}, max_inventory = "2", buy_at_start = false'), rest
    )
    assert all(0 <= quantity <= 2 for quantity in run.positions("BTC/USD"))
    assert not run.refused
    filled = {fill.intent_id for fill in run.of(Fill)}
    lines: dict[Side, Counter[Decimal | None]] = {side: Counter() for side in Side}
    for request in run.of(OrderRequest):
        if request.intent_id in filled:
            lines[request.side][request.limit_price] += 1
    assert lines[Side.SELL].total() > 15
    for cell in run.strategies[0]._ladder.cells:  # type: ignore[attr-defined]
        assert 0 <= lines[Side.BUY][cell.low] - lines[Side.SELL][cell.high] <= 1
    run.books_agree()
    working = run.container.get("execution_engine").orders.values()
    reach = run.positions("BTC/USD")[-1] + sum(
        (order.quantity - order.filled for order in working if order.side is Side.BUY), Decimal(0)
    )
    assert reach <= 2


def test_a_grid_stops_out(tmp_path: Path) -> None:
    """Below its stop everything is canceled and sold, and nothing is asked for any more."""
    rest = _instrument("BTC/USD", "0.00000001")
    run = Backtest(
        tmp_path, BITCOIN, _strategy("grid", f'{GRID_PARAMS.replace("6500", "6800")}, stop_below = "6700"'), rest
    )
    (signal,) = run.of(Signal)
    assert run.portfolio.get_position("BTC/USD").is_flat
    assert not run.container.get("execution_engine").orders
    assert all(request.ts <= signal.ts for request in run.of(OrderRequest))
    run.books_agree()


def test_a_grid_whose_orders_are_all_denied_does_not_flood(tmp_path: Path) -> None:
    """Three days of refusals, by the minute: about six orders an hour."""
    rest = _instrument("BTC/USD", "0.00000001") + "[risk.limits]\nmax_order_notional = 1\n"
    run = Backtest(tmp_path, BITCOIN, _strategy("grid", GRID_PARAMS), rest)
    assert set(run.refused) == {"MAX_ORDER_NOTIONAL"}
    assert len(run.of(OrderRequest)) < 7 * 72
    assert not run.of(Fill)


def test_dca_through_a_hole_of_seven_hours(tmp_path: Path) -> None:
    """500 an hour from the first bar on: what has been spent at the end is what was due, hole or not."""
    params = 'symbol = "BTC/USD", interval_s = 3600, notional = "500"'
    rest = _instrument("BTC/USD", "0.00000001") + "[broker]\ntaker_fee_percent = 0.1\n"
    run = Backtest(tmp_path, BITCOIN, _strategy("dca", params), rest)
    requests = run.of(OrderRequest)
    hours = 1 + (run.of(Fill)[-1].ts - requests[0].ts) // 3_600_000_000_000
    spent = sum((fill.quantity * fill.price for fill in run.of(Fill)), Decimal(0))
    assert hours > 60
    assert 500 * (hours - 1) - 5 < spent < 500 * hours + 5
    assert not run.refused
    run.books_agree()


def test_dca_takes_profits_and_keeps_its_cap(tmp_path: Path) -> None:
    """With dips, exits and a cap: the position never costs more than that, and everything is sold now and then."""
    params = (
        'symbol = "BTC/USD", interval_s = 1800, notional = "500", dip_percent = 1, take_profit_percent = 0.7, '
        'max_invested = "5000"'
    )
    day = {"BTC/USD": "crypto_1m/bybit_BTCUSDT_20221213"}
    run = Backtest(tmp_path, day, _strategy("dca", params), _instrument("BTC/USD", "0.00000001"))
    assert max(update.cost for update in run.of(PositionUpdate)) < 5_050
    assert Decimal(0) in run.positions("BTC/USD")
    assert not run.refused
    run.books_agree()


# --- the market maker on recorded quotes -------------------------------------------------------------------


def test_the_market_maker_on_recorded_quotes(tmp_path: Path) -> None:
    """Inside its inventory, without a refusal, and with fewer requests than one a side and half second."""
    params = (
        'symbol = "BTC/USDT", quantity = "0.01", max_inventory = "0.05", half_spread_bps = 0.2, skew_bps = 1, '
        "min_change_bps = 0.1, requote_s = 0.5"
    )
    rest = '[portfolio]\ncurrency = "USDT"\n' + _instrument("BTC/USDT", "0.00001")
    quotes = {"BTC/USDT": "crypto_ticks/binance_BTCUSDT_20240808_quotes"}
    run = Backtest(tmp_path, quotes, _strategy("market_maker", params), rest, kind="quotes")
    assert all(0 <= quantity <= Decimal("0.05") for quantity in run.positions("BTC/USDT"))
    assert not run.refused
    fills = run.of(Fill)
    assert len(fills) > 10
    assert {fill.side for fill in fills} == set(Side)
    asked = run.of(OrderRequest, ModifyRequest, CancelRequest)
    seconds = (asked[-1].ts - asked[0].ts) / 1e9
    assert len(asked) < 2 * (2 * seconds + 1)
    run.books_agree()
