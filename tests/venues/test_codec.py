"""Client order ids as venues take them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingd.errors import VenueRefusedError
from tradingd.venues.codec import AlphanumericCodec, HexCodec, IdCodec, PlainCodec

IDS = st.from_regex(r"[A-Za-z0-9-]{1,14}", fullmatch=True)
CODECS: list[IdCodec] = [AlphanumericCodec(32), PlainCodec(36), PlainCodec(28, "t-"), HexCodec(16)]


@pytest.mark.parametrize("codec", CODECS, ids=repr)
@given(order_id=IDS)
def test_every_codec_is_reversible(codec: IdCodec, order_id: str) -> None:
    """What a codec makes of an id it turns back into that id."""
    assert codec.decode(codec.encode(order_id)) == order_id


@given(first=IDS, second=IDS)
def test_two_ids_never_become_one(first: str, second: str) -> None:
    """Different ids stay different where a venue takes letters and digits only."""
    codec = AlphanumericCodec(64)
    assert (codec.encode(first) == codec.encode(second)) == (first == second)


@given(order_id=IDS)
def test_okx_takes_letters_and_digits_only(order_id: str) -> None:
    """The alphanumeric form has nothing else."""
    assert re.fullmatch(r"[A-Za-z0-9]+", AlphanumericCodec(64).encode(order_id))


def test_an_ordinary_id_stays_short() -> None:
    """The form for OKX of an ordinary id is as long as the id."""
    assert AlphanumericCodec(32).encode("t1-1-17") == "t1Z1Z17"


def test_gate_gets_its_prefix_always() -> None:
    """Gate's prefix is there although ccxt leaves it out where an id begins with t."""
    assert PlainCodec(28, "t-").encode("t1-1-17") == "t-t1-1-17"


@pytest.mark.parametrize("codec", [AlphanumericCodec(32), HexCodec(16)], ids=repr)
def test_ids_of_others_are_left_as_told(codec: IdCodec) -> None:
    """An id that the codec cannot have made is not changed."""
    assert codec.decode("x-A6SIDXVS!Y9") == "x-A6SIDXVS!Y9"


def test_an_id_that_does_not_fit_is_refused_before_it_is_sent() -> None:
    """A venue would cut or refuse it, so it does not leave."""
    with pytest.raises(VenueRefusedError, match="more than 18") as caught:
        PlainCodec(18).encode("t1764007200-instance-1")
    assert caught.value.code == "NOT_SENT"
