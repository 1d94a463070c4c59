"""Who is let in."""

import hashlib
import hmac
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.exchange.conftest import KEY, SECRET, MakeClient
from tradingd.testing.exchange.server import LoopbackExchange

BTC = "BTC/USDT"


def ed25519_pem() -> str:
    """A fresh private key, as ccxt wants it: stripped, since it takes 120 characters and more for RSA."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode().strip()


async def ask(
    exchange: LoopbackExchange, query: dict[str, Any], key: str = KEY, secret: str = SECRET
) -> tuple[int, int]:
    """A signed request made by hand; returns (HTTP status, Binance's code)."""
    raw = urlencode(query)
    if secret:
        raw += "&signature=" + hmac.new(secret.encode(), raw.encode(), hashlib.sha256).hexdigest()
    headers = {"X-MBX-APIKEY": key} if key else {}
    url = f"{exchange.rest_url}/api/v3/account?{raw}"
    async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as response:
        return response.status, (await response.json()).get("code", 0)


async def test_a_sound_request_is_let_in(exchange: LoopbackExchange) -> None:
    """The control of the cases below."""
    assert await ask(exchange, {"timestamp": exchange.now_ms()}) == (200, 0)


@pytest.mark.parametrize(
    ("key", "secret", "expected"),
    [
        ("", SECRET, (401, -2014)),
        ("nobody", SECRET, (401, -2015)),
        (KEY, "wrong", (400, -1022)),
        (KEY, "", (400, -1102)),
    ],
)
async def test_keys_and_signatures_are_checked(
    exchange: LoopbackExchange, key: str, secret: str, expected: tuple[int, int]
) -> None:
    """No key, a key that nobody has, a wrong signature, no signature."""
    assert await ask(exchange, {"timestamp": exchange.now_ms()}, key, secret) == expected


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, -1102),
        ({"age": 5_001}, -1021),
        ({"age": 61_000, "recvWindow": 60_001}, -1131),
        ({"age": -1_001}, -1021),
    ],
)
async def test_time_stamps_are_checked(exchange: LoopbackExchange, query: dict[str, int], code: int) -> None:
    """Missing, older than the window of 5 s, an impossible window, more than a second ahead."""
    age = query.pop("age", None)
    stamp = {} if age is None else {"timestamp": exchange.now_ms() - age - (500 if age > 0 else -500)}
    assert await ask(exchange, stamp | query) == (400, code)


async def test_a_signature_covers_query_and_body_together(exchange: LoopbackExchange) -> None:
    """Binance signs the query string followed by the body."""
    query, body = f"symbol=BTCUSDT&timestamp={exchange.now_ms()}", "side=BUY&type=MARKET&quantity=0.01"
    signature = hmac.new(SECRET.encode(), (query + body).encode(), hashlib.sha256).hexdigest()
    url = f"{exchange.rest_url}/api/v3/order?{query}"
    headers = {"X-MBX-APIKEY": KEY, "Content-Type": "application/x-www-form-urlencoded"}
    form = f"{body}&signature={signature}"
    async with aiohttp.ClientSession(headers=headers) as session, session.post(url, data=form) as response:
        assert (await response.json())["status"] == "FILLED"


async def test_ed25519_keys_sign_over_rest_and_over_the_socket(
    exchange: LoopbackExchange, make_client: MakeClient
) -> None:
    """The other kind of key that ccxt signs with; a different key's signature is refused."""
    import ccxt

    exchange.add_key("ed", ed25519_pem(), "ann")
    client = await make_client(exchange, "ed")
    assert (await client.fetch_balance())["BTC"]["free"] == 2.0
    order = await client.create_order_ws(BTC, "limit", "buy", 0.01, 49_000)
    assert order["status"] == "open"
    client.secret = ed25519_pem()
    with pytest.raises(ccxt.AuthenticationError):
        await client.fetch_balance()


async def test_a_revoked_key_is_nobodys(exchange: LoopbackExchange, client: Any) -> None:
    """-2015 after a successful login is what ccxt takes for a ban."""
    import ccxt

    await client.fetch_balance()
    assert exchange.revoke_keys("ann")
    assert not exchange.revoke_keys("ann")
    with pytest.raises(ccxt.DDoSProtection, match="-2015"):
        await client.fetch_balance()


async def test_a_logged_on_socket_needs_no_signature(exchange: LoopbackExchange) -> None:
    """session.logon takes ed25519 keys; then requests and the subscription go unsigned."""
    from base64 import b64encode

    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pem = ed25519_pem()
    exchange.add_key("ed", pem, "ann")
    params: dict[str, Any] = {"apiKey": "ed", "timestamp": exchange.now_ms()}
    signer = load_pem_private_key(pem.encode(), None)
    assert isinstance(signer, Ed25519PrivateKey)
    payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
    params["signature"] = b64encode(signer.sign(payload.encode())).decode()
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{exchange.rest_url}/ws-api/v3") as ws:
        told = []
        for number, (method, sent) in enumerate(
            [
                ("order.place", order | {"timestamp": exchange.now_ms()}),
                ("session.logon", params),
                ("userDataStream.subscribe", {}),
                ("order.place", order | {"timestamp": exchange.now_ms()}),
            ]
        ):
            await ws.send_json({"id": number, "method": method, "params": sent})
            told.append(await ws.receive_json())
    assert [one.get("status") for one in told[:3]] == [401, 200, 200]
    assert told[2]["result"] == {"subscriptionId": 0}
    assert told[3]["subscriptionId"] == 0
    assert told[3]["event"]["x"] == "NEW"
    assert len(exchange.engine.my_trades("ann")) == 1


async def test_hmac_keys_cannot_log_on_and_nonsense_is_answered(exchange: LoopbackExchange) -> None:
    """As on Binance; and what is not JSON or not a known method gets an error frame, not silence."""
    params: dict[str, Any] = {"apiKey": KEY, "timestamp": exchange.now_ms()}
    payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
    params["signature"] = hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
    frames = (
        ({"id": 1, "method": "session.logon", "params": params}, -4056),
        ({"id": 2, "method": "order.teleport", "params": {}}, -1000),
        ({"id": 3}, -1135),
    )
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{exchange.rest_url}/ws-api/v3") as ws:
        for frame, code in frames:
            await ws.send_json(frame)
            assert (await ws.receive_json())["error"]["code"] == code
