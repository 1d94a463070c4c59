"""Rehearsals: the live daemon against an exchange on which things go wrong; see `tradingd rehearse`."""

from tradingd.testing.rehearsal.performance import Pace as Pace
from tradingd.testing.rehearsal.performance import Rehearsal as Rehearsal
from tradingd.testing.rehearsal.prodder import Prodder as Prodder
from tradingd.testing.rehearsal.stage import Stage as Stage

__all__ = ["Pace", "Prodder", "Rehearsal", "Stage"]
