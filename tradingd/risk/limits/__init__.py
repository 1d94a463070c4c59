"""Limits: small objects in a list, each with one question and one reason code."""

from tradingd.risk.limits.base import Denied, Limit, Proposal, RiskContext
from tradingd.risk.limits.exposure import (
    MaxGrossExposure,
    MaxLeverage,
    MaxNetExposure,
    MaxPositionNotional,
    MaxPositionQuantity,
    MaxStrategyCapital,
    NoShort,
)
from tradingd.risk.limits.losses import DailyLoss, MaxDrawdown
from tradingd.risk.limits.orders import (
    InstrumentFilters,
    MaxOpenOrders,
    MaxOrderNotional,
    MaxOrderQuantity,
    OrderRate,
    PriceCollar,
    ReduceOnly,
    RepeatedOrders,
    SelfMatch,
    StaleData,
)

__all__ = [
    "DailyLoss",
    "Denied",
    "InstrumentFilters",
    "Limit",
    "MaxDrawdown",
    "MaxGrossExposure",
    "MaxLeverage",
    "MaxNetExposure",
    "MaxOpenOrders",
    "MaxOrderNotional",
    "MaxOrderQuantity",
    "MaxPositionNotional",
    "MaxPositionQuantity",
    "MaxStrategyCapital",
    "NoShort",
    "OrderRate",
    "PriceCollar",
    "Proposal",
    "ReduceOnly",
    "RepeatedOrders",
    "RiskContext",
    "SelfMatch",
    "StaleData",
]
