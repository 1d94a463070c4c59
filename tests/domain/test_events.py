from decimal import Decimal
from enum import Enum
from inspect import isclass
from types import UnionType
from typing import Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from tradingd.domain import events
from tradingd.domain.events import Book, Event, EventType

CLASSES = [
    found for found in vars(events).values() if isclass(found) and issubclass(found, Event) and found is not Event
]
LONG = Decimal("-1234567890123456789.000000000000000000000000000000000010")


def sample(hint: Any) -> Any:
    """Some value of a type."""
    if get_origin(hint) is tuple:
        kinds = get_args(hint)
        return (sample(kinds[0]),) if Ellipsis in kinds else tuple(sample(kind) for kind in kinds)
    if get_origin(hint) in {Union, UnionType}:
        return sample(next(kind for kind in get_args(hint) if kind is not type(None)))
    if isclass(hint) and issubclass(hint, Enum):
        return list(hint)[-1]
    if isclass(hint) and issubclass(hint, msgspec.Struct):
        return make(hint)
    return {
        Literal["cancel", "market"]: "market",
        Literal["close", "alarm"]: "alarm",
        int: 1_700_000_000_000_000_001,
        str: "text",
        float: 0.1,
        Decimal: LONG,
        bool: True,
    }[hint]


def make(kind: type[Any]) -> Any:
    """An instance with every field filled."""
    hints = {name: hint for name, hint in get_type_hints(kind).items() if get_origin(hint) is not ClassVar}
    return kind(**{name: sample(hint) for name, hint in hints.items()})


def test_every_kind_of_event_has_one_class() -> None:
    """Each EventType belongs to exactly one event class."""
    assert sorted(found.type for found in CLASSES) == sorted(EventType)


@pytest.mark.parametrize("kind", CLASSES)
def test_a_route_is_a_field(kind: type[Event]) -> None:
    """What an event can be filtered by is a field it has, and a text."""
    assert not kind.route or get_type_hints(kind)[kind.route] is str


@pytest.mark.parametrize("kind", CLASSES)
def test_events_are_frozen(kind: type[Event]) -> None:
    """No field of an event can be changed."""
    event = make(kind)
    for name in kind.__struct_fields__:
        with pytest.raises(AttributeError, match="immutable type"):
            setattr(event, name, getattr(event, name))


@pytest.mark.parametrize("kind", CLASSES)
def test_events_survive_json(kind: type[Event]) -> None:
    """An event written as JSON and read back is the same, down to the last zero of its decimals."""
    event = make(kind)
    read = msgspec.json.decode(msgspec.json.encode(event), type=kind)
    assert read == event
    assert repr(read) == repr(event)


@pytest.mark.parametrize("kind", CLASSES)
def test_events_are_hashable_facts(kind: type[Event]) -> None:
    """Two events that say the same are equal and hash alike."""
    assert hash(make(kind)) == hash(make(kind))


def test_all_names_all() -> None:
    """The module exports every event class, sorted as the linter has it."""
    assert {found.__name__ for found in CLASSES} <= set(events.__all__)


@pytest.mark.parametrize(
    ("bids", "asks", "price"),
    [(((99.0, 1.0),), ((101.0, 1.0),), 100.0), (((99.0, 1.0),), (), 99.0), ((), ((101.0, 1.0),), 101.0)],
)
def test_a_book_is_priced_by_the_sides_it_has(
    bids: tuple[tuple[float, float], ...], asks: tuple[tuple[float, float], ...], price: float
) -> None:
    """A book's price is its mid, or the best price of the only side it has."""
    assert Book(1, "X", bids, asks).price == price
