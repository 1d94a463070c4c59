"""ccxt is imported when asked for, and no more of it than is used."""

import subprocess
import sys

import pytest

from tradingd.errors import ConfigError
from tradingd.venues.catalog import describe_exchange
from tradingd.venues.loader import exchange_class, exchange_ids
from tradingd.venues.table import row_of


def run(code: str) -> str:
    """What a fresh interpreter prints."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=True, capture_output=True, text=True
    ).stdout


def test_one_exchange_does_not_import_the_others() -> None:
    """`import ccxt.pro` imports all of them three times over."""
    told = run(
        "import sys\nfrom tradingd.venues.loader import exchange_class\n"
        "exchange_class('binance')({'number': str})\n"
        "print(sum(name.startswith('ccxt.async_support.') and name.count('.') == 2 for name in sys.modules))"
    )
    assert int(told) < 5


def test_importing_the_layer_imports_no_ccxt() -> None:
    """It is paid for by who makes a client."""
    told = run(
        "import sys, tradingd.venues.account, tradingd.venues.checks, tradingd.venues.catalog\n"
        "print('ccxt' in sys.modules)"
    )
    assert told.strip() == "False"


def test_whoever_imports_ccxt_later_has_all_of_it() -> None:
    """The shells fill themselves when asked for more."""
    told = run(
        "from tradingd.venues.loader import exchange_class\nours = exchange_class('kraken')\n"
        "import ccxt, ccxt.pro\n"
        "print(len(ccxt.exchanges) > 90, ccxt.pro.kraken is ours, ccxt.binance.__name__, ccxt.__version__)"
    )
    assert told.split()[:3] == ["True", "True", "binance"]


def test_ccxt_that_is_there_already_is_used() -> None:
    """The classes are the same ones."""
    told = run(
        "import ccxt.pro\nfrom tradingd.venues.loader import exchange_class\n"
        "print(exchange_class('okx') is ccxt.pro.okx)"
    )
    assert told.strip() == "True"


def test_plain_ccxt_may_have_been_imported_before() -> None:
    """Without its streams: they are found all the same."""
    told = run(
        "import ccxt\nfrom tradingd.venues.loader import exchange_class, exchange_ids\nprint(len(exchange_ids()))"
    )
    assert told.strip() == "76"


def test_a_misspelt_exchange_is_told_its_neighbour() -> None:
    """The nearest id is in the message."""
    with pytest.raises(ConfigError, match="do you mean binance"):
        exchange_class("binanse")


def test_every_exchange_can_be_made_and_described() -> None:
    """All 76 of them, without a network."""
    ids = exchange_ids()
    facts = {each: describe_exchange(each) for each in ids}
    assert len(facts) == 76
    assert facts["binance"].can_be_live
    assert facts["binance"].sandbox
    assert facts["upbit"].lacks == ("fetchMyTrades",)
    assert facts["bybit"].dead_man == "cancelAllOrdersAfter"


def test_an_exchange_that_is_not_in_the_table_has_the_cautious_row() -> None:
    """Letters and digits, a long visibility, short pages."""
    row = row_of("bitstamp")
    assert (row.codec.encode("t1-1-1"), row.traits.visibility_s, row.create_param) == (
        "t1Z1Z1",
        45.0,
        "clientOrderId",
    )
