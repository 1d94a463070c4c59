"""The named catalogue of faults, and scripts out of it: by name, or drawn at random from a seed."""

from collections.abc import Sequence
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from random import Random
from typing import Any

from tradingd.testing.exchange import rest_faults as rest
from tradingd.testing.exchange import stream_faults as stream
from tradingd.testing.exchange import world_faults as world
from tradingd.testing.exchange.faults import Fault, FaultScript, FrameFault, Rule

__all__ = ["FINAL", "catalogue", "choose", "fault", "names", "random_script", "script"]

FINAL = frozenset({"key-revoked", "delisting"})
"""Faults that no client can recover from, by their nature: left out of scripts unless they are named."""

_FRAMES_PER_ORDER = 5  # market data flows faster than orders do: its faults are spread over more occurrences
_TARGETS = (
    *("", "", "", ""),
    "DELETE order",
    "GET order|GET openOrders|GET myTrades|GET account",
    "GET klines|GET aggTrades|GET depth",
)
"""What a fault of answers strikes in a random script: mostly what it is for ("")."""
_HTML = rest.HTML
_ACCEPTED = "an order is accepted and answered"


def _answers() -> list[Fault]:
    """Answers of the right status and the wrong content (A3-A6, A13)."""
    answered, page = rest.answered, rest.page_instead
    return [
        answered("html-200", "A4", f"{_ACCEPTED} 200 with an HTML page", body=_HTML, html=True),
        answered("empty-200", "A4", f"{_ACCEPTED} 200 with nothing", body=""),
        answered("half-json-200", "A4", f"{_ACCEPTED} 200 with half a JSON object", body='{"symbol": "BTCUS'),
        answered("empty-object-200", "A4", f"{_ACCEPTED} 200 with {{}}", body="{}"),
        answered("status-555", "A4", f"{_ACCEPTED} with status 555", body=_HTML, status=555, html=True),
        answered("status-500", "A6", f"{_ACCEPTED} 500", body="", status=500),
        answered("status-502", "A6", f"{_ACCEPTED} 502 with an HTML page", body=_HTML, status=502, html=True),
        answered("status-503", "A6", f"{_ACCEPTED} 503", body="", status=503),
        answered("status-504", "A6", f"{_ACCEPTED} 504", body="", status=504),
        rest.status_unknown(-1006, 500, "An unexpected response was received from the message bus."),
        rest.status_unknown(-1007, 504, "Timeout waiting for response from backend server."),
        page("waf-403", "A13", "a firewall answers an order 403 with its page; it never arrived", status=403),
        page("page-400", "A13", "a proxy answers an order 400 with its page; it never arrived", status=400),
    ]


def _refusals() -> list[Fault]:
    """Refusals in the exchange's words, and its limits (A10, A11, A14, A16, A20, A26)."""
    refused = rest.refused
    return [
        refused("refused-1021", "A10", "an order is refused: timestamp outside of the recvWindow",
                code=-1021, message="Timestamp for this request is outside of the recvWindow."),
        refused("refused-2010", "A20", "an order is refused: it has insufficient balance",
                code=-2010, message="Account has insufficient balance for requested action."),
        refused("stop-refused-2010", "A20", "an order is refused: its stop would trigger at once",
                code=-2010, message="Stop price would trigger immediately."),
        refused("unknown-order-2011", "A14", "a cancel is refused: unknown order, though it works",
                code=-2011, message="Unknown order sent.", target="DELETE order"),
        refused("not-found-2013", "A9", "a query is refused: no such order, though it exists",
                code=-2013, message="Order does not exist.", target="GET order"),
        refused("rejected-key-2015", "A26", "a signed request is refused once: bad key, IP or permissions",
                code=-2015, message="Invalid API-key, IP, or permissions for action.", status=401),
        rest.edit_half_done(),
    ]  # fmt: skip


def _limits(pace: float) -> list[Fault]:
    """Times in which nothing goes (A11, A16, A17, D20)."""
    return [
        rest.too_many_requests(1 * pace, ban_s=2 * pace),
        rest.maintenance(1 * pace),
        rest.link_lost(1 * pace),
        world.paused(2 * pace),
    ]


def _delayed_reads(pace: float) -> list[Fault]:
    return [rest.hidden(1 * pace)]


def _reads() -> list[Fault]:
    """Reads that lie, or tell nothing (A5, A15, A21)."""
    answered = rest.answered
    each: list[Fault] = []
    for what, path in (("open orders", "openOrders"), ("balances", "account"), ("trades", "myTrades")):
        for kind, body, told in (
            ("html", _HTML, "an HTML page"),
            ("object", "{}", "{}"),
            ("message", '{"msg": "ok"}', "an object of the wrong shape"),
            ("half", '[{"symbol": "BTC', "half an answer"),
        ):
            name = f"{path}-{kind}"
            text = f"a read of {what} is answered 200 with {told}"
            each.append(answered(name, "A5", text, body=body, target=f"GET {path}", html=kind == "html"))
    return [*each, rest.paged(), rest.stale_balance()]


def _user_data() -> list[Fault]:
    """What goes wrong with events of the account (B2, B5-B9)."""
    bad = stream.malformed
    report = "executionReport/*"
    shape = '{"subscriptionId":0,"event":{"e":"executionReport"}}'
    return [
        stream.doubled(),
        stream.dropped(),
        stream.late("reordered-events", "a report comes after the two events that followed it", frames=2),
        stream.late("delayed-event", "a report comes three events too late", frames=3),
        stream.unserved_user_data(),
        stream.evicted(),
        bad("user-bad-json", "a frame of user data is no JSON", body='{"subscriptionId":0,"ev', target=report),
        bad("user-bad-shape", "an event of user data lacks all its fields", body=shape, target=report),
        stream.altered("unknown-fee-coin", "B2", "a fill names a fee coin that nobody listed",
                       target="executionReport/TRADE", change=lambda event: event.update(N="ZZZ")),
    ]  # fmt: skip


def _market_data() -> list[Fault]:
    """What goes wrong with market streams (B1, B2, B10, B11, B14, B16-B18)."""
    bad, alter = stream.malformed, stream.altered
    book, kline, trade = "*@bookTicker", "*@kline_*", "*@*rade"
    return [
        stream.silent(),
        stream.half_open(),
        stream.not_served(),
        stream.disconnected(),
        stream.all_disconnected(),
        bad("bad-json", "a frame of market data is no JSON", body='{"e":"trade","s":', target="*@*"),
        bad("bad-shape", "a trade lacks its fields", body='{"e":"trade","s":"BTCUSDT"}', target="*@*"),
        bad("unknown-symbol", "a trade is of a symbol that nobody listed", target="*@*",
            body='{"e":"trade","s":"ZZZYYY","t":1,"p":"1","q":"1","T":1,"m":true}'),
        bad("deep-json", "a frame is 100,000 brackets deep", body="[" * 100_000, target="*@*", number="B16"),
        bad("huge-frame", "a frame is larger than 10 MiB", target="*@*", number="B16",
            body='{"e":"trade","s":"' + "B" * (11 << 20) + '"}'),
        bad("bad-utf8", "a text frame is no UTF-8", body="\udcff\udcfe", target="*@*", number="B16"),
        stream.skipped("depth-gap", "B10", "a depth update is missing", target="*@depth@*"),
        alter("crossed-quote", "B11", "a quote is crossed", target=book, change=_crossed),
        alter("zero-quote", "B11", "a quote has a price of zero", target=book, change=_zero_bid),
        alter("nan-quote", "B11", "a quote has NaN for a price", target=book, change=_nan_ask),
        alter("zero-trade", "B11", "a trade is at zero", target=trade, change=lambda event: event.update(p="0")),
        stream.skipped("missing-candle", "B17", "an update of a candle is missing", target=kline),
        stream.repeated(),
        alter("revised-candle", "B17", "a candle is told with another close", target=kline, change=_revised),
        alter("time-goes-back", "B18", "a trade's time is an hour too early", target=trade, change=_an_hour_ago),
        bad_handshake(),
    ]  # fmt: skip


def bad_handshake() -> Fault:
    """A websocket's handshake is refused with 429 (B13)."""
    return rest.refused(
        "handshake-429", "B13", "a websocket's handshake is refused with 429",
        code=-1003, message="Too many connections.", status=429, target="CONNECT *",
    )  # fmt: skip


def _world() -> list[Fault]:
    """What happens at the exchange (A10, A17, A18, A24, A26, A27, C9, C10, E7)."""
    return [
        world.clock_skewed(),
        world.filters_changed(),
        world.delisted(),
        world.manual_order(),
        world.manual_cancel(),
        world.expired(),
        world.transfer("deposit", "money is deposited", Decimal("0.1")),
        world.transfer("withdrawal", "a tenth of the free money is withdrawn", Decimal("-0.1")),
        world.fee_coin_gone(),
        world.key_revoked(),
    ]


def _requests(pace: float) -> list[Fault]:
    return [
        rest.delay(0.3 * pace),
        rest.slow_answer(0.3 * pace),
        rest.timeout_before(),
        rest.timeout_after(),
        rest.reset_before(),
        rest.reset_after(),
        rest.truncated(),
        rest.bad_gzip(),
    ]


@cache
def catalogue(pace: float = 1.0) -> tuple[Fault, ...]:
    """All faults that there are, in the order in which they are told.

    What lasts (delays, outages, bans, what is hidden) lasts `pace` times as long as told in the documentation.
    """
    timed = [*_requests(pace), *_limits(pace), *_delayed_reads(pace)]
    parts = (_answers, _refusals, _reads, _user_data, _market_data, _world)
    return (*timed, *(one for part in parts for one in part()))


def names() -> list[str]:
    """The names of all faults that a script has unless it is told which."""
    return [one.name for one in catalogue() if one.name not in FINAL]


def fault(name: str, pace: float = 1.0) -> Fault:
    """The fault of a name; KeyError with the names there are."""
    for one in catalogue(pace):
        if one.name == name:
            return one
    raise KeyError(f"there is no fault {name!r}; there are: {', '.join(one.name for one in catalogue())}")


def choose(text: str) -> list[str]:
    """The names that a comma-separated list means: `all`, names, numbers such as A1, letters such as B.

    Raises:
        ValueError: something in it is none of these.

    """
    found: dict[str, None] = {}
    for item in (part.strip() for part in text.split(",")):
        if item == "all":
            meant = names()
        else:
            meant = [one.name for one in catalogue() if item in {one.name, one.number}]
            meant = meant or [one.name for one in catalogue() if one.number[0] == item and one.name not in FINAL]
        if not meant:
            near = get_close_matches(item, names(), n=1)
            hint = f"do you mean {near[0]}?" if near else "use all, names or numbers such as A1; `list` lists them"
            raise ValueError(f"there is no fault {item!r}; {hint}")
        found.update(dict.fromkeys(meant))
    return list(found)


def script(kinds: Sequence[str] = (), *, every: int = 5) -> FaultScript:
    """Each fault once, the n-th of them at the (n x every)-th occurrence of what it hits, so that they spread."""
    chosen = [fault(name) for name in kinds or names()]
    counts: dict[str, int] = {}
    rules = []
    for one in chosen:
        counts[one.target] = counts.get(one.target, 0) + 1
        rules.append(Rule(one, nth=1 + counts[one.target] * every))
    return FaultScript(tuple(rules), options=f"script(kinds={list(kinds) or 'all'}, every={every})")


def random_script(
    seed: int, kinds: Sequence[str] = (), *, intensity: float = 0.2, orders: int = 200, pace: float = 1.0
) -> FaultScript:
    """A script drawn from a seed: so many faults per order (`intensity`), spread over so many occurrences.

    What goes wrong with the answer to an order goes wrong with cancels and reads, too, now and then. `pace` is
    that of `catalogue`: a run that is in a hurry takes a small one.
    """
    random = Random(seed)  # noqa: S311 - repeatable, nothing secret
    chosen = [fault(name, pace) for name in kinds or names()]
    anywhere = {one.name for one in (*_requests(pace), *_answers())}
    rules = []
    for _ in range(max(1, round(intensity * orders))):
        drawn = random.choice(chosen)
        target = random.choice(_TARGETS) if drawn.name in anywhere else ""
        span = orders * _FRAMES_PER_ORDER if isinstance(drawn, FrameFault) else orders
        rules.append(Rule(drawn, target, nth=random.randint(1, span), times=random.choice((1, 1, 1, 2, 3))))
    told = f"seed={seed}, kinds={list(kinds) or 'all'}, intensity={intensity}, orders={orders}, pace={pace}"
    return FaultScript(tuple(rules), options=f"random_script({told})")


def _crossed(event: dict[str, Any]) -> None:
    event["b"], event["a"] = event["a"], event["b"]


def _zero_bid(event: dict[str, Any]) -> None:
    event["b"] = "0"


def _nan_ask(event: dict[str, Any]) -> None:
    event["a"] = "NaN"


def _revised(event: dict[str, Any]) -> None:
    event["k"]["c"] = event["k"]["l"]


def _an_hour_ago(event: dict[str, Any]) -> None:
    event["T"] -= 3_600_000
    event["E"] -= 3_600_000
