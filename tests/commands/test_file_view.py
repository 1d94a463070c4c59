"""The view of the file system in which recorded data end at a moment."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import REPO, environment
from tradingd.commands.file_view import FileView, named_data
from tradingd.data.truncation import data_file

DAY_NS = 86_400 * 10**9


def world(folder: Path) -> Path:
    """A folder with days of data, something beside them, and a folder to start in."""
    home = folder / "home"
    (home / "data" / "daily").mkdir(parents=True)
    (home / "work").mkdir()
    (home / "data" / "dataset.toml").write_text("x")
    rows = "".join(f"{day * 86_400_000},1,1,1,1,1\n" for day in range(10_000, 10_004))
    (home / "data" / "daily" / "a.csv").write_text("timestamp,open,high,low,close,volume\n" + rows)
    (home / "data" / "daily" / "b.csv").write_text("no data\n")
    return home


def view_of(folder: Path, home: Path, until_day: int | None) -> FileView:
    """A view in which the days end."""
    view = FileView(folder / "own" / "view", [data_file(home / "data" / "daily" / "a.csv")], [home / "work"])
    view.build(None if until_day is None else until_day * DAY_NS)
    return view


def test_everything_is_there_and_data_end(tmp_path: Path) -> None:
    """In the view the cut file is short, all else is as it is, also by way of `..`; the original is untouched."""
    home = world(tmp_path)
    inside = view_of(tmp_path, home, 10_002).inside(home / "work")
    data = inside / ".." / "data"
    assert len((data / "daily" / "a.csv").read_text().splitlines()) == 3
    assert (data / "daily" / "b.csv").read_text() == "no data\n"
    assert (data / "dataset.toml").read_text() == "x"
    assert len((home / "data" / "daily" / "a.csv").read_text().splitlines()) == 5


def test_the_view_of_a_full_run_has_the_whole_files(tmp_path: Path) -> None:
    """It has the same paths, so that these do not tell the runs apart."""
    home = world(tmp_path)
    view = view_of(tmp_path, home, None)
    original = home / "data" / "daily" / "a.csv"
    assert view.inside(original).read_bytes() == original.read_bytes()


def test_a_file_is_cut_by_every_path_to_it(tmp_path: Path) -> None:
    """A data folder that is a link ends the same by its own path and by that which the link leads to."""
    home = world(tmp_path)
    (tmp_path / "link").symlink_to(home / "data")
    linked = tmp_path / "link" / "daily" / "a.csv"
    view = FileView(tmp_path / "own" / "view", [data_file(linked)], [home / "work"])
    view.build(10_002 * DAY_NS)
    for path in (linked, home / "data" / "daily" / "a.csv"):
        assert len(view.inside(path).read_text().splitlines()) == 3


def test_parameters_are_led_into_the_view(tmp_path: Path) -> None:
    """Absolute paths to cut files or their folders are, in lists and tables, too; whatever else stays."""
    home = world(tmp_path)
    view = view_of(tmp_path, home, 10_002)
    folder, other = str(home / "data"), str(home / "data" / "dataset.toml")
    params = {
        "a": [f"{folder}/daily/a.csv", other],
        "b": {"c": folder},
        "d": 5,
        "e": "data/daily/a.csv",
        "f": "~x/",
    }
    inside = f"{view.root}{folder}"
    assert view.redirected(params) == {**params, "a": [f"{inside}/daily/a.csv", other], "b": {"c": inside}}


def test_files_are_found_in_parameters(tmp_path: Path) -> None:
    """By absolute and relative paths, in folders and theirs; a text that is no path names nothing."""
    home = world(tmp_path)
    daily = home / "data" / "daily"
    for params in ({"x": [str(daily / "a.csv")]}, ["daily/a.csv", "", "\0", "AAPL", 7]):
        assert named_data(params, [home / "data"]) == {daily / "a.csv"}
    assert named_data(str(home / "data"), []) == {daily / "a.csv", daily / "b.csv"}
    assert named_data("pkg:tradingd/sample_data/fx_hourly/EURUSD_2017.parquet", []) == {
        REPO / "tradingd" / "sample_data" / "fx_hourly" / "EURUSD_2017.parquet"
    }


def in_a_process(folder: Path, script: str) -> str:
    """What a script prints in an interpreter of its own: audit hooks and mounts cannot be taken back."""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=folder,
        env=environment(PYTHONPATH=str(REPO)),
    )  # fmt: skip
    return done.stdout


def test_opening_a_watched_file_is_told(tmp_path: Path) -> None:
    """Under any of its names, and whatever Python opens it with; other files are nobody's business."""
    (tmp_path / "a.csv").write_text("a")
    (tmp_path / "b.csv").write_text("b")
    script = (
        "import os, io\nfrom pathlib import Path\nfrom tradingd.commands.file_view import watch_opens\n"
        "told = []\nwatch_opens([Path('a.csv').absolute()], told.append)\n"
        "open('a.csv').close(); Path('x/../a.csv').parent; io.open(Path('a.csv').absolute()).close()\n"
        "os.close(os.open(b'a.csv', os.O_RDONLY)); open('b.csv').close()\nprint(len(told))\n"
    )
    assert in_a_process(tmp_path, script) == "3\n"


def test_a_copy_takes_the_place_of_its_original_for_one_process(tmp_path: Path) -> None:
    """Where the system allows it: that process finds the copy, everybody else the original."""
    (tmp_path / "a").write_text("whole")
    (tmp_path / "b").write_text("cut")
    script = (
        "from pathlib import Path\nfrom tradingd.commands.overlay import overlay\n"
        "print(overlay({Path('a').absolute(): Path('b').absolute()}), Path('a').read_text())\n"
    )
    out = in_a_process(tmp_path, script)
    if out == "False whole\n":
        pytest.skip("this system has no mount namespaces for its users")
    assert out == "True cut\n"
    assert (tmp_path / "a").read_text() == "whole"
