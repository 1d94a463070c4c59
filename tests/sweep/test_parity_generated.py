"""Parity under configurations that nobody has thought of."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sweep.parts import Row, compare, settings_for, write_rows
from tradingd.sweep.runner import prepare


def _prices(step: float) -> st.SearchStrategy[list[Row]]:
    """Bars on a grid; moves are small, none, or gaps."""
    moves = st.lists(
        st.tuples(st.sampled_from((0, 0, 0, 0, 1, -1, 15, -15)), st.integers(-3, 3)), min_size=3, max_size=160
    )
    return moves.map(lambda drawn: _walk(drawn, step))


def _walk(moves: list[tuple[int, int]], step: float) -> list[Row]:
    rows, price = [], 100.0
    for gap, move in moves:
        opened = max(round(price + gap * step, 4), step)
        price = max(round(opened + move * step, 4), step)
        rows.append((opened, max(opened, price), min(opened, price), price))
    return rows


def _optional(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    return st.one_of(st.just(""), values.map(lambda value: f"{name} = {value}\n"))


def _number(low: int, high: int, digits: int) -> st.SearchStrategy[float]:
    return st.integers(low * 10**digits, high * 10**digits).map(lambda n: max(n, 1) / 10**digits)


_SIZERS = st.one_of(
    _number(1, 60, 1).map(lambda value: f'kind = "fixed_quantity"\nquantity = {value}\n'),
    _number(100, 20_000, 2).map(lambda value: f'kind = "fixed_notional"\nnotional = {value}\n'),
    _number(1, 100, 1).map(lambda value: f'kind = "percent_of_equity"\npercent = {value}\n'),
)
_HALTS = st.sampled_from(('"no_new"', '"reduce_only"', '"cancel_all"', '"flatten"', '"halted"'))


@st.composite
def accounts(draw: st.DrawFn) -> str:
    """A configuration from [portfolio] to [risk.limits]."""
    margin = draw(st.booleans())
    broker = f"taker_fee_percent = {draw(st.sampled_from((0, 0.1, 0.075, 1, -0.02)))}\n"
    broker += f"slippage_bps = {draw(st.sampled_from((0, 1, 2.5, 33)))}\n"
    if margin:
        broker += 'account = "margin"\nmaintenance_margin_percent = 0\n'
        broker += f"leverage = {draw(st.sampled_from((1, 1.5, 4)))}\n"
    halt = draw(st.one_of(st.none(), _HALTS))
    daily = "" if halt is None else f"daily_loss_percent = {draw(_number(1, 3, 1))}\non_daily_loss = {halt}\n"
    drawdown = f"max_drawdown_percent = {draw(_number(1, 8, 1))}\non_drawdown = {draw(_HALTS)}\n"
    limits = (
        draw(_optional("max_order_quantity", _number(1, 60, 1))),
        draw(_optional("max_order_notional", _number(500, 9000, 1))),
        draw(_optional("max_position_quantity", _number(1, 60, 1))),
        draw(_optional("max_position_notional", _number(500, 9000, 1))),
        draw(_optional("max_strategy_capital", _number(500, 9000, 1))),
        draw(_optional("max_gross_exposure_percent", _number(20, 200, 1))),
        draw(_optional("max_net_exposure_percent", _number(20, 200, 1))),
        draw(_optional("max_leverage", _number(1, 2, 1))),
        daily or draw(_optional("daily_loss_percent", _number(1, 3, 1))),
        draw(st.sampled_from(("", drawdown))),
    )
    kept = "".join(limits) if draw(st.booleans()) else "".join(draw(st.permutations(limits))[:2])
    return (
        f"[portfolio]\ninitial_cash = {draw(st.sampled_from((10_000, 2500.37)))}\n[broker]\n{broker}"
        f"[risk]\nallow_short = {str(draw(st.booleans())).lower()}\n"
        f"[risk.sizer]\n{draw(_SIZERS)}[risk.limits]\n{kept}"
    )


@st.composite
def parameters(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A strategy and its parameters; short periods, so that short series do much."""
    long_only = draw(st.booleans())
    name = draw(st.sampled_from(("ma_crossover", "rsi_reversion", "donchian_breakout")))
    if name == "donchian_breakout":
        entry = draw(st.integers(2, 6))
        periods = {"entry_period": entry, "exit_period": draw(st.integers(1, entry))}
        return name, {**periods, "atr_stop": 0, "long_only": long_only}
    if name == "ma_crossover":
        fast = draw(st.integers(1, 4))
        return "ma_crossover", {"fast_ma": fast, "slow_ma": fast + draw(st.integers(1, 5)), "long_only": long_only}
    levels = sorted(draw(st.lists(st.integers(5, 95), min_size=3, max_size=3, unique=True)))
    named = dict(zip(("oversold", "exit", "overbought"), levels, strict=True))
    return "rsi_reversion", {"period": draw(st.integers(2, 5)), "long_only": long_only, **named}


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    account=accounts(),
    chosen=parameters(),
    rows=st.sampled_from((0.01, 0.5, 2.0)).flatmap(_prices),
    tick=st.sampled_from(("0.01", "0.05", "0.25")),
    lot=st.sampled_from(("0.001", "0.1", "1")),
    filters=st.sampled_from(
        (
            "",
            "min_notional = 400",
            "max_notional = 3000",
            "min_quantity = 7",
            "max_quantity = 15",
            "multiplier = 2.5",
        )
    ),
)
def test_any_configuration(
    account: str, chosen: tuple[str, dict[str, Any]], rows: list[Row], tick: str, lot: str, filters: str
) -> None:
    """Whatever is configured, and whatever the bars, kernel and event engine make the same fills."""
    strategy, params = chosen
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rows(folder / "bars.parquet", rows, interval_ms=3_600_000)
        made = settings_for(
            folder, folder / "bars.parquet", account,
            interval="1h", tick=tick, lot=lot, strategy=strategy, more=filters,
        )  # fmt: skip
        compare(prepare(made), params)
