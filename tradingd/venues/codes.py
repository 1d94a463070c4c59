"""What the venues' own codes mean: a part of the per-venue table.

A phrase stands for a code that means several.
"""

from typing import Final

from tradingd.venues.outcome import Codes

__all__ = ["CODES"]

_BINANCE = Codes(
    refused=frozenset({
        "-1013", "-1014", "-1015", "-1020", "-1021", "-1100", "-1101", "-1102", "-1103", "-1104", "-1105",
        "-1106", "-1108", "-1111", "-1112", "-1114", "-1115", "-1116", "-1117", "-1118", "-1119", "-1120",
        "-1121", "-1128", "-1130", "-1131", "-1134", "-1135", "-1145", "-2010", "-2018", "-2019", "-2020",
        "-2021", "-2022", "-2023", "-2024", "-2025", "-2027", "-2028", "-4000", "-4003", "-4004", "-4005",
        "-4015", "-4131", "-4164", "-5021", "-5022",
    }),
    duplicate=frozenset({"-4116", "Duplicate order sent"}),
    unknown_order=frozenset({"-2011", "-2013"}),
    auth=frozenset({"-1002", "-1022", "-2008", "-2014", "-2015"}),
    limited=frozenset({"-1003"}),
    unknown=frozenset({"-1000", "-1001", "-1006", "-1007", "-1008", "-1016"}),
)  # fmt: skip

CODES: Final = {
    "binance": _BINANCE,
    "binanceusdm": _BINANCE,
    "okx": Codes(
        refused=frozenset({
            "50102", "50112", "51000", "51001", "51004", "51005", "51006", "51008", "51010", "51011", "51012",
            "51020", "51021", "51024", "51100", "51101", "51102", "51103", "51107", "51108", "51109", "51110",
            "51111", "51112", "51113", "51115", "51116", "51119", "51120", "51121", "51122", "51127", "51131",
            "51136", "51137", "51138", "51155", "51201", "51202", "51203", "51250", "51251", "51252", "51255",
            "51279", "51280",
        }),
        duplicate=frozenset({"51016"}),
        unknown_order=frozenset({"51400", "51401", "51402", "51405", "51410", "51503", "51509", "51510", "51603"}),
        auth=frozenset({
            "50100", "50101", "50103", "50104", "50105", "50106", "50107", "50108", "50109", "50110", "50111",
            "50113", "50114", "50119", "50120",
        }),
        limited=frozenset({"50011", "50013", "50061"}),
        unknown=frozenset({"50000", "50001", "50004", "50005", "50026", "51149"}),
    ),
    "bybit": Codes(
        refused=frozenset({
            "10001", "10002", "110003", "110004", "110006", "110007", "110008", "110009", "110012", "110013",
            "110017", "110018", "110020", "110021", "110022", "110023", "110030", "110031", "110032", "110040",
            "110043", "110044", "110045", "110094", "170115", "170116", "170117", "170121", "170124", "170130",
            "170131", "170132", "170133", "170134", "170135", "170136", "170137", "170138", "170140", "170193",
            "170194", "170203", "170204", "170210", "170217", "170218", "170226",
        }),
        duplicate=frozenset({"110072", "170141", "12141"}),
        unknown_order=frozenset({"110001", "110010", "170139", "170142", "170143", "170213"}),
        auth=frozenset({"10003", "10004", "10005", "10007", "10009", "10010", "33004"}),
        limited=frozenset({"10006", "10018", "10429"}),
        unknown=frozenset({"10000", "10016", "10019", "170001", "170007", "170032", "170146", "170147"}),
    ),
    "kraken": Codes(
        refused=frozenset({
            "EOrder:Insufficient funds", "EOrder:Insufficient initial margin", "EOrder:Order minimum not met",
            "EOrder:Cost minimum not met", "EOrder:Tick size check failed", "EOrder:Post only order",
            "EOrder:Invalid price", "EOrder:Invalid order", "EOrder:Orders limit exceeded",
            "EOrder:Margin allowance exceeded", "EOrder:Domain rate limit exceeded",
            "EOrder:Trading agreement required", "EGeneral:Invalid arguments", "EQuery:Unknown asset pair",
            "EAPI:Invalid nonce", "EService:Market in cancel_only mode", "EService:Market in post_only mode",
            "EService:Deadline elapsed",
        }),
        unknown_order=frozenset({"EOrder:Unknown order", "EOrder:Invalid order id"}),
        auth=frozenset({
            "EAPI:Invalid key", "EAPI:Invalid signature", "EGeneral:Permission denied",
            "EAccount:Invalid permissions",
        }),
        limited=frozenset({
            "EAPI:Rate limit exceeded", "EOrder:Rate limit exceeded", "EGeneral:Too many requests",
            "EGeneral:Temporary lockout",
        }),
        unknown=frozenset({
            "EService:Timeout", "EService:Unavailable", "EService:Busy", "EGeneral:Internal error",
            "EGeneral:Unknown error",
        }),
    ),
    "gate": Codes(
        refused=frozenset({
            "BALANCE_NOT_ENOUGH", "MARGIN_BALANCE_NOT_ENOUGH", "INVALID_PARAM_VALUE", "INVALID_ARGUMENT",
            "INVALID_PROTOCOL", "INVALID_REQUEST_BODY", "MISSING_REQUIRED_PARAM", "BAD_REQUEST",
            "INVALID_CURRENCY", "INVALID_CURRENCY_PAIR", "INVALID_PRECISION", "POC_FILL_IMMEDIATELY",
            "FOK_NOT_FILL", "AMOUNT_TOO_LITTLE", "AMOUNT_TOO_MUCH", "TRADE_RESTRICTED", "REQUEST_EXPIRED",
            "INCREASE_POSITION", "PRICE_TOO_DEVIATED", "RISK_LIMIT_EXCEEDED", "INITIAL_MARGIN_TOO_LOW",
        }),
        duplicate=frozenset({"REPEATED_CREATION", "ORDER_EXISTS"}),
        unknown_order=frozenset({"ORDER_NOT_FOUND", "ORDER_CLOSED", "ORDER_CANCELLED", "ORDER_FINISHED"}),
        auth=frozenset({
            "INVALID_CREDENTIALS", "INVALID_KEY", "INVALID_SIGNATURE", "IP_FORBIDDEN", "READ_ONLY", "FORBIDDEN",
            "MISSING_REQUIRED_HEADER", "ACCOUNT_LOCKED",
        }),
        limited=frozenset({"TOO_MANY_REQUESTS", "TOO_FAST"}),
        unknown=frozenset({"INTERNAL", "SERVER_ERROR", "TOO_BUSY"}),
    ),
    "kucoin": Codes(
        refused=frozenset({"200004", "200009", "300012", "400002", "400600", "400760", "900001"}),
        duplicate=frozenset({"126044", "102411"}),
        unknown_order=frozenset({"order_not_exist", "The order does not exist", "order not exist"}),
        auth=frozenset({"400001", "400003", "400004", "400005", "400006", "400007", "411100"}),
        limited=frozenset({"429000"}),
        unknown=frozenset({"500000", "300000"}),
    ),
    "bitget": Codes(
        refused=frozenset({
            "40005", "40008", "40017", "40019", "40020", "40034", "40754", "40762", "40808", "43002", "43005",
            "43006", "43007", "43008", "43009", "43010", "43011", "43012", "45110", "45111", "45112",
        }),
        duplicate=frozenset({"40786", "43118"}),
        unknown_order=frozenset({"40109", "43001", "43025", "40768"}),
        auth=frozenset({"40001", "40002", "40006", "40009", "40011", "40012", "40014", "40018", "40037", "40038"}),
        limited=frozenset({"429", "30007"}),
        unknown=frozenset({"40010", "40015", "40725", "45001"}),
    ),
    "coinbase": Codes(
        refused=frozenset({
            "INSUFFICIENT_FUND", "INVALID_LIMIT_PRICE_POST_ONLY", "INVALID_LIMIT_PRICE",
            "INVALID_PRICE_PRECISION", "INVALID_SIZE_PRECISION", "ORDER_ENTRY_DISABLED",
            "UNSUPPORTED_ORDER_CONFIGURATION", "INVALID_PRODUCT_ID", "UNTRADABLE_PRODUCT", "INVALID_SIDE",
            "INVALID_ORDER_TYPE", "INVALID_NO_LIQUIDITY",
        }),
        duplicate=frozenset({"DUPLICATE_CLIENT_ORDER_ID"}),
        unknown_order=frozenset({"UNKNOWN_CANCEL_ORDER"}),
        auth=frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"}),
        unknown=frozenset({"UNKNOWN_FAILURE_REASON", "INTERNAL_SERVER_ERROR"}),
    ),
}  # fmt: skip
"""By ccxt's id of the exchange."""
