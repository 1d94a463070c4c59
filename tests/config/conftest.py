"""Helpers: configuration files in a temporary folder, an empty environment."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tradingd.config import Settings, load_settings

Write = Callable[..., Path]
Load = Callable[..., Settings]

LIVE = """\
[run]
mode = "live"
accounts = ["main"]

[accounts.main]
exchange = "binance"
environment = "sandbox"
symbols = ["BTC/USDT"]

[risk.limits]
max_order_notional = 100
max_position_notional = 300
max_gross_exposure_percent = 50
price_collar_percent = 2
stale_after_s = 30
max_orders_per_minute = 30
daily_loss_percent = 3
max_drawdown_percent = 10
"""
"""The least that live trading asks for."""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file below the temporary folder, this user's alone."""

    def write_file(text: str, name: str = "config.toml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)
        return path

    return write_file


def put(folder: Path, name: str, text: str, mode: int = 0o600) -> Path:
    """Put a secret into a directory of secrets."""
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """A secrets directory, this user's alone, with the half of main's key that is not secret."""
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    put(folder, "main.api_key", "public-half")
    return folder


@pytest.fixture
def load(write: Write) -> Load:
    """Load the least that live trading asks for, with what else is given."""

    def load_live(text: str = "", *overrides: str, name: str = "config.toml", **sources: Any) -> Settings:
        return load_settings([write(LIVE + text, name)], overrides=overrides, **{"environ": {}, **sources})

    return load_live
