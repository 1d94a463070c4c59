"""The one per-venue table: what ccxt's unified interface does not say, or gets wrong.

No other module has a branch for an exchange. A venue that is not in the table gets `DEFAULT`: our id goes
out as the unified `clientOrderId`, letters and digits only, orders are named by the venue's own ids, and its codes
are those in ccxt's own table of it.
The codes are from the venues' documents and from ccxt's tables; what is listed nowhere leaves the outcome unknown.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import msgspec

from tradingd.venues.codec import AlphanumericCodec, HexCodec, IdCodec, PlainCodec
from tradingd.venues.codes import CODES
from tradingd.venues.model import VenueTraits
from tradingd.venues.outcome import Codes
from tradingd.venues.untyped import Untyped

__all__ = ["DEFAULT", "ClientIdUse", "Permission", "VenueRow", "is_listed", "row_of"]


class ClientIdUse(msgspec.Struct, frozen=True):
    """How a call names an order by our client id: in a parameter, as the id itself, or not at all."""

    param: str = "clientOrderId"
    """Empty: not by a parameter."""
    as_id: bool = False
    """In place of the venue's own id."""

    @property
    def is_offered(self) -> bool:
        """Whether the call can name an order by our id."""
        return bool(self.param) or self.as_id


class Permission(msgspec.Struct, frozen=True):
    """Where a venue tells what a key may do."""

    method: str
    """ccxt's name of the implicit call."""
    field: tuple[str | int, ...]
    """The way to the answer in its body."""
    words: AbstractSet[str] = frozenset()
    """What withdrawals are called there; empty where the field is a yes or no."""

    def allows_withdrawals(self, body: Untyped) -> bool | None:
        """Whether the key may withdraw; None where the body does not tell."""
        found = body
        for step in self.field:
            try:
                found = found[step]
            except (KeyError, IndexError, TypeError):
                return None
        if not self.words:
            return found if isinstance(found, bool) else None
        if isinstance(found, list):
            found = ",".join(str(word) for word in found)
        return any(word in found.lower() for word in self.words) if isinstance(found, str) else None


NOWHERE = ClientIdUse(param="")
_BY_ID = ClientIdUse(param="", as_id=True)


class VenueRow(msgspec.Struct, frozen=True, kw_only=True):
    """One venue's line of the table."""

    traits: VenueTraits
    codec: IdCodec = AlphanumericCodec(32)
    create_param: str = "clientOrderId"
    cancel: ClientIdUse = ClientIdUse()
    fetch: ClientIdUse = ClientIdUse()
    read_params: Mapping[str, Untyped] = {}
    """What a read of one order wants besides."""
    echoes_client_id: bool = False
    """Whether the answer to a create must have our id: one without it proves nothing."""
    own_id_fields: tuple[str, ...] = ()
    """Where the raw answer has our id, where ccxt takes another one for it or, with trades, none."""
    stream_fee_sign: int = 1
    """-1 where fees on the stream of our trades are told from the account's view: negative for a charge."""
    cash_fields: tuple[str, str] = ("", "")
    """Where a raw balance has a coin and its amount without the profits of open positions, which ccxt counts in."""
    withdrawals: Permission | None = None
    used_weight_header: str = ""
    """The response header that tells how much of the weight limit is used."""
    used_weight_limit: float = 0.0
    """What that header counts up to."""
    dead_man_params: Mapping[str, Untyped] = {}
    """What the implicit dead-man call wants besides its time-out."""
    dead_man_unit: tuple[str, int] = ("timeout", 1)
    """The implicit dead-man call's own name of the time-out, and how many of its units a second has."""
    dead_man_off: int = 0
    """The value that disarms it."""
    has_counting_nonce: bool = False
    """Whether each request's nonce must be greater than the last one's, whichever connection sends it."""
    clock_codes: AbstractSet[str] = frozenset()
    """Refusals because our clock is off: it is measured anew before the next call."""
    filter_codes: AbstractSet[str] = frozenset()
    """Refusals for tick, lot or size: the markets are read anew."""
    tells_oldest_trades_first: bool = False
    """Whether a read of our trades from a time on begins there; most venues tell the newest page since then."""
    trades_from_id: str = ""
    """The parameter that reads our trades from an id on, where ids are numbers: more trades of one instant than a
    page has can be read by that alone."""
    trade_count_field: str = ""
    """Where a raw public trade of the stream tells how many trades it is, its id being the last one's: the history
    tells each of them."""
    amends: bool = False
    """Whether ccxt's `edit_order` changes the order in place, keeping its id: its default is cancel and new."""
    buys_base_at_market: bool = False
    """Whether a market buy is told in the base coin although ccxt's `features` say that it wants a price."""
    options: Mapping[str, Untyped] = {}
    """What this venue's ccxt class must be told to behave."""

    @property
    def codes(self) -> Codes:
        """The venue's codes by what they mean."""
        return CODES.get(self.traits.exchange_id, _NO_CODES)


_NO_CODES = Codes()


def _rows(*rows: VenueRow) -> dict[str, VenueRow]:
    return {row.traits.exchange_id: row for row in rows}


_BINANCE_TRAITS = VenueTraits(exchange_id="binance", visibility_s=30.0, trades_page=1000, trades_window_s=86_400.0)
_BINANCE = VenueRow(
    traits=_BINANCE_TRAITS,
    codec=PlainCodec(36),
    create_param="newClientOrderId",
    cancel=ClientIdUse("origClientOrderId"),
    fetch=ClientIdUse("origClientOrderId"),
    echoes_client_id=True,
    own_id_fields=("origClientOrderId", "C", "c"),
    withdrawals=Permission("sapi_get_account_apirestrictions", ("enableWithdrawals",)),
    used_weight_header="x-mbx-used-weight-1m",
    used_weight_limit=6000.0,
    clock_codes=frozenset({"-1021"}),
    filter_codes=frozenset({"-1013", "-1111", "-4164"}),
    tells_oldest_trades_first=True,
    trades_from_id="fromId",
    options={
        "warnOnFetchOpenOrdersWithoutSymbol": False,
        # The stream's trades then have the ids that the history over REST has.
        "watchTrades": {"name": "aggTrade"},
        "watchTradesForSymbols": {"name": "aggTrade"},
    },
)

_TABLE = _rows(
    _BINANCE,
    msgspec.structs.replace(
        _BINANCE,
        traits=msgspec.structs.replace(
            _BINANCE_TRAITS,
            exchange_id="binanceusdm",
            trades_window_s=7 * 86_400.0,
            dead_man="fapiprivate_post_countdowncancelall",
        ),
        used_weight_limit=2400.0,
        cash_fields=("asset", "walletBalance"),
        amends=True,
        dead_man_params={"symbol": "{market}"},
        dead_man_unit=("countdownTime", 1000),
    ),
    VenueRow(
        traits=VenueTraits(
            exchange_id="okx",
            trades_page=100,
            trades_window_s=90 * 86_400.0,
            dead_man="cancelAllOrdersAfter",
        ),
        echoes_client_id=True,
        own_id_fields=("clOrdId",),
        stream_fee_sign=-1,
        cash_fields=("ccy", "cashBal"),
        trade_count_field="count",
        amends=True,
        withdrawals=Permission("private_get_account_config", ("data", 0, "perm"), frozenset({"withdraw"})),
        clock_codes=frozenset({"50102", "50112"}),
        filter_codes=frozenset({"51020", "51121", "51006", "51120"}),
    ),
    VenueRow(
        traits=VenueTraits(
            exchange_id="bybit",
            trades_page=100,
            trades_window_s=7 * 86_400.0,
            dead_man="cancelAllOrdersAfter",
        ),
        codec=PlainCodec(36),
        create_param="orderLinkId",
        cancel=ClientIdUse("orderLinkId"),
        fetch=ClientIdUse("orderLinkId"),
        read_params={"acknowledged": True},
        amends=True,
        buys_base_at_market=True,
        echoes_client_id=True,
        own_id_fields=("orderLinkId",),
        withdrawals=Permission(
            "private_get_v5_user_query_api",
            ("result", "permissions", "Wallet"),
            frozenset({"withdraw"}),
        ),
        clock_codes=frozenset({"10002"}),
        filter_codes=frozenset({"170136", "170137", "170134", "170124", "170140", "170135"}),
    ),
    VenueRow(
        traits=VenueTraits(
            exchange_id="kraken",
            trades_page=50,
            fetches_by_client_id=False,
            dead_man="cancelAllOrdersAfter",
        ),
        codec=PlainCodec(18),
        has_counting_nonce=True,
        fetch=NOWHERE,
        withdrawals=Permission(
            "private_post_getapikeyinfo",
            ("result", "permissions"),
            frozenset({"withdraw-funds", "withdraw_funds"}),
        ),
        clock_codes=frozenset({"EAPI:Invalid nonce"}),
        filter_codes=frozenset({"EOrder:Tick size check failed", "EOrder:Order minimum not met"}),
    ),
    VenueRow(
        traits=VenueTraits(
            exchange_id="gate",
            trades_page=1000,
            trades_window_s=30 * 86_400.0,
            dead_man="private_spot_post_countdown_cancel_all",
        ),
        codec=PlainCodec(28, "t-"),
        create_param="text",
        cancel=_BY_ID,
        fetch=_BY_ID,
        echoes_client_id=True,
        own_id_fields=("text",),
        clock_codes=frozenset({"REQUEST_EXPIRED"}),
    ),
    VenueRow(
        traits=VenueTraits(
            exchange_id="kucoin",
            trades_page=100,
            trades_window_s=7 * 86_400.0,
            dead_man="private_post_hf_orders_dead_cancel_all",
        ),
        codec=PlainCodec(40),
        create_param="clientOid",
        cancel=ClientIdUse("clientOid"),
        fetch=ClientIdUse("clientOid"),
        dead_man_off=-1,
        withdrawals=Permission(
            "private_get_user_api_key",
            ("data", "permission"),
            frozenset({"withdraw"}),
        ),
        clock_codes=frozenset({"400002"}),
    ),
    VenueRow(
        traits=VenueTraits(exchange_id="bitget", trades_page=100, trades_window_s=90 * 86_400.0),
        codec=PlainCodec(50),
        create_param="clientOid",
        cancel=ClientIdUse("clientOid"),
        fetch=ClientIdUse("clientOid"),
        echoes_client_id=True,
        clock_codes=frozenset({"40005", "40008"}),
    ),
    VenueRow(
        traits=VenueTraits(exchange_id="coinbase", trades_page=100, fetches_by_client_id=False),
        codec=PlainCodec(128),
        create_param="client_order_id",
        cancel=NOWHERE,
        fetch=NOWHERE,
        withdrawals=Permission("v3_private_get_brokerage_key_permissions", ("can_transfer",)),
    ),
    VenueRow(
        traits=VenueTraits(exchange_id="hyperliquid", trades_page=2000, dead_man="cancelAllOrdersAfter"),
        codec=HexCodec(16),
    ),
    VenueRow(
        traits=VenueTraits(exchange_id="mexc", trades_page=100, trades_window_s=30 * 86_400.0),
        codec=PlainCodec(32),
        create_param="clientOrderId",
        own_id_fields=("origClientOrderId",),
        clock_codes=frozenset({"700003"}),
    ),
    VenueRow(
        traits=VenueTraits(
            exchange_id="htx",
            trades_page=500,
            trades_window_s=2 * 86_400.0,
            dead_man="cancelAllOrdersAfter",
        ),
    ),
)

_ALIASES = {"gateio": "gate", "okxus": "okx", "myokx": "okx", "binanceus": "binance", "huobi": "htx"}
"""Exchanges that speak another one's protocol."""


def DEFAULT(exchange_id: str, *, dead_man: str = "") -> VenueRow:  # noqa: N802 - a constant with one hole in it
    """The row of a venue that is not in the table: nothing is taken for granted."""
    return VenueRow(
        traits=VenueTraits(
            exchange_id=exchange_id,
            visibility_s=60.0,
            trades_page=50,
            trades_window_s=86_400.0,
            fetches_by_client_id=False,
            dead_man=dead_man,
        ),
        # A call that ignores our id would ask for an order named None, and its "no such order" be no evidence.
        cancel=NOWHERE,
        fetch=NOWHERE,
    )


def row_of(exchange_id: str, *, has_dead_man: bool = False) -> VenueRow:
    """The table's row of an exchange; `has_dead_man` is what ccxt says of `cancelAllOrdersAfter`."""
    known = _TABLE.get(_ALIASES.get(exchange_id, exchange_id))
    if known is None:
        return DEFAULT(exchange_id, dead_man="cancelAllOrdersAfter" if has_dead_man else "")
    return known


def is_listed(exchange_id: str) -> bool:
    """Whether the table has a row of this exchange."""
    return _ALIASES.get(exchange_id, exchange_id) in _TABLE
