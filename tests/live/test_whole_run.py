"""The daemon as users run it on live data: every component, the unmodified ccxt client, real sockets."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

from tests.live.world import KEY, SECRET, whole_run
from tradingd.data.catalog import Catalog
from tradingd.data.readers import read_events
from tradingd.domain.events import Fill, HaltChanged, OrderUpdate, Quote

D = Decimal


def _written(folder: Path) -> bytes:
    """All that a run has written to files."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_a_live_run_ends_with_the_exchange_and_the_books_agreed(tmp_path: Path) -> None:
    """Every order is on the wire once, every trade is booked once, our books are the exchange's to the unit."""
    run = await whole_run(tmp_path)
    portfolio = run.session.portfolio
    told = run.exchange.engine.balances(run.account)
    assert {asset: portfolio.cash(asset) for asset in told} == {asset: sum(parts) for asset, parts in told.items()}
    sent = Counter(call.client_id for call in run.exchange.wire if call.places_order)
    assert len(sent) == 12
    assert set(sent.values()) == {1}
    trades = [trade.trade_id for trade in run.events.of(Fill)]
    assert len(trades) == len(set(trades)) == len(run.exchange.engine.my_trades(run.account, "BTCUSDT"))
    assert run.events.of(HaltChanged) == []
    portfolio.ledger.verify()


async def test_coins_of_the_owner_are_left_alone(tmp_path: Path) -> None:
    """What the account held before is no position: the strategy's position is what it bought, less its fees."""
    run = await whole_run(tmp_path, orders=2)
    bought = sum((trade.quantity for trade in run.events.of(Fill)), D(0))
    position = run.session.portfolio.get_position("BTC/USDT").quantity
    assert bought == D("0.02")
    assert position == D("0.02") * D("0.999")
    assert run.session.portfolio.cash("BTC") == position + D("0.5")


async def test_paper_on_live_data_sends_nothing_and_has_no_keys(tmp_path: Path) -> None:
    """A paper run on live data trades with the simulated exchange: the real one gets public requests only."""
    run = await whole_run(tmp_path, "paper")
    assert len(run.events.of(Fill)) >= 12
    assert {call.api_key for call in run.exchange.wire} == {""}
    assert not any(call.places_order for call in run.exchange.wire)
    assert run.summary.mode == "PAPER"


async def test_no_output_has_a_key_in_it(tmp_path: Path) -> None:
    """Keys and signatures are in no log line at any level, in no event, and in no file of the run."""
    run = await whole_run(tmp_path, orders=4, data='[data.record]\ncatalog = "kept"')
    written = _written(tmp_path)
    told = (
        run.logged.getvalue() + repr(run.events.events) + repr(run.session.manager.components) + repr(run.summary)
    )
    assert "whole" in run.logged.getvalue()
    for secret in (KEY, SECRET, "signature="):
        assert secret not in told
        assert secret.encode() not in written


async def test_a_recorded_feed_replays_tick_for_tick(tmp_path: Path) -> None:
    """What a live run kept is read back as the same events, in the same order."""
    data = '[data.record]\ncatalog = "kept"\nkinds = ["quotes"]'
    run = await whole_run(tmp_path, orders=3, data=data)
    catalog = Catalog(tmp_path / "kept")
    replayed = list(read_events(catalog.find("BTC/USDT", None)))
    seen = run.events.of(Quote)
    assert len(seen) > 10
    assert replayed == seen


async def test_nothing_is_sent_before_the_run_is_ready(tmp_path: Path) -> None:
    """What strategies ask before accounts, feed and history are there is denied; later orders pass."""
    run = await whole_run(tmp_path, orders=2)
    states = [update.reason for update in run.events.of(OrderUpdate) if update.status.name == "DENIED"]
    assert all(reason.startswith("NOT_READY") for reason in states)
    first = next(call.at for call in run.exchange.wire if call.places_order)
    account_read = next(call.at for call in run.exchange.wire if call.path.endswith("/account"))
    assert account_read < first
