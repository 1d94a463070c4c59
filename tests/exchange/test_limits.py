"""Rate limits."""

from typing import Any

import pytest

from tests.exchange.conftest import KEY, SECRET, MakeClient
from tradingd.testing.exchange.limits import LimitPlan, Limits, TooMany
from tradingd.testing.exchange.server import LoopbackExchange

MINUTE = 1_700_000_040_000


class Clock:
    ms = MINUTE

    def __call__(self) -> int:
        return self.ms


def refused(limits: Limits, weight: int = 1) -> tuple[int, int] | None:
    """(status, Retry-After) or None."""
    try:
        limits.spend(weight)
    except TooMany as refusal:
        return refusal.status, refusal.retry_after
    return None


def test_over_the_weight_is_a_warning_until_the_minute_ends() -> None:
    """429 with the seconds left; the next minute begins with nothing used."""
    clock = Clock()
    limits = Limits(LimitPlan(weight=10), clock)
    assert refused(limits, 10) is None
    clock.ms += 12_500
    assert refused(limits) == (429, 48)
    clock.ms = MINUTE + 60_000
    assert refused(limits) is None
    assert limits.headers(orders=False) == {"X-MBX-USED-WEIGHT": "1", "X-MBX-USED-WEIGHT-1M": "1"}


def test_who_does_not_heed_the_warnings_is_banned() -> None:
    """418 with the seconds of the ban, which outlasts the minute."""
    clock = Clock()
    limits = Limits(LimitPlan(weight=1, warnings=2, ban_s=120), clock)
    assert [refused(limits, 2) for _ in range(3)] == [(429, 60), (429, 60), (418, 120)]
    clock.ms += 60_000
    assert refused(limits) == (418, 60)
    clock.ms += 60_000
    assert refused(limits) is None


def test_orders_have_limits_of_their_own() -> None:
    """-1015 within the ten seconds."""
    clock = Clock()
    limits = Limits(LimitPlan(orders_10s=2), clock)
    limits.spend_order()
    limits.spend_order()
    with pytest.raises(TooMany, match="-1015: Too many new orders; current limit is 2 orders per 10 SECOND"):
        limits.spend_order()
    clock.ms += 10_000
    limits.spend_order()


async def test_the_client_sees_429_then_418_with_retry_after(make_client: MakeClient) -> None:
    """What ccxt makes of a rate limit, and where it leaves the header."""
    import ccxt

    async with LoopbackExchange(limits=LimitPlan(weight=50, warnings=1)) as exchange:
        exchange.add_account(KEY, SECRET, {"USDT": 1}, name="ann")
        client = await make_client(exchange)
        await client.load_markets()
        await client.fetch_balance()
        assert client.last_response_headers["X-MBX-USED-WEIGHT-1M"] == "40"
        for status in ("429", "418"):
            with pytest.raises(ccxt.DDoSProtection, match=status):
                await client.fetch_balance()
            assert 1 <= int(client.last_response_headers["Retry-After"]) <= 120


async def test_orders_count_in_the_headers(exchange: LoopbackExchange, client: Any) -> None:
    """Order answers carry the order counts."""
    for count in ("1", "2"):
        await client.create_order("BTC/USDT", "limit", "buy", 0.01, 49_000)
        assert client.last_response_headers["X-MBX-ORDER-COUNT-10S"] == count
    assert len([call for call in exchange.wire if call.places_order]) == 2
