"""The benchmarks: `make bench`, or `python benchmarks/run.py --help`. docs/performance.md tells what they mean.

Each measurement runs in a process of its own, the compared ones in turn; the figures are medians, the ratios those
of measurements of the same round.
"""

import argparse
import json
import operator
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks import scaling, suites
from benchmarks.children import COMPILED, ROOT, is_current, machine
from benchmarks.plot import svg
from benchmarks.suites import Run

SUITES = {
    "engine": suites.engine,
    "memory": suites.memory,
    "symbols": suites.symbols,
    "scaling": scaling.scaling,
    "live": suites.live,
    "start": suites.start,
    "sweep": suites.sweep,
}
_RELATIONS = {"<": operator.lt, "<=": operator.le, ">=": operator.ge}
_BUSY = 0.5
"""So many others that run on a core, on average, make figures doubtful."""


def main(arguments: list[str] | None = None) -> None:
    """Measure what is asked for, print it, and write it down."""
    options = _parser().parse_args(arguments)
    facts = machine()
    print(", ".join(f"{name} {value}" for name, value in facts.items() if name != "load_average"))
    if facts["load_average"] is not None and facts["load_average"] > _BUSY * (facts["cores"] or 1):
        print(f"the machine is busy (load average {facts['load_average']:.1f}): the figures are noisy")
    print(f"medians of {options.repeats}; times are of CPU unless told")
    with tempfile.TemporaryDirectory(prefix="tradingd-bench-") as folder:
        run = Run(Path(folder), options.bars, options.repeats, _compiled(options.compiled))
        for name in options.only:
            SUITES[name](run)
    if run.targets:
        print("\nagainst what was asked for")
    for name, value, relation, bound in run.targets:
        met = "met" if _RELATIONS[relation](value, bound) else "MISSED"
        print(f"  {name:58} {value:12,.2f} {relation:>2} {bound:<8,g} {met}")
    if options.plot is not None and "scaling" in run.found:
        options.plot.parent.mkdir(parents=True, exist_ok=True)
        options.plot.write_text(svg(_panels(run)), encoding="utf-8")
    if options.json is not None:
        raw = {"machine": facts, "bars": options.bars, "repeats": options.repeats, "targets": run.targets}
        options.json.write_text(json.dumps({**raw, **run.found}, indent=1, default=str) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure tradingd; see docs/performance.md.")
    parser.add_argument("--only", type=_names, default=list(SUITES), help=f"some of {','.join(SUITES)}")
    parser.add_argument("--bars", type=_positive, default=1_000_000)
    parser.add_argument("--repeats", type=_positive, default=5)
    parser.add_argument(
        "--compiled", type=Path, help="a compiled copy of the package; build/compiled if that is there and current"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all raw figures there")
    parser.add_argument(
        "--plot",
        type=Path,
        nargs="?",
        const=ROOT / "docs" / "img" / "scaling.svg",
        metavar="FILE",
        help="draw the figures of `scaling`; docs/img/scaling.svg unless told",
    )
    return parser


def _positive(text: str) -> int:
    number = int(text.replace("_", ""))
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in SUITES:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(SUITES)}")
    return names


def _compiled(asked: Path | None) -> Path | None:
    """The compiled copy to measure; one that is not of this tree's sources would measure something else."""
    folder = COMPILED if asked is None else asked.resolve()
    if is_current(folder):
        return folder
    if asked is not None:
        raise SystemExit(f"{asked} holds no compiled copy of this tree's sources; make one: make compile")
    print(
        f"without the compiled engine: there is {'an outdated one' if folder.exists() else 'none'} (make compile)"
    )
    return None


def _panels(run: Run) -> list[tuple[str, str, list[tuple[float, float]]]]:
    found = run.found["scaling"]
    assert isinstance(found, dict)
    return [
        (each["unit"].replace("us ", "µs "), f"number of {axis}", [(x, unit) for x, _, unit in each["points"]])
        for axis, each in found.items()
    ]


if __name__ == "__main__":
    main()
