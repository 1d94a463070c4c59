"""What answers that are no success mean."""

import pytest

from tradingd.venues.codes import CODES
from tradingd.venues.outcome import Answer, Codes, Verdict, judge, venue_codes, venue_text

BINANCE = CODES["binance"]
OKX = CODES["okx"]


def binance(code: int, status: int = 400, msg: str = "", *kinds: str) -> Answer:
    """An answer of the exchange Binance."""
    return Answer(status, {"code": code, "msg": msg}, frozenset(kinds))


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Answer(), Verdict.UNKNOWN),
        (Answer(acted=False), Verdict.NOT_SENT),
        (Answer(200, None), Verdict.UNKNOWN),
        (Answer(502, None, frozenset({"ExchangeNotAvailable"})), Verdict.UNKNOWN),
        (Answer(403, None, frozenset({"ExchangeNotAvailable"})), Verdict.UNKNOWN),
        (Answer(302, {}), Verdict.UNKNOWN),
        (Answer(400, {}), Verdict.UNKNOWN),
        (binance(-1007, 504), Verdict.UNKNOWN),
        (binance(-1006, 500), Verdict.UNKNOWN),
        (binance(-1007, 400), Verdict.UNKNOWN),
        (binance(-2010, 500, "Account has insufficient balance"), Verdict.UNKNOWN),
        (binance(-2010, 408), Verdict.UNKNOWN),
        (binance(-2010, 400, "Account has insufficient balance for requested action."), Verdict.REFUSED),
        (binance(-1013, 400, "Filter failure: NOTIONAL"), Verdict.REFUSED),
        (binance(-1021, 400, "", "InvalidNonce", "NetworkError"), Verdict.REFUSED),
        (binance(-2010, 400, "Duplicate order sent."), Verdict.DUPLICATE),
        (binance(-2011, 400, "Unknown order sent."), Verdict.UNKNOWN_ORDER),
        (binance(-2013), Verdict.UNKNOWN_ORDER),
        (binance(-2015, 401, "", "DDoSProtection", "NetworkError"), Verdict.AUTH),
        (binance(-1003, 429), Verdict.TURNED_AWAY),
        (binance(-1015, 429), Verdict.TURNED_AWAY),
        (binance(-9, 429), Verdict.LIMITED),
        (binance(-1003, 418), Verdict.LIMITED),
        (Answer(418, None), Verdict.LIMITED),
        (binance(-9999, 400, "", "InvalidOrder"), Verdict.UNKNOWN),
    ],
)
def test_binance(answer: Answer, verdict: Verdict) -> None:
    """A refusal is believed with a definite status, a parsed body and a listed code; all else is unknown."""
    assert judge(answer, BINANCE)[0] is verdict


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("51008", Verdict.REFUSED),
        ("51016", Verdict.DUPLICATE),
        ("51603", Verdict.UNKNOWN_ORDER),
        ("50004", Verdict.UNKNOWN),
    ],
)
def test_a_code_wrapped_in_a_success(code: str, verdict: Verdict) -> None:
    """OKX answers 200 with a general code; the one that matters is inside."""
    body = {"code": "1", "msg": "Operation failed.", "data": [{"clOrdId": "t1Z1Z1", "sCode": code, "sMsg": "why"}]}
    assert judge(Answer(200, body), OKX) == (verdict, code)


def test_kraken_tells_codes_as_texts_with_more_behind() -> None:
    """A text that begins with a listed one is that one."""
    body = {"error": ["EGeneral:Invalid arguments:volume minimum not met"]}
    assert judge(Answer(200, body), CODES["kraken"])[0] is Verdict.REFUSED


def test_a_code_that_only_ccxt_knows() -> None:
    """Ccxt's class counts where its own table lists the code, and not otherwise."""
    answer = Answer(400, {"label": "NO_MONEY"}, frozenset({"InsufficientFunds", "ExchangeError"}))
    assert judge(answer, Codes(listed=frozenset({"NO_MONEY"})))[0] is Verdict.REFUSED
    assert judge(answer, Codes())[0] is Verdict.UNKNOWN


def test_a_bare_exchange_error_is_never_a_refusal() -> None:
    """A truncated answer comes as one."""
    answer = Answer(200, {"code": "7"}, frozenset({"ExchangeError", "BaseError"}))
    assert judge(answer, Codes(listed=frozenset({"7"})))[0] is Verdict.UNKNOWN


def test_the_most_specific_words_are_told() -> None:
    """Of a wrapped answer the inner words."""
    body = {"code": "1", "msg": "Operation failed.", "data": [{"sCode": "51008", "sMsg": "Insufficient balance"}]}
    assert venue_text(body) == "Insufficient balance"
    assert list(venue_codes(body)) == ["51008", "1"]
