"""The command line, run as users run it: a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).resolve().parents[2]


class Result:
    """What a command did."""

    def __init__(self, done: "subprocess.CompletedProcess[str]") -> None:
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


def environment(**extra: str) -> dict[str, str]:
    """This process's environment without what would configure tradingd."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TRADINGD")}
    return {**clean, "COLUMNS": "120", **extra}


@pytest.fixture
def tradingd(tmp_path: Path) -> Callable[..., Result]:
    """Run the command line in an empty folder."""

    def run(*arguments: object, **extra: str) -> Result:
        command = [sys.executable, "-m", "tradingd", *map(str, arguments)]
        return Result(
            subprocess.run(
                command,
                capture_output=True,
                text=True,
                cwd=tmp_path,
                env=environment(PYTHONPATH=str(REPO), **extra),
                check=False,
                timeout=60,
            )
        )

    return run
