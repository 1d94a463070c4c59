from pathlib import Path

import pytest

from tradingd.data import Catalog, SeriesKind, parse_interval
from tradingd.errors import DataError

HOUR = parse_interval("1h")
DAY = parse_interval("1d")


def put(root: Path, files: dict[str, str]) -> Path:
    """Write text files below root; data files stay empty, because a catalog opens none."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_missing_root(tmp_path: Path) -> None:
    """A missing folder is told with its path and the configuration's key."""
    with pytest.raises(DataError, match=r"nowhere does not exist; create it, or set the key data\.catalog"):
        Catalog(tmp_path / "nowhere")


def test_empty_root(tmp_path: Path) -> None:
    """An empty catalog has no series and finds none."""
    catalog = Catalog(tmp_path)
    assert catalog.series() == ()
    with pytest.raises(DataError, match=r"no series AAPL in .*; it has none"):
        catalog.find("AAPL")


def test_dataset_defaults(tmp_path: Path) -> None:
    """A dataset's file describes all files of its folder, whose stems are their symbols."""
    toml = 'interval = "1d"\ncalendar = "weekdays"\norigin = "o"\nlicence = "l"\n[instrument]\ntick = "0.01"'
    root = put(tmp_path, {"d/dataset.toml": toml, "d/B.csv": "", "d/A.parquet": ""})
    first, second = Catalog(root).series()
    assert (first.symbol, second.symbol) == ("A", "B")
    assert first.path == root / "d" / "A.parquet"
    assert (first.interval_ns, first.calendar, first.kind) == (DAY, "weekdays", SeriesKind.BARS)
    assert (first.origin, first.licence, first.instrument) == ("o", "l", {"tick": "0.01"})


def test_sidecar_overrides(tmp_path: Path) -> None:
    """A file's own description overrides its dataset's, key by key in the instrument."""
    files = {
        "d/dataset.toml": 'interval = "1d"\n[instrument]\nkind = "spot"\ntick = "0.01"',
        "d/EURUSD.toml": 'symbol = "EUR/USD"\ninterval = "1h"\n[instrument]\ntick = "0.1"',
        "d/EURUSD.csv": "",
    }
    (spec,) = Catalog(put(tmp_path, files)).series()
    assert (spec.symbol, spec.interval_ns) == ("EUR/USD", HOUR)
    assert spec.instrument == {"kind": "spot", "tick": "0.1"}


def test_file_in_root(tmp_path: Path) -> None:
    """A file may lie in the root itself."""
    root = put(tmp_path, {"X.csv": "", "X.toml": 'interval = "1h"'})
    assert Catalog(root).find("X").path == root / "X.csv"


def test_share_is_its_own_base(tmp_path: Path) -> None:
    """A share's base asset is the share itself, unless told."""
    toml = 'interval = "1d"\n[instrument]\nkind = "equity"'
    root = put(tmp_path, {"d/dataset.toml": toml, "d/A.csv": ""})
    assert Catalog(root).find("A").instrument["base"] == "A"


def test_incomplete(tmp_path: Path) -> None:
    """Bars without an interval are told with how to mend it, and hold up nothing else."""
    root = put(tmp_path, {"X.csv": "", "Y.csv": "", "Y.toml": 'interval = "1h"'})
    catalog = Catalog(root)
    assert [spec.symbol for spec in catalog.series()] == ["Y"]
    ((path, reason),) = catalog.incomplete()
    assert path == root / "X.csv"
    assert reason.startswith('its bars have no interval: write interval = "1d"')
    assert "X.toml or dataset.toml" in reason
    with pytest.raises(DataError, match=r"X cannot be read yet: .* have no interval"):
        catalog.find("X")


def test_orphan_sidecar(tmp_path: Path) -> None:
    """A description without its data file is told."""
    catalog = Catalog(put(tmp_path, {"d/X.toml": 'interval = "1h"'}))
    assert catalog.incomplete() == (
        (tmp_path / "d" / "X.toml", "there is no data file X.parquet or .csv beside it"),
    )


def test_hidden_files(tmp_path: Path) -> None:
    """Hidden files and folders are no data."""
    catalog = Catalog(put(tmp_path, {".x.csv": "", ".d/X.csv": ""}))
    assert (catalog.series(), catalog.incomplete()) == ((), ())


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('intervall = "1d"', "unknown key intervall; did you mean interval?"),
        ('qqqq = "1d"', "unknown key qqqq; there are: symbol, kind, interval"),
        ('interval = "1d"\n[instrument]\ntik = "1"', "[instrument]: unknown key tik; did you mean tick?"),
        ('interval = "1d"\n[instrument]\ntick = 0.01', 'tick must be text, to be exact: tick = "0.01"'),
        ('interval = "1d"\ninstrument = "spot"', "instrument must be a table"),
        ('interval = "daily"', "X.toml or dataset.toml of"),
        ('interval = "1d"\ncalendar = "NYSE"', "'NYSE' is no calendar; use 24/7 or weekdays"),
        ('kind = "candles"', "Invalid enum value 'candles'"),
        ("interval = 1", "Expected `str`, got `int`"),
        ("interval =", "is no valid TOML"),
    ],
)
def test_bad_description(toml: str, message: str, tmp_path: Path) -> None:
    """A mistake in a description is refused, naming the file and the remedy."""
    root = put(tmp_path, {"X.csv": "", "X.toml": toml})
    with pytest.raises(DataError) as caught:
        Catalog(root)
    assert message in str(caught.value)
    assert "X.toml" in str(caught.value)


def test_dataset_has_no_symbol(tmp_path: Path) -> None:
    """A dataset's file cannot give all its files one symbol."""
    with pytest.raises(DataError, match="unknown key symbol"):
        Catalog(put(tmp_path, {"d/dataset.toml": 'symbol = "X"'}))


def test_unknown_symbol(tmp_path: Path) -> None:
    """An unknown symbol is told with the nearest ones."""
    root = put(tmp_path, {"d/dataset.toml": 'interval = "1d"', "d/AAPL.csv": "", "d/MSFT.csv": ""})
    with pytest.raises(DataError, match="the nearest: AAPL"):
        Catalog(root).find("APPL")


@pytest.fixture
def mixed(tmp_path: Path) -> Catalog:
    """X as hourly and daily bars and as trades."""
    files = {
        "hourly/X.csv": "",
        "hourly/dataset.toml": 'interval = "1h"',
        "daily/X.csv": "",
        "daily/dataset.toml": 'interval = "1d"',
        "trades/X.csv": "",
        "trades/dataset.toml": 'kind = "trades"',
        "tables/rates.csv": "",
        "tables/dataset.toml": 'kind = "table"',
    }
    return Catalog(put(tmp_path, files))


def test_ambiguous(mixed: Catalog) -> None:
    """Several series of one symbol are ambiguous, and all are told."""
    with pytest.raises(DataError, match=r"ambiguous, tell the interval or the kind: .*1h.*1d.*trades"):
        mixed.find("X")


def test_choose(mixed: Catalog) -> None:
    """The interval or the kind chooses one of several series."""
    assert mixed.find("X", HOUR).path.parent.name == "hourly"
    assert mixed.find("X", kind=SeriesKind.TRADES).path.parent.name == "trades"


def test_nothing_matches(mixed: Catalog) -> None:
    """A choice that no series matches is told with what there is."""
    with pytest.raises(DataError, match=r"X has no series of bars 5m; there is: .*1h"):
        mixed.find("X", parse_interval("5m"), SeriesKind.BARS)


def test_table_is_listed_only(mixed: Catalog) -> None:
    """Reference data is listed, but cannot be found to trade on."""
    assert ("rates", SeriesKind.TABLE) in {(spec.symbol, spec.kind) for spec in mixed.series()}
    with pytest.raises(DataError, match="there is no series rates"):
        mixed.find("rates")
