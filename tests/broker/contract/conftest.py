"""The brokers that have to keep the contract."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import pytest

from tests.broker.contract.connected import in_memory, over_sockets
from tests.broker.contract.simulated import DelayedStand, SimulatedStand, simulated
from tests.broker.contract.stand import Stand
from tradingd.broker.capabilities import LACKABLE, lacking

Contract = Callable[..., AbstractAsyncContextManager[Stand]]
"""(fees="base" | "quote" | "BNB") -> a stand; when it is left without an error, all books are compared."""

BROKERS: dict[str, Contract] = {
    "simulated": partial(simulated, SimulatedStand),
    "lacking": partial(simulated, SimulatedStand, capabilities=lacking(LACKABLE)),
    "delayed": partial(simulated, DelayedStand),
    "ccxt-in-memory": in_memory,
    "ccxt-loopback": over_sockets,
    "ccxt-tls": partial(over_sockets, tls=True),
}


@pytest.fixture(params=BROKERS)
def contract(request: pytest.FixtureRequest) -> Any:
    """Each broker in turn."""
    return BROKERS[request.param]
