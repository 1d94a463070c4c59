"""Events: frozen facts and commands that flow between components.

Every event has `ts`: nanoseconds since the Unix epoch, UTC, at which it is known. A bar is known at its close.
Market data holds floats; whatever moves money holds Decimals.

How one order travels, left to right::

    Signal | OrderRequest -> risk -> ApprovedOrder -> execution -> SubmitOrder -> broker
    broker -> BrokerReport | TradeReport -> execution -> Fill -> portfolio -> PositionUpdate -> risk, strategy
                                            execution -> OrderUpdate -> risk, strategy

An `intent_id` names the wish, from the strategy that had it to the last fill; an `order_id` is the client order
id that execution gave the order.
"""

from tradingd.domain.events.action import CorporateAction as CorporateAction
from tradingd.domain.events.action import FeedEvent as FeedEvent
from tradingd.domain.events.algo import AlgoDone as AlgoDone
from tradingd.domain.events.algo import AlgoOrder as AlgoOrder
from tradingd.domain.events.algo import AlgoUpdate as AlgoUpdate
from tradingd.domain.events.algo import ChildCancel as ChildCancel
from tradingd.domain.events.algo import ChildOrder as ChildOrder
from tradingd.domain.events.base import MARKET_EVENTS as MARKET_EVENTS
from tradingd.domain.events.base import Event as Event
from tradingd.domain.events.base import EventType as EventType
from tradingd.domain.events.market import Bar as Bar
from tradingd.domain.events.market import Book as Book
from tradingd.domain.events.market import MarketEvent as MarketEvent
from tradingd.domain.events.market import Quote as Quote
from tradingd.domain.events.market import Trade as Trade
from tradingd.domain.events.trading import ApprovedOrder as ApprovedOrder
from tradingd.domain.events.trading import BrokerReport as BrokerReport
from tradingd.domain.events.trading import CancelCommand as CancelCommand
from tradingd.domain.events.trading import CancelOrder as CancelOrder
from tradingd.domain.events.trading import CancelRequest as CancelRequest
from tradingd.domain.events.trading import Fee as Fee
from tradingd.domain.events.trading import Fill as Fill
from tradingd.domain.events.trading import HaltChanged as HaltChanged
from tradingd.domain.events.trading import LedgerEntry as LedgerEntry
from tradingd.domain.events.trading import ModifyCommand as ModifyCommand
from tradingd.domain.events.trading import ModifyOrder as ModifyOrder
from tradingd.domain.events.trading import ModifyRequest as ModifyRequest
from tradingd.domain.events.trading import OrderRequest as OrderRequest
from tradingd.domain.events.trading import OrderUpdate as OrderUpdate
from tradingd.domain.events.trading import PositionUpdate as PositionUpdate
from tradingd.domain.events.trading import ProtectRequest as ProtectRequest
from tradingd.domain.events.trading import ReportKind as ReportKind
from tradingd.domain.events.trading import Signal as Signal
from tradingd.domain.events.trading import StrategyFaulted as StrategyFaulted
from tradingd.domain.events.trading import SubmitOrder as SubmitOrder
from tradingd.domain.events.trading import Timer as Timer
from tradingd.domain.events.trading import TradeReport as TradeReport
from tradingd.domain.events.venue import AccountPosition as AccountPosition
from tradingd.domain.events.venue import AccountSnapshot as AccountSnapshot
from tradingd.domain.events.venue import Balance as Balance
from tradingd.domain.events.venue import HaltRequest as HaltRequest
from tradingd.domain.events.venue import MarginCall as MarginCall
from tradingd.domain.events.venue import VenueCondition as VenueCondition
from tradingd.domain.events.venue import VenueStatus as VenueStatus

__all__ = [
    "MARKET_EVENTS",
    "AccountPosition",
    "AccountSnapshot",
    "AlgoDone",
    "AlgoOrder",
    "AlgoUpdate",
    "ApprovedOrder",
    "Balance",
    "Bar",
    "Book",
    "BrokerReport",
    "CancelCommand",
    "CancelOrder",
    "CancelRequest",
    "ChildCancel",
    "ChildOrder",
    "CorporateAction",
    "Event",
    "EventType",
    "Fee",
    "FeedEvent",
    "Fill",
    "HaltChanged",
    "HaltRequest",
    "LedgerEntry",
    "MarginCall",
    "MarketEvent",
    "ModifyCommand",
    "ModifyOrder",
    "ModifyRequest",
    "OrderRequest",
    "OrderUpdate",
    "PositionUpdate",
    "ProtectRequest",
    "Quote",
    "ReportKind",
    "Signal",
    "StrategyFaulted",
    "SubmitOrder",
    "Timer",
    "Trade",
    "TradeReport",
    "VenueCondition",
    "VenueStatus",
]
