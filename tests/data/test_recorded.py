"""Recorded data of real exchanges, read from beside the repository."""

from pathlib import Path

import pytest

from tradingd.data import DataHandler, Gap, SeriesKind, SeriesSpec, parse_interval, parse_time, read_events, scan
from tradingd.domain.enums import Side
from tradingd.domain.events import Quote, Trade


def spec_of(path: Path, interval: str = "1m", calendar: str = "24/7") -> SeriesSpec:
    """A series of bars."""
    return SeriesSpec(symbol=path.stem, path=path, interval_ns=parse_interval(interval), calendar=calendar)


def ticks(recorded: Path, name: str, kind: SeriesKind) -> SeriesSpec:
    """A series of ticks."""
    return SeriesSpec(
        symbol=name, path=recorded / "crypto_ticks" / f"binance_{name}_20240808_{kind}.parquet", kind=kind
    )


def test_outage(recorded: Path) -> None:
    """Coinbase's outage of 2018-04-04 is found as a hole of seven hours."""
    report = scan(spec_of(recorded / "crypto_1m" / "coinbase_BTCUSD_20180404_20180406.parquet"))
    longest = max(report.gaps, key=lambda gap: gap.missing)
    assert longest == Gap(parse_time("2018-04-04T16:48"), parse_time("2018-04-05"), 432)
    assert (report.rows, report.problem_count) == (3_887, 0)


def test_thin_market(recorded: Path) -> None:
    """Bitfinex's day of 2019-03-29 has its 52 holes and lacks 58 bars of the day's 1,440."""
    report = scan(spec_of(recorded / "crypto_1m" / "bitfinex_BTCUSD_20190329.parquet"))
    assert (report.gap_count, report.missing, report.rows) == (52, 58, 1_382)


@pytest.mark.parametrize(
    ("folder", "interval", "calendar"),
    [
        ("crypto_1m", "1m", "24/7"),
        ("crypto_daily", "1d", "24/7"),
        ("equities_daily_2013_2018", "1d", "weekdays"),
    ],
)
def test_real_bars_are_sound(folder: str, interval: str, calendar: str, recorded: Path) -> None:
    """Real bars of every market pass the validation, and read as many as were counted."""
    paths = sorted((recorded / folder).glob("*.parquet"))
    assert paths
    for path in paths:
        spec = spec_of(path, interval, calendar)
        report = scan(spec)
        assert (path.name, report.problem_count, report.warning_count) == (path.name, 0, 0)
        assert sum(1 for _ in read_events(spec)) == report.rows_in_range == report.rows


@pytest.mark.parametrize(("name", "rows"), [("BTCUSDT", 9_757), ("ETHUSDT", 6_106)])
def test_real_trades(name: str, rows: int, recorded: Path) -> None:
    """Real trades are sound, and are known when the recorder had them, whose clock is behind the exchange's."""
    spec = ticks(recorded, name, SeriesKind.TRADES)
    assert (scan(spec).rows, scan(spec).problem_count) == (rows, 0)
    trades = [event for event in read_events(spec) if isinstance(event, Trade)]
    assert len(trades) == rows
    assert {trade.side for trade in trades} == {Side.BUY, Side.SELL}
    ids = [int(trade.trade_id) for trade in trades]
    assert ids == list(range(ids[0], ids[0] + rows))


def test_receive_time(recorded: Path) -> None:
    """The first Bitcoin trade carries the recorder's time, 1.255 s before the exchange's own."""
    first = next(read_events(ticks(recorded, "BTCUSDT", SeriesKind.TRADES)))
    assert first == Trade(1_723_161_254_087 * 10**6, "BTCUSDT", 61_837.63, 0.02, Side.SELL, "3735683259")


def test_real_quotes(recorded: Path) -> None:
    """Real best quotes are sound."""
    spec = ticks(recorded, "BTCUSDT", SeriesKind.QUOTES)
    assert (scan(spec).rows, scan(spec).problem_count) == (5_361, 0)
    first = next(read_events(spec))
    assert first == Quote(1_723_161_254_087 * 10**6, "BTCUSDT", 61_837.63, 61_837.64, 3.78826, 1.54698)


def test_ticks_are_merged(recorded: Path) -> None:
    """Trades and quotes of one market come in the order in which they were received."""
    specs = [ticks(recorded, "BTCUSDT", kind) for kind in (SeriesKind.TRADES, SeriesKind.QUOTES)]
    handler = DataHandler(lambda _symbol: specs)
    assert handler.load_data("BTCUSDT").total_events == 9_757 + 5_361
    times = [event.ts for event in handler]
    assert times == sorted(times)
    assert len(times) == handler.delivered == handler.total_events
