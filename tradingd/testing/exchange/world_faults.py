"""What happens at the exchange itself: markets change, the owner of the account acts, money moves, clocks skew."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

import msgspec

from tradingd.testing.exchange.exact import ZERO, floor, mul, quotient
from tradingd.testing.exchange.faults import ScriptedFaults, WorldFault
from tradingd.testing.exchange.model import MarketSpec, Order, OrderRequest, OrderType, Refusal, Side

__all__ = [
    "clock_skewed",
    "delisted",
    "expired",
    "fee_coin_gone",
    "filters_changed",
    "key_revoked",
    "manual_cancel",
    "manual_order",
    "paused",
    "transfer",
]

ORDER = "POST order"


def clock_skewed(milliseconds: int = 6000) -> WorldFault:
    """The exchange's clock runs ahead; put right at calm."""

    def act(layer: ScriptedFaults, account: str) -> bool:  # noqa: ARG001
        exchange = layer.exchange
        exchange.skew_ms = milliseconds
        layer.at_calm(lambda: setattr(exchange, "skew_ms", 0))
        return True

    text = f"the exchange's clock is {milliseconds} ms ahead of ours"
    return WorldFault(name="clock-skew", number="A10", target="*", act=act, text=text)


def filters_changed() -> WorldFault:
    """Ticks, lots and least values of a market are larger from now on; the next time they are what they were.

    What was changed stays so after calm.
    """

    def act(layer: ScriptedFaults, account: str) -> bool:
        def ten(value: Decimal) -> Decimal:
            return mul(value, Decimal(10))

        spec = _busiest(layer, account)
        before: MarketSpec | None = layer.memory.pop(f"filters/{spec.symbol}", None)
        if before is None:
            layer.memory[f"filters/{spec.symbol}"] = spec
        grid = spec if before is None else before
        scale = ten if before is None else (lambda value: value)
        changed = msgspec.structs.replace(
            spec,
            tick=scale(grid.tick),
            lot=scale(grid.lot),
            min_qty=scale(grid.min_qty),
            min_notional=scale(grid.min_notional),
        )
        layer.exchange.engine.change_filters(changed)
        return True

    text = "tick, lot and least value of a market become ten times as large, the next time what they were"
    return WorldFault(name="filter-change", number="A18", target=ORDER, act=act, text=text)


def paused(seconds: float = 2.0) -> WorldFault:
    """A market is taken out of trading (BREAK) for a while, at the longest until calm."""

    def act(layer: ScriptedFaults, account: str) -> bool:
        engine = layer.exchange.engine
        symbol = _busiest(layer, account).symbol

        def put(status: str) -> None:
            if symbol in engine.markets and engine.markets[symbol].status != status:
                engine.change_filters(msgspec.structs.replace(engine.markets[symbol], status=status))

        put("BREAK")
        timer = asyncio.get_running_loop().call_later(seconds, put, "TRADING")

        def resume() -> None:
            timer.cancel()
            put("TRADING")

        layer.at_calm(resume)
        return True

    text = f"a market is taken out of trading (BREAK) for {seconds:g} s"
    return WorldFault(name="market-break", number="A17", target=ORDER, act=act, text=text)


def delisted() -> WorldFault:
    """A market is taken away for good, with all orders in it; never the last market."""

    def act(layer: ScriptedFaults, account: str) -> bool:
        engine = layer.exchange.engine
        if len(engine.markets) == 1:
            return False
        engine.delist(_busiest(layer, account).symbol)
        return True

    text = "a market is delisted: its orders end, it is gone for good"
    return WorldFault(name="delisting", number="A17", target=ORDER, act=act, text=text)


def manual_order() -> WorldFault:
    """The owner of the account buys a little by hand."""

    def act(layer: ScriptedFaults, account: str) -> bool:
        engine = layer.exchange.engine
        spec = _busiest(layer, account)
        price = engine.last_price(spec.symbol)
        if price is None or not account:
            return False
        qty = max(spec.min_qty, _up(spec, price))
        request = OrderRequest(spec.symbol, Side.BUY, OrderType.MARKET, qty=qty, client_id=_web_id(layer))
        return _went(lambda: engine.place(account, request))

    text = "the owner of the account buys by hand, with a client order id that is not ours"
    return WorldFault(name="manual-order", number="C9", target=ORDER, act=act, text=text)


def manual_cancel() -> WorldFault:
    """The owner of the account cancels the oldest working order by hand."""

    def act(layer: ScriptedFaults, account: str) -> bool:
        engine = layer.exchange.engine
        working: list[Order] = engine.open_orders(account) if account else []
        if not working:
            return False
        return _went(lambda: engine.cancel(account, working[0].symbol, working[0].id, request_id=_web_id(layer)))

    text = "the owner of the account cancels a working order by hand"
    return WorldFault(name="manual-cancel", number="E7", target=ORDER, act=act, text=text)


def expired() -> WorldFault:
    """The exchange itself ends the oldest working order."""

    def act(layer: ScriptedFaults, account: str) -> bool:
        engine = layer.exchange.engine
        working: list[Order] = engine.open_orders(account) if account else []
        if not working:
            return False
        return _went(lambda: engine.expire(account, working[0].symbol, working[0].id))

    text = "the exchange itself ends a working order (EXPIRED)"
    return WorldFault(name="order-expired", number="A24", target=ORDER, act=act, text=text)


def transfer(name: str, text: str, share: Decimal) -> WorldFault:
    """A deposit (share > 0) or a withdrawal (< 0): this share of what is free of a quote asset."""

    def act(layer: ScriptedFaults, account: str) -> bool:
        engine = layer.exchange.engine
        asset = _busiest(layer, account).quote
        free = engine.balances(account).get(asset, (ZERO, ZERO))[0] if account else ZERO
        amount = floor(mul(free, share.copy_abs()), Decimal("0.01"))
        if amount <= 0:
            return False
        move = engine.deposit if share > 0 else engine.withdraw
        move(account, asset, amount)
        return True

    return WorldFault(name=name, number="C10", target=ORDER, act=act, text=text)


def fee_coin_gone() -> WorldFault:
    """The third coin that pays the fees is used up: fees come out of what is received from now on."""

    def act(layer: ScriptedFaults, account: str) -> bool:
        engine = layer.exchange.engine
        coin = engine.fees(account).coin if account else None
        if coin is None:
            return False
        free = engine.balances(account).get(coin.asset, (ZERO, ZERO))[0]
        if free <= 0:
            return False
        engine.withdraw(account, coin.asset, free)
        return True

    text = "the third coin that pays the fees runs out"
    return WorldFault(name="fee-coin-gone", number="A27", target=ORDER, act=act, text=text)


def key_revoked() -> WorldFault:
    """The API keys of the account are taken out of force, for good."""

    def act(layer: ScriptedFaults, account: str) -> bool:
        return bool(account) and layer.exchange.revoke_keys(account)

    text = "the API key is revoked: -2015 to everything that is signed"
    return WorldFault(name="key-revoked", number="A26", target=ORDER, act=act, text=text)


def _busiest(layer: ScriptedFaults, account: str) -> MarketSpec:
    """The market of the account's latest order, else the first."""
    engine = layer.exchange.engine
    latest: tuple[int, str] = (-1, next(iter(engine.markets)))
    for symbol in engine.markets if account else ():
        orders = engine.all_orders(account, symbol)
        if orders and orders[-1].ts > latest[0]:
            latest = (orders[-1].ts, symbol)
    return engine.markets[latest[1]]


def _up(spec: MarketSpec, price: Decimal) -> Decimal:
    """The least quantity that is worth twice the least notional at this price."""
    return mul(quotient(mul(spec.min_notional, Decimal(2)), mul(price, spec.lot), Decimal(1)) + 1, spec.lot)


def _web_id(layer: ScriptedFaults) -> str:
    number: int = layer.memory.setdefault("web orders", 0) + 1
    layer.memory["web orders"] = number
    return f"web_{number}"


def _went(what: Callable[[], object]) -> bool:
    try:
        what()
    except Refusal:
        return False
    return True
