"""What a fill costs."""

from tests.exchange.world import ANN, BOB, BUY, SELL, Desk, d
from tradingd.testing.exchange.model import FeeCoin, FeePlan

PLAN = FeePlan(maker=d("0.001"), taker=d("0.002"))


def fees(desk: Desk, who: str) -> list[tuple[str, str]]:
    """What each of the account's trades cost."""
    return [(str(trade.fee.normalize()), trade.fee_asset) for trade in desk.engine.my_trades(who)]


def test_fees_are_taken_from_what_the_fill_brings() -> None:
    """Base for the buyer, quote for the seller; the maker pays the maker's rate."""
    desk = Desk(fees=PLAN, btc=10, usdt=1_000)
    desk.limit(BOB, SELL, "2", 100)
    desk.market(ANN, BUY, "2")
    assert fees(desk, ANN) == [("0.004", "BTC")]
    assert fees(desk, BOB) == [("0.2", "USDT")]
    assert desk.totals(ANN) == {"BTC": "11.996", "USDT": "8E+2"}
    assert desk.totals(BOB) == {"BTC": "8", "USDT": "1199.8"}


def test_fees_come_from_a_third_coin_while_it_lasts() -> None:
    """With the coin switched on its own rate applies; when the coin runs out, the received asset pays again."""
    coin = FeeCoin("BNB", maker=d("0.00075"), taker=d("0.00075"), price=d(500))
    desk = Desk(fees=PLAN)
    desk.engine.set_fees(ANN, FeePlan(PLAN.maker, PLAN.taker, coin))
    desk.book(asks=[(1_000, "1000")])
    desk.market(ANN, BUY, "400")
    desk.market(ANN, BUY, "400")
    assert fees(desk, ANN) == [("0.6", "BNB"), ("0.8", "BTC")]
    assert desk.engine.ledger.total(ANN, "BNB") == d("0.4")
    desk.engine.ledger.audit()


def test_a_commission_has_eight_decimals_and_is_cut_off() -> None:
    """The exchange rounds commissions down."""
    desk = Desk(fees=FeePlan(d("0.000333333"), d("0.000333333")))
    desk.book(asks=[(100, "1")])
    desk.market(ANN, BUY, "0.333")
    assert fees(desk, ANN) == [("0.00011099", "BTC")]


def test_a_changed_plan_holds_from_the_next_fill() -> None:
    """Fee tiers flip between fills."""
    desk = Desk(fees=PLAN)
    desk.book(asks=[(100, "2")])
    desk.market(ANN, BUY, "1")
    desk.engine.set_fees(ANN, FeePlan(d(0), d(0)))
    desk.market(ANN, BUY, "1")
    assert fees(desk, ANN) == [("0.002", "BTC"), ("0", "BTC")]
