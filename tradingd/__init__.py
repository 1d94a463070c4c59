"""tradingd: a trading daemon whose paper mode, backtests and live trading share one set of components."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tradingd.app import bootstrap as bootstrap

__all__ = ["__version__", "bootstrap"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute can be anything
    """Import the composition root on first use, so that `import tradingd` stays cheap."""
    if name == "bootstrap":
        from tradingd.app import bootstrap

        return bootstrap
    raise AttributeError(f"module 'tradingd' has no attribute {name!r}")
