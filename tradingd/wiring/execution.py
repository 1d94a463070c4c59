"""The execution engine and its algorithms, made from their settings."""

from collections.abc import Sequence
from decimal import Decimal
from random import Random
from typing import Any

from tradingd.config import BrokerSettings, ExecutionSettings
from tradingd.domain.loading import construct
from tradingd.domain.money import mul
from tradingd.execution.algorithms.base import Algorithm
from tradingd.execution.algorithms.shipped import algorithm_classes
from tradingd.execution.engine import ExecutionEngine
from tradingd.execution.ids import OrderIds

__all__ = ["make_algorithms", "make_engine", "memory_of"]

_NS = Decimal(1_000_000_000)


def make_algorithms(execution: ExecutionSettings, **parts: Any) -> tuple[Algorithm, ...]:  # noqa: ANN401 - Algorithm's
    """The shipped algorithms and the user's own, which share one seeded chance."""
    curves = {name: ",".join(str(each) for each in curve) for name, curve in execution.volume_curves.items()}
    common = {"draw": Random(execution.seed).random, "curves": curves, **parts}  # noqa: S311 - no secret hangs on it
    return tuple(
        construct(cls, f"algorithm {name!r}", {"name": name, **common})
        for name, cls in algorithm_classes(execution.algorithms).items()
    )


def make_engine(
    execution: ExecutionSettings,
    algorithms: Sequence[Algorithm],
    epoch: int = 1,
    **parts: Any,  # noqa: ANN401 - those of ExecutionEngine
) -> ExecutionEngine:
    """The engine, with its order ids and what it does of itself; `epoch` tells the runs of one account apart."""
    timeout = execution.unfilled_timeout_s
    return ExecutionEngine(
        ids=OrderIds(prefix=execution.order_id_prefix, epoch=epoch, instance=execution.instance),
        algorithms=[algorithm.name for algorithm in algorithms],
        unfilled_timeout_ns=0 if timeout is None else int(mul(timeout, _NS)),
        **parts,
    )


def memory_of(broker: BrokerSettings) -> dict[str, int]:
    """How many closed orders, past intents and trades the engine remembers.

    The simulated exchange is not days late and reports nothing twice: a long backtest need not hold as much as an
    engine that a real venue answers.
    """
    return {"closed_kept": 1_000, "remembered": 10_000} if broker.kind == "simulated" else {}
