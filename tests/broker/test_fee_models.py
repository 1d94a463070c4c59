"""Fee models: what each charges, to the digit, and what is kept for it."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.broker.market import BUY, INSTRUMENTS, SELL, Market
from tradingd.broker.models import (
    Charged,
    DetailedFee,
    FeeBasis,
    FeeKeeper,
    FeeModel,
    FeeNeeds,
    Tier,
    TrailingVolume,
    fixed_fee,
    maker_taker_fee,
    no_fee,
    per_share_fee,
    third_coin_fee,
    tiered_fee,
)
from tradingd.domain.enums import Liquidity, Side
from tradingd.domain.events import Fee
from tradingd.domain.money import ZERO, add, mul
from tradingd.testing import make_instrument

AAPL, INV = INSTRUMENTS["AAPL"], INSTRUMENTS["INV"]
BNB = make_instrument("BNB/USD", base="BNB", lot=Decimal("0.001"))
MAKER, TAKER = Liquidity.MAKER, Liquidity.TAKER
DAY_NS = 86_400_000_000_000
TIERS = [
    Tier(Decimal(0), Decimal("0.001"), Decimal("0.002")),
    Tier(Decimal(10_000), Decimal(0), Decimal("0.001")),
    Tier(Decimal(50_000), Decimal("-0.0001"), Decimal("0.0005")),
]


def charge(
    model: DetailedFee, quantity: object, price: object, liquidity: Liquidity = TAKER, **basis: object
) -> str:
    """What a model charges for AAPL, as `amount asset`; empty for nothing."""
    known = FeeBasis(**{name: None if given is None else Decimal(str(given)) for name, given in basis.items()})  # type: ignore[arg-type]
    fees = model.charge(AAPL, Decimal(str(quantity)), Decimal(str(price)), liquidity, known)
    return " ".join(f"{fee.amount.normalize():f} {fee.asset}" for fee in fees)


class Order:
    """An order that fills in parts, charged by a keeper."""

    def __init__(
        self, model: FeeModel, *, free: dict[str, str] | None = None, marks: dict[str, str] | None = None
    ) -> None:
        assert isinstance(model, DetailedFee)
        self.keeper = FeeKeeper(
            model,
            free=lambda asset: Decimal((free or {}).get(asset, "0")),
            mark=lambda symbol: Decimal(marks[symbol]) if marks and symbol in marks else None,
            instruments={**INSTRUMENTS, "BNB/USD": BNB},
        )
        self.charged: Charged | None = None

    def fill(self, quantity: Decimal, price: Decimal, ts: int = 0, side: Side = BUY) -> tuple[Fee, ...]:
        """Charge a fill and book it."""
        fees = self.keeper.fees(AAPL, side, quantity, price, TAKER, self.charged, ts)
        self.charged = self.keeper.book(AAPL, quantity, price, fees, self.charged, ts)
        return fees

    def total(self, fills: list[tuple[Decimal, Decimal]]) -> Decimal:
        """What all these fills are charged."""
        total = ZERO
        for quantity, price in fills:
            for fee in self.fill(quantity, price):
                total = add(total, fee.amount)
        return total


# --- per order and per share -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "price", "fee"),
    [
        (1000, 25, "5 USD"),  # 1,000 x 0.005
        (100, 25, "1 USD"),  # 0.50, the minimum is 1
        (200, 25, "1 USD"),
        (201, 25, "1.005 USD"),
        (1000, "0.25", "2.5 USD"),  # 5.00, 1 % of 250 is 2.50
        (10, "0.2", "0.02 USD"),  # the maximum is below the minimum: it holds
    ],
)
def test_per_share(quantity: int, price: object, fee: str) -> None:
    """0.005 a share, at least 1.00 and at most 1 % of the value: Interactive Brokers' own examples among them."""
    model = per_share_fee(Decimal("0.005"), Decimal(1), Decimal("0.01"))
    assert isinstance(model, DetailedFee)
    assert charge(model, quantity, price) == fee


parts = st.lists(
    st.tuples(st.integers(1, 500), st.integers(1, 400)).map(lambda p: (Decimal(p[0]), Decimal(p[1]))),
    min_size=1,
    max_size=8,
)


@settings(deadline=None)
@given(parts)
def test_the_minimum_of_an_order_is_charged_once(fills: list[tuple[Decimal, Decimal]]) -> None:
    """However an order is cut into fills, it pays what it would have paid for all in one, and no fill a rebate."""
    order = Order(per_share_fee(Decimal("0.005"), Decimal(1)))
    paid = [sum((fee.amount for fee in order.fill(*fill)), ZERO) for fill in fills]
    quantity = sum((fill[0] for fill in fills), ZERO)
    assert sum(paid, ZERO) == max(Decimal(1), mul(quantity, Decimal("0.005")))
    assert min(paid) >= 0


@settings(deadline=None)
@given(parts)
def test_the_maximum_of_an_order_counts_all_its_fills(fills: list[tuple[Decimal, Decimal]]) -> None:
    """The maximum is of the notional of the whole order."""
    order = Order(per_share_fee(Decimal("0.5"), Decimal(1), Decimal("0.01")))
    shares = sum((quantity for quantity, _ in fills), ZERO)
    notional = sum((mul(*fill) for fill in fills), ZERO)
    wanted = min(max(Decimal(1), mul(shares, Decimal("0.5"))), mul(notional, Decimal("0.01")))
    assert order.total(fills) == wanted


def test_fixed_fee_is_paid_by_the_first_fill() -> None:
    """One amount per order."""
    order = Order(fixed_fee(Decimal("4.95")))
    assert order.fill(Decimal(1), Decimal(100)) == (Fee("USD", Decimal("4.95")),)
    assert order.fill(Decimal(9), Decimal(100)) == ()


def test_orders_do_not_share_a_minimum() -> None:
    """A second order pays its own, whether filled at once or changed before."""
    market = Market(cash=100_000, fee_model=per_share_fee(Decimal("0.005"), Decimal(1)))
    market.flat(100)
    market.order(BUY, 10)
    market.order(BUY, 10)
    market.flat(100)
    assert [trade.fees for trade in market.trades] == [(Fee("USD", Decimal(1)),)] * 2
    assert market.balance() == 100_000 - 2_000 - 2


def test_no_fee() -> None:
    """Nothing."""
    assert no_fee(AAPL, Decimal(1), Decimal(1), TAKER) == ()


# --- tiers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("volume", "taker", "maker"),
    [
        ("0", "2 USD", "1 USD"),
        ("9999.99", "2 USD", "1 USD"),
        ("10000", "1 USD", ""),
        ("49999.99", "1 USD", ""),
        ("50000", "0.5 USD", "-0.1 USD"),
        ("1e9", "0.5 USD", "-0.1 USD"),
    ],
)
def test_tier_boundaries(volume: str, taker: str, maker: str) -> None:
    """A tier holds from its volume on, whatever order the tiers are given in; a negative rate is a rebate."""
    model = tiered_fee(TIERS[::-1])
    assert charge(model, 10, 100, TAKER, volume=volume) == taker
    assert charge(model, 10, 100, MAKER, volume=volume) == maker


def test_a_trade_does_not_count_for_its_own_tier() -> None:
    """The tier is that of the volume before; the next trade has the better one."""
    order = Order(tiered_fee(TIERS))
    assert order.fill(Decimal(100), Decimal(100)) == (Fee("USD", Decimal("20.000")),)
    assert order.fill(Decimal(10), Decimal(100)) == (Fee("USD", Decimal("1.000")),)


def test_volume_is_forgotten_after_thirty_days() -> None:
    """A trade of day 0 counts on day 29, not on day 30."""
    order = Order(tiered_fee(TIERS))
    order.fill(Decimal(100), Decimal(100))
    tiny = Decimal("0.001")
    assert order.fill(tiny, Decimal(100), ts=30 * DAY_NS - 1)[0].amount == Decimal("0.0001")
    assert order.fill(tiny, Decimal(100), ts=30 * DAY_NS)[0].amount == Decimal("0.0002")


def test_volume_is_counted_in_each_currency_by_itself() -> None:
    """What is traded in USD makes no tier for what settles in BTC."""
    order = Order(tiered_fee(TIERS))
    order.fill(Decimal(1000), Decimal(100))
    fees = order.keeper.fees(INV, BUY, Decimal(10), Decimal(100), TAKER, None, 0)
    assert fees == (Fee("BTC", Decimal("0.020")),)  # 10 x 100 / 100 x 0.2 %


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 80), st.integers(0, 1000)), max_size=60))
def test_trailing_volume_is_the_sum_of_its_days(trades: list[tuple[int, int]]) -> None:
    """At every trade it is the sum of today and the 29 days before, and keeps no more than 30 numbers."""
    trades.sort(key=lambda trade: trade[0])
    volume = TrailingVolume()
    for i, (day, amount) in enumerate(trades):
        volume.add(day * DAY_NS + i, Decimal(amount))
        assert volume.total(day * DAY_NS + i) == sum(given for past, given in trades[: i + 1] if past > day - 30)
        assert len(volume) <= 30


def test_late_volume_counts_for_the_latest_day() -> None:
    """Time does not go back in the window."""
    volume = TrailingVolume(2)
    volume.add(5 * DAY_NS, Decimal(1))
    volume.add(4 * DAY_NS, Decimal(2))
    assert volume.total(6 * DAY_NS) == 3
    assert volume.total(7 * DAY_NS) == 0


# --- a third coin ------------------------------------------------------------------------------------------------

COIN = third_coin_fee(Decimal("-0.0001"), Decimal("0.001"), "BNB", discount=Decimal("0.25"))


def test_fee_in_a_third_coin() -> None:
    """1,000 at 0.1 % less 25 % are 0.75 USD, at 300 a coin 0.0025 BNB."""
    assert charge(COIN, 10, 100, coin_price=300, coin_free=1) == "0.0025 BNB"


def test_a_fee_in_a_coin_is_rounded_up() -> None:
    """0.75 USD at 700 a coin are 0.00107142857...: eight places, never less than what is due."""
    assert charge(COIN, 10, 100, coin_price=700, coin_free=1) == "0.00107143 BNB"


@pytest.mark.parametrize(
    ("basis", "fee"),
    [
        ({"coin_price": None, "coin_free": 1}, "1 USD"),
        ({"coin_price": 300, "coin_free": 0}, "1 USD"),
        ({"coin_price": 300, "coin_free": "0.00249999"}, "1 USD"),
        ({"coin_price": 300, "coin_free": "0.0025"}, "0.0025 BNB"),
    ],
)
def test_without_price_or_coins_the_settlement_currency_pays(basis: dict[str, object], fee: str) -> None:
    """The whole fee then, without the discount."""
    assert charge(COIN, 10, 100, **basis) == fee


def test_a_rebate_comes_in_the_settlement_currency() -> None:
    """Nothing is discounted of what is received."""
    assert charge(COIN, 10, 100, MAKER, coin_price=300, coin_free=1) == "-0.1 USD"


def test_what_settles_in_the_coin_pays_in_it() -> None:
    """No price is needed there."""
    instrument = make_instrument("X/BNB", base="X", quote="BNB")
    fees = COIN.charge(instrument, Decimal(10), Decimal(100), TAKER, FeeBasis())
    assert fees == (Fee("BNB", Decimal("0.75000")),)


@pytest.mark.parametrize(
    ("symbol", "asset"), [("", "BNB"), ("BNB/USD", "BNB"), ("BTC/USD", "BNB"), ("PERP", "USD"), ("INV", "BNB")]
)
def test_the_symbol_that_prices_the_coin(symbol: str, asset: str) -> None:
    """COIN/SETTLE unless named; a named one has to be quoted in the settlement currency, and to have a price."""
    model = third_coin_fee(ZERO, Decimal("0.001"), "BNB", coin_symbol=symbol)
    marks = {"BNB/USD": "300", "BTC/USD": "100", "INV": "100"}
    assert Order(model, free={"BNB": "5"}, marks=marks).fill(Decimal(10), Decimal(100))[0].asset == asset


def test_selling_the_coin_leaves_what_it_sells_for_the_sale() -> None:
    """Who sells all of the coin pays that fee in the settlement currency."""
    market = Market(
        {"USD": 0, "BNB": 2}, instruments={"BNB/USD": BNB}, fee_model=third_coin_fee(ZERO, Decimal("0.001"), "BNB")
    )
    market.flat(300, "BNB/USD")
    market.order(SELL, 2, symbol="BNB/USD")
    market.flat(300, "BNB/USD")
    assert market.trades[0].fees == (Fee("USD", Decimal("0.600")),)
    assert (market.balance("BNB"), market.balance()) == (0, Decimal("599.4"))


def test_the_exchange_takes_the_coin() -> None:
    """The coin's balance pays, and while an order works its fee is held."""
    market = Market({"USD": 1_000, "BNB": 1}, instruments={**INSTRUMENTS, "BNB/USD": BNB}, fee_model=COIN)
    market.flat(300, "BNB/USD")
    market.flat(100)
    market.order(BUY, 10)
    assert (market.free(), market.free("BNB")) == (0, Decimal("0.9975"))
    market.flat(100)
    assert (market.balance(), market.balance("BNB")) == (0, Decimal("0.9975"))


# --- all of them -------------------------------------------------------------------------------------------------

MODELS: list[DetailedFee] = [
    per_share_fee(Decimal("0.005"), Decimal(1), Decimal("0.01")),
    fixed_fee(Decimal(3)),
    tiered_fee(TIERS[:2]),
    third_coin_fee(Decimal("0.0001"), Decimal("0.001"), "BNB", discount=Decimal("0.25")),
]
amounts = st.integers(1, 10_000).map(Decimal)


@pytest.mark.parametrize("model", MODELS)
@given(amounts, amounts, amounts, st.sampled_from(Liquidity))
def test_more_is_never_cheaper(
    model: DetailedFee, quantity: Decimal, more: Decimal, price: Decimal, liquidity: Liquidity
) -> None:
    """With rates that are no rebates, a greater fill is charged no less, and never less than nothing."""
    basis = FeeBasis(coin_price=Decimal(7), coin_free=Decimal("1e9"))

    def paid(amount: Decimal) -> Decimal:
        return sum((fee.amount for fee in model.charge(AAPL, amount, price, liquidity, basis)), ZERO)

    assert 0 <= paid(quantity) <= paid(add(quantity, more))


@settings(deadline=None)
@given(amounts, amounts, st.integers(-100, 100))
def test_the_sign_of_a_rate_is_the_sign_of_its_fee(quantity: Decimal, price: Decimal, bps: int) -> None:
    """A negative maker rate is a rebate of exactly that share of the notional."""
    rate = mul(Decimal(bps), Decimal("0.0001"))
    fees = maker_taker_fee(rate, Decimal(1))(AAPL, quantity, price, MAKER)
    assert sum((fee.amount for fee in fees), ZERO) == mul(mul(quantity, price), rate)


def test_a_model_gets_only_what_it_asks_for() -> None:
    """Who needs nothing of orders or volumes has nothing kept."""
    seen: list[FeeBasis] = []

    class Own:
        needs = FeeNeeds(0)

        def charge(self, _i: object, _q: object, _p: object, _l: object, basis: FeeBasis) -> tuple[Fee, ...]:
            seen.append(basis)
            return ()

    order = Order(Own())
    order.fill(Decimal(1), Decimal(1))
    order.fill(Decimal(1), Decimal(1))
    assert seen == [FeeBasis(), FeeBasis()]
    assert order.charged is None


def test_an_order_that_fills_in_parts_pays_its_minimum_once() -> None:
    """Four bars fill 10 each: the minimum with the first, and 0.05 a share beyond the 30 that it covers."""
    model = per_share_fee(Decimal("0.05"), Decimal("1.50"))
    market = Market(cash=100_000, fee_model=model, participation=Decimal("0.01"))
    market.flat(100)
    market.order(BUY, 40)
    for _ in range(4):
        market.flat(100)
    assert [[fee.amount for fee in trade.fees] for trade in market.trades] == [
        [Decimal("1.50")],
        [],
        [],
        [Decimal("0.50")],
    ]
    assert market.balance() == 100_000 - 4_000 - 2
