"""Streaming indicators: one update a bar, constant memory, no numpy.

All of them work alike. `update` takes the next observation and returns the new value, None until `warmup`
updates have been seen; `value` is the latest value and `ready` tells whether there is one. Some have further
outputs, attributes that are None until `ready` as well (the directional indicators of ADX come earlier).
Values are in the unit of the input (prices) unless the class says otherwise. A strategy that wants "the
previous n bars" reads an indicator before it updates it.

An observation that is NaN, infinite or beyond 1e150 raises ValueError and changes nothing: recursive averages
never forget, so one NaN let in would poison every later value.

The figures are those of TA-Lib (https://ta-lib.org) with its default settings, where it has the indicator:
seeds, smoothing and the length of the warm-up. Where rounding makes a difference these are nearer to the exact
value: `SMA` is the correctly rounded mean of its window, the others survive cancellation. None drifts, however
long it runs. An update takes amortised constant time, but for CCI.
"""

from tradingd.strategy.indicators.averages import EMA, SMA
from tradingd.strategy.indicators.base import Indicator
from tradingd.strategy.indicators.channels import Bollinger, Donchian, Keltner
from tradingd.strategy.indicators.oscillators import CCI, RSI, Stochastic
from tradingd.strategy.indicators.trend import ADX, MACD, Ichimoku, Supertrend
from tradingd.strategy.indicators.volatility import ATR, RollingStd, ZScore
from tradingd.strategy.indicators.volume import OBV, VWAP, RollingVWAP
from tradingd.strategy.indicators.weighted import WMA, LinRegSlope

__all__ = [
    "ADX",
    "ATR",
    "CCI",
    "EMA",
    "MACD",
    "OBV",
    "RSI",
    "SMA",
    "VWAP",
    "WMA",
    "Bollinger",
    "Donchian",
    "Ichimoku",
    "Indicator",
    "Keltner",
    "LinRegSlope",
    "RollingStd",
    "RollingVWAP",
    "Stochastic",
    "Supertrend",
    "ZScore",
]
