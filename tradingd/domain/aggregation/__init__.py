"""Bars built from trades, quotes or smaller bars: by time, activity, imbalance, or as Heikin-Ashi and Renko.

An aggregator takes one symbol's events in the order in which they became known and answers each with the bars it
closed, mostly none. Constant memory; no clock: only an input closes a bar, so nothing that comes later can be in
it. `parse_rule` reads a rule's text form, such as `15m` or `volume:50`.
"""

from tradingd.domain.aggregation.activity import ActivityBars as ActivityBars
from tradingd.domain.aggregation.base import Aggregator as Aggregator
from tradingd.domain.aggregation.base import EachBar as EachBar
from tradingd.domain.aggregation.periods import TimeBars as TimeBars
from tradingd.domain.aggregation.periods import period_start as period_start
from tradingd.domain.aggregation.rules import RULE_FORMS as RULE_FORMS
from tradingd.domain.aggregation.rules import BarRule as BarRule
from tradingd.domain.aggregation.rules import parse_rule as parse_rule
from tradingd.domain.aggregation.shapes import HeikinAshi as HeikinAshi
from tradingd.domain.aggregation.shapes import Renko as Renko

__all__ = [
    "RULE_FORMS",
    "ActivityBars",
    "Aggregator",
    "BarRule",
    "EachBar",
    "HeikinAshi",
    "Renko",
    "TimeBars",
    "parse_rule",
    "period_start",
]
