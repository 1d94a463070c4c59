"""What `tradingd rehearse` plays on: an exchange in a thread, and a strategy that keeps orders coming."""

from tradingd.testing.rehearsal.prodder import Prodder as Prodder
from tradingd.testing.rehearsal.stage import Stage as Stage

__all__ = ["Prodder", "Stage"]
