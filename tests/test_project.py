"""Promises of the project itself: generated docs, lock files, exports, purity."""

import importlib
import importlib.util
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tradingd

REPO = Path(__file__).resolve().parents[1]
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(tradingd.__path__, "tradingd.")
    if "__main__" not in module.name
)


def test_the_configuration_page_is_what_the_models_say() -> None:
    """docs/configuration.md is what docs/generate.py writes from the models; `make docs` renews it."""
    spec = importlib.util.spec_from_file_location("generate", REPO / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert generate.TARGET.read_text(encoding="utf-8") == generate.text()


@pytest.mark.parametrize("lock", ["run", "dev"])
def test_lock_files_pin_by_hash_and_name_no_host(lock: str) -> None:
    """Every requirement of the lock files is pinned with hashes; no address of a registry is in them."""
    text = (REPO / "requirements" / f"{lock}.lock").read_text()
    pins = re.split(r"\n(?=[a-z0-9])", text.strip(), flags=re.IGNORECASE)
    assert len(pins) > 20
    assert all(re.match(r"[\w.-]+==[\w.]+ ", pin) and "--hash=sha256:" in pin for pin in pins)
    assert not re.search(r"https?:|index-url|find-links|file:", text)


def test_the_development_lock_contains_the_run_lock() -> None:
    """A tree set up for tests has the very versions that run in production."""
    locks = [
        set(re.findall(r"^[\w.-]+==[\w.]+", (REPO / "requirements" / f"{name}.lock").read_text(), re.MULTILINE))
             for name in ("run", "dev")]  # fmt: skip
    assert locks[0] <= locks[1]


@pytest.mark.parametrize("name", MODULES)
def test_exports_exist_and_are_sorted(name: str) -> None:
    """Every module's __all__ is sorted and names things that are there."""
    module = importlib.import_module(name)
    exported = getattr(module, "__all__", [])
    assert list(exported) == sorted(exported, key=_isort_key)
    assert all(hasattr(module, each) for each in exported)


def _isort_key(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest: the order that the linter keeps."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize("module", ["tradingd", "tradingd.cli", "tradingd.strategy.base"])
def test_importing_stays_light(module: str) -> None:
    """Importing the package, its command line or the strategy base brings in neither ccxt, pyarrow nor numpy."""
    script = f"import sys, {module}; print(sorted({{'ccxt', 'pyarrow', 'numpy', 'pandas'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=REPO)
    assert done.stdout == "[]\n"


def test_the_specification_example_runs_as_written() -> None:
    """examples/spec_example.py trades AAPL's 253 bars of 2020 and prints equity, fills and position."""
    pytest.importorskip("hvsampledata")
    done = subprocess.run(
        [sys.executable, str(REPO / "examples" / "spec_example.py")],
        capture_output=True, text=True, check=True, cwd="/", env={"PYTHONPATH": str(REPO), "PATH": ""},
    )  # fmt: skip
    assert "Bars:      253\n" in done.stdout
    fills = re.findall(r"^  (BUY |SELL) (\d+) AAPL at ([\d.]+)$", done.stdout, re.MULTILINE)
    assert f"Fills:     {len(fills)}\n" in done.stdout
    assert [side.strip() for side, _, _ in fills] == ["BUY", "SELL"] * (len(fills) // 2) + ["BUY"] * (
        len(fills) % 2
    )
    cash = 100_000.0
    for side, quantity, price in fills:
        notional = int(quantity) * float(price)
        cash += (-notional if side == "BUY " else notional) - notional * 0.0005
    held = sum(int(q) if side == "BUY " else -int(q) for side, q, _ in fills)
    last_close = 132.69  # of 2020-12-31
    equity = float(re.search(r"Equity:    ([\d,.]+) USD", done.stdout)[1].replace(",", ""))  # type: ignore[index]
    assert equity == pytest.approx(cash + held * last_close, abs=0.01)


def test_the_source_tree_names_no_registry() -> None:
    """No tracked text file names an index address or a path of the machine it was written on."""
    files = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, check=False, cwd=REPO
    ).stdout.split()
    for name in files:
        path = REPO / name
        if path.suffix in {".parquet", ".png"} or name == "tests/test_project.py" or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not re.search(r"--(extra-)?index-url|files\.pythonhosted|(?<![\w.])/(root|work)/", text), name
