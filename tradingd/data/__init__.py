"""Market data in: the catalog of recorded history, validation, merging by time."""

from tradingd.data.catalog import Catalog as Catalog
from tradingd.data.handler import DataHandler as DataHandler
from tradingd.data.handler import LoadReport as LoadReport
from tradingd.data.importer import ImportReport as ImportReport
from tradingd.data.importer import import_file as import_file
from tradingd.data.merge import merge_by_time as merge_by_time
from tradingd.data.readers import read_events as read_events
from tradingd.data.resample import resample as resample
from tradingd.data.series import SeriesKind as SeriesKind
from tradingd.data.series import SeriesSpec as SeriesSpec
from tradingd.data.series import format_interval as format_interval
from tradingd.data.series import parse_interval as parse_interval
from tradingd.data.series import parse_time as parse_time
from tradingd.data.series import resolve_path as resolve_path
from tradingd.data.tables import Problem as Problem
from tradingd.data.validation import Gap as Gap
from tradingd.data.validation import ScanReport as ScanReport
from tradingd.data.validation import scan as scan

__all__ = [
    "Catalog",
    "DataHandler",
    "Gap",
    "ImportReport",
    "LoadReport",
    "Problem",
    "ScanReport",
    "SeriesKind",
    "SeriesSpec",
    "format_interval",
    "import_file",
    "merge_by_time",
    "parse_interval",
    "parse_time",
    "read_events",
    "resample",
    "resolve_path",
    "scan",
]
