"""The configurations in examples/ run, and trade."""

from pathlib import Path

import pytest

from tests.runtime.parts import REPO, drive, loaded
from tradingd.domain.enums import OrderStatus
from tradingd.domain.events import Fill, OrderUpdate
from tradingd.testing import EventLog

LIVE = {"live", "paper_live"}
"""They need an exchange; tests/cli holds them against `tradingd check`."""
EXAMPLES = sorted(path for path in (REPO / "examples").glob("*.toml") if path.stem not in LIVE)
QUOTES = (
    REPO.parent / "shared" / "data" / "tests_only" / "crypto_ticks" / "binance_BTCUSDT_20240808_quotes.parquet"
)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_trades(path: Path, tmp_path: Path) -> None:
    """Its backtest fills, and what it is refused is the exception."""
    text = path.read_text()
    if "quotes.parquet" in text:
        if not QUOTES.exists():
            pytest.skip(f"the recorded quotes are not here: {QUOTES}")
        text = text.replace("quotes.parquet", str(QUOTES))
    config = tmp_path / "example.toml"
    config.write_text(text)
    container, _, report = loaded([config], "backtest")
    manager, log = container.get("event_manager"), EventLog()
    manager.observe(log.observe)
    manager.clock.advance_to(report.first_ts)
    drive(manager, container.get("data_handler").stream())
    bad = (OrderStatus.DENIED, OrderStatus.REJECTED)
    refused = [update.reason for update in log.of(OrderUpdate) if update.status in bad]
    assert manager.faulted == ()
    assert len(log.of(Fill)) > 10
    assert len(refused) <= len(log.of(Fill)) / 20, refused


def test_there_is_an_example_for_each_strategy_with_explicit_orders() -> None:
    """Those that are configured by more than a symbol."""
    strategies = [path.stem for path in EXAMPLES if path.stem != "sweep"]
    assert strategies == ["dca", "grid", "market_maker", "momentum", "pairs"]
