"""What trading costs at the simulated exchange: its fee and its slippage model with what they need to know."""

from collections.abc import Callable
from decimal import Decimal

from tradingd.broker.models import (
    Charged,
    DetailedFee,
    DetailedSlippage,
    FeeKeeper,
    FeeModel,
    MarketWatch,
    PlainFee,
    PlainSlippage,
    SlippageModel,
    Taking,
    no_fee,
    no_slippage,
)
from tradingd.domain.enums import Liquidity, Side
from tradingd.domain.events import Fee, MarketEvent
from tradingd.domain.instrument import Instrument
from tradingd.domain.ports import Clock, InstrumentLookup

__all__ = ["Costs"]


class Costs:
    """Asks the models; plain ones are called as they are, and only detailed ones have anything kept for them.

    `free` tells how much of an asset the account can spend, `mark` the latest price of a symbol.
    """

    def __init__(
        self,
        fee_model: FeeModel | None,
        slippage: SlippageModel | None,
        *,
        clock: Clock,
        free: Callable[[str], Decimal],
        mark: Callable[[str], Decimal | None],
        instruments: InstrumentLookup,
    ) -> None:
        self._clock = clock
        self._fee: PlainFee = no_fee
        self.keeper: FeeKeeper | None = None
        """Has to be told each fill by `book`; None where the model needs to know nothing."""
        if isinstance(fee_model, DetailedFee):
            self.keeper = FeeKeeper(fee_model, free=free, mark=mark, instruments=instruments)
        elif fee_model is not None:
            self._fee = fee_model
        self._slip: PlainSlippage = no_slippage
        self._detailed: DetailedSlippage | None = None
        self.watch: MarketWatch | None = None
        """What has to see every market event, after the orders were matched; None where the model needs none."""
        if isinstance(slippage, DetailedSlippage):
            self._detailed, self.watch = slippage, MarketWatch(slippage)
        elif slippage is not None:
            self._slip = slippage

    def fees(
        self,
        instrument: Instrument,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        liquidity: Liquidity,
        charged: Charged | None = None,
    ) -> tuple[Fee, ...]:
        """What a fill is charged now; `charged` is what its order has been filled and charged before."""
        if self.keeper is None:
            return self._fee(instrument, quantity, price, liquidity)
        return self.keeper.fees(instrument, side, quantity, price, liquidity, charged, self._clock.now())

    def book(
        self,
        instrument: Instrument,
        quantity: Decimal,
        price: Decimal,
        fees: tuple[Fee, ...],
        charged: Charged | None,
    ) -> Charged | None:
        """Count a fill that has happened; returns what is to be passed at the next fill of the same order."""
        if self.keeper is None:
            return None
        return self.keeper.book(instrument, quantity, price, fees, charged, self._clock.now())

    def slipped(
        self, instrument: Instrument, side: Side, price: Decimal, quantity: Decimal, event: MarketEvent
    ) -> Decimal:
        """What a taker really gets where the market offers `price`."""
        if self._detailed is None or self.watch is None:
            return self._slip(instrument, side, price)
        context = self.watch.context(instrument.symbol)
        return self._detailed.slip(Taking(instrument, side, price, quantity, event, context))
