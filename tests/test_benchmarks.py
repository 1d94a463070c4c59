"""The benchmarks measure what they say: the same work on both sides, in a tree of its own."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks import jobs, plot, scaling, suites
from benchmarks.children import is_current, ratio

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The work that is measured, over fewer bars."""
    folder = tmp_path_factory.mktemp("work")
    jobs.make(str(folder), symbols=1, bars=2_000)
    jobs.configure(str(folder / "c.toml"))
    return str(folder / "c.toml")


def test_reference_engine_and_daemon_do_the_same_work(config: str) -> None:
    """Both loops, the engine with and without records, and the daemon have the same fills and the same profit."""
    results = {
        "loop": jobs.loop(config),
        "tight": jobs.tight_loop(config),
        "recorded": jobs.backtest(config),
        "in memory": jobs.backtest(config, record=False),
        "daemon": jobs.daemon(config),
    }
    suites.agree(results)
    assert {result["bars"] for result in results.values()} == {2_000}
    assert results["recorded"]["fills"] > 50


@pytest.mark.parametrize("change", [{"fills": 1}, {"profit": 205.0}, {"profit": "5.1"}])
def test_results_of_other_work_are_not_compared(change: dict[str, object]) -> None:
    """A benchmark whose sides differ in fills or profit ends with that instead of a ratio."""
    mine, theirs = {"fills": 2, "profit": "5"}, {"fills": 2, "profit": 5.000001}
    suites.agree({"engine": mine, "loop": theirs})
    with pytest.raises(SystemExit, match="not done the same work"):
        suites.agree({"engine": mine, "loop": theirs, "other": {**mine, **change}})


def test_a_tie_that_floats_decide_is_within_bounds() -> None:
    """A loop may differ from the engine by a millionth of equity; two runs of the engine by nothing."""
    engine = {"fills": 2, "profit": "-1000"}
    suites.agree({"engine": engine, "loop": {"fills": 2, "profit": -1080.0}})
    for other in ({"fills": 2, "profit": -1200.0}, {"fills": 2, "profit": "-1000.01"}):
        with pytest.raises(SystemExit, match="not done the same work"):
            suites.agree({"engine": engine, "other": other})


def test_the_command_measures_in_processes_of_its_own(tmp_path: Path) -> None:
    """`run.py` prints its table and writes what it measured, with what it measured it on, as JSON."""
    script, answer = str(REPO / "benchmarks" / "run.py"), tmp_path / "answer.json"
    options = ("--only", "memory", "--bars", "100", "--repeats", "1", "--json", str(answer))
    done = subprocess.run([sys.executable, script, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "peak RSS of the most bars" in done.stdout
    text = answer.read_text()
    told = json.loads(text)
    (measured,) = told["memory"]["100"]
    assert measured["bars"] == 100
    assert measured["peak_mib"] > 10
    assert {"cores", "python", "commit"} <= told["machine"].keys()
    assert str(REPO) not in text  # what is quoted elsewhere names no folder of this machine


def test_a_ratio_compares_each_round_within_itself() -> None:
    """A machine that is slower for a while changes no ratio."""
    reference = [{"bars": 10, "cpu_s": 1.0}, {"bars": 10, "cpu_s": 5.0}, {"bars": 10, "cpu_s": 1.0}]
    twice_as_long = [{"bars": 10, "cpu_s": 2.0}, {"bars": 10, "cpu_s": 10.0}, {"bars": 10, "cpu_s": 2.0}]
    assert ratio(twice_as_long, reference) == 0.5


def test_growth_and_straightness_tell_a_line_from_a_curve() -> None:
    """Equal units grow by 1 and are straight; a cost that doubles with the number is told as such."""
    line = [(n, n * 3.0, 3.0) for n in (10, 100, 1_000)]
    curve = [(n, n * n * 0.1, n * 0.1) for n in (10, 100, 1_000)]
    assert scaling.growth(line) == 1
    assert scaling.straightness(line) == pytest.approx(1)
    assert scaling.growth(curve) == pytest.approx(100)
    assert scaling.straightness(curve) < 0.999


def test_an_outdated_compiled_copy_is_not_measured(tmp_path: Path) -> None:
    """A copy that lacks compiled modules, or whose sources differ from this tree's, does not count as current."""
    assert not is_current(tmp_path)
    package = tmp_path / "tradingd"
    package.mkdir()
    (package / "x.so").touch()
    assert not is_current(tmp_path)


def test_the_plot_is_an_svg_with_every_point() -> None:
    """Each panel is drawn with its title and a mark at each of its points, inside the picture."""
    panel = ("µs a bar", "number of bars", [(10, 1.0), (100, 3.0), (1_000_000, 2.0)])
    root = ET.fromstring(plot.svg([panel] * 3))  # noqa: S314 - our own
    space = "{http://www.w3.org/2000/svg}"
    circles = list(root.iter(f"{space}circle"))
    assert len(circles) == 9
    assert all(0 < float(each.attrib["cx"]) < 360 and 0 < float(each.attrib["cy"]) < 220 for each in circles)
    assert {"µs a bar", "1M", "number of bars"} <= {each.text for each in root.iter(f"{space}text")}
