"""Fault scripts: rules, seeds, names, the two phases."""

import asyncio
import contextlib
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import ccxt
import pytest

from tests.exchange.rig import BTC, IMPATIENT, KEY, PATIENT, rig
from tradingd.testing.exchange import rest_faults, scripts
from tradingd.testing.exchange.faults import Rule
from tradingd.testing.exchange.oracle import Oracle


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_under_a_random_script_the_exchange_stays_right(seed: int) -> None:
    """A client that takes every error and goes on: the ledger balances, ids are booked once, calm is calm."""
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # ccxt raises in callbacks, see B2
    now = 0.0
    async with rig() as it:
        it.faults.monotonic = lambda: now
        it.client.timeout = IMPATIENT
        it.faults.add(*scripts.random_script(seed, intensity=0.5, orders=40).rules)
        it.faults.sleep = lambda _: asyncio.sleep(0)
        watching = [
            asyncio.ensure_future(it.client.watch_trades(BTC)),
            asyncio.ensure_future(it.client.watch_orders()),
        ]
        for number in range(40):
            now += 1
            await errors_passed(it.buy(f"t1-1-{number}"))
            await errors_passed(it.client.cancel_all_orders(BTC) if number % 5 else it.take())
            await errors_passed(it.client.fetch_my_trades(BTC))
            it.source.step(5)
        it.faults.calm()
        it.client.timeout = PATIENT
        for one in watching:
            one.cancel()
        it.engine.ledger.audit()
        assert sum(it.faults.hits.values()) > 5
        assert Oracle(it.exchange, KEY).booked_twice() == []
        await it.client.load_time_difference()
        await it.client.fetch_balance()


async def errors_passed(what: Awaitable[Any]) -> None:
    """Does something, and takes every error for an answer."""
    with contextlib.suppress(ccxt.BaseError, KeyError, TypeError, AttributeError):
        await what


async def test_a_rule_strikes_from_its_nth_on_and_as_often_as_told() -> None:
    """Of five orders the second and the third meet the fault."""
    async with rig() as it:
        it.faults.add(Rule(scripts.fault("refused-2010"), nth=2, times=2))
        met = []
        for number in range(5):
            try:
                await it.buy(f"t1-1-{number}")
            except ccxt.InsufficientFunds:
                met.append(number)
        assert met == [1, 2]
        assert it.faults.report() == {"refused-2010": 2}


async def test_after_calm_nothing_strikes() -> None:
    """The second phase: a rule without an end has one at calm."""
    async with rig() as it:
        it.strike("refused-2010", times=0)
        with pytest.raises(ccxt.InsufficientFunds):
            await it.buy()
        it.faults.calm()
        await it.buy()


async def test_two_faults_may_meet_in_one_request() -> None:
    """A slow answer that is cut off, too: both are counted."""
    async with rig() as it:
        it.strike(rest_faults.slow_answer(seconds=0.01))
        it.strike("truncated")
        with pytest.raises(ccxt.ExchangeError):
            await it.buy()
        assert it.faults.report() == {"fill-before-ack": 1, "truncated": 1}


def test_the_same_seed_draws_the_same_script() -> None:
    """A random script tells how to get it again."""
    one, two = scripts.random_script(7), scripts.random_script(7)
    assert one == two
    assert one != scripts.random_script(8)
    assert one.describe().startswith("random_script(seed=7, kinds=all, intensity=0.2, orders=200, pace=1.0)")


def test_a_script_in_a_hurry_has_short_outages() -> None:
    """With a pace of a tenth what lasts is a tenth as long; what goes wrong, and when, is the same."""
    slow, fast = scripts.random_script(7), scripts.random_script(7, pace=0.1)
    assert [rule.fault.name for rule in slow.rules] == [rule.fault.name for rule in fast.rules]
    assert [rule.nth for rule in slow.rules] == [rule.nth for rule in fast.rules]
    assert "for 0.1 s" in scripts.fault("maintenance", 0.1).text


def test_every_fault_has_a_name_of_its_own_a_number_and_a_sentence() -> None:
    """The catalogue is one of distinct things."""
    names = [one.name for one in scripts.catalogue()]
    assert len(names) == len(set(names))
    assert all(one.number and one.text for one in scripts.catalogue())


def test_a_fault_that_does_not_exist_is_told_with_those_that_do() -> None:
    """A typing error in --faults is met with the list."""
    with pytest.raises(KeyError, match="timeout-after"):
        scripts.fault("timeout-aftr")


def test_faults_are_chosen_by_name_number_or_letter() -> None:
    """`all`, `A2`, `B` and names may be mixed; each is taken once."""
    assert scripts.choose("all") == scripts.names()
    assert scripts.choose("A2, reset-after") == ["reset-before", "reset-after"]
    assert set(scripts.choose("B")) > {"silent-stream", "depth-gap"}
    assert scripts.choose("delisting") == ["delisting"]
    with pytest.raises(ValueError, match="no fault 'Z9'; use all, names or numbers such as A1"):
        scripts.choose("A1,Z9")


def test_what_nobody_recovers_from_must_be_named() -> None:
    """A revoked key and a delisting are in no script that did not ask for them."""
    assert scripts.FINAL.isdisjoint(scripts.names())
    assert [rule.fault.name for rule in scripts.script(["delisting"]).rules] == ["delisting"]


def test_the_documentation_has_the_catalogue() -> None:
    """docs/exchange.md lists each fault with its number and sentence, and no other."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "exchange.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) == len(scripts.catalogue())
    for row, fault in zip(rows, scripts.catalogue(), strict=True):
        assert row.startswith(f"| `{fault.name}` | {fault.number} |")
        assert row.endswith(f"| {fault.text} |")
