"""Fee and slippage models: small pure functions, and what keeps for them what they need to know."""

from tradingd.broker.models.fees import DetailedFee as DetailedFee
from tradingd.broker.models.fees import FeeBasis as FeeBasis
from tradingd.broker.models.fees import FeeModel as FeeModel
from tradingd.broker.models.fees import FeeNeeds as FeeNeeds
from tradingd.broker.models.fees import PlainFee as PlainFee
from tradingd.broker.models.fees import Tier as Tier
from tradingd.broker.models.fees import fixed_fee as fixed_fee
from tradingd.broker.models.fees import maker_taker_fee as maker_taker_fee
from tradingd.broker.models.fees import no_fee as no_fee
from tradingd.broker.models.fees import per_share_fee as per_share_fee
from tradingd.broker.models.fees import third_coin_fee as third_coin_fee
from tradingd.broker.models.fees import tiered_fee as tiered_fee
from tradingd.broker.models.keeper import Charged as Charged
from tradingd.broker.models.keeper import FeeKeeper as FeeKeeper
from tradingd.broker.models.keeper import TrailingVolume as TrailingVolume
from tradingd.broker.models.slippage import DetailedSlippage as DetailedSlippage
from tradingd.broker.models.slippage import MarketContext as MarketContext
from tradingd.broker.models.slippage import MarketNeeds as MarketNeeds
from tradingd.broker.models.slippage import PlainSlippage as PlainSlippage
from tradingd.broker.models.slippage import SlippageModel as SlippageModel
from tradingd.broker.models.slippage import Taking as Taking
from tradingd.broker.models.slippage import fixed_bps_slippage as fixed_bps_slippage
from tradingd.broker.models.slippage import half_spread_slippage as half_spread_slippage
from tradingd.broker.models.slippage import no_slippage as no_slippage
from tradingd.broker.models.slippage import square_root_impact as square_root_impact
from tradingd.broker.models.watch import MarketWatch as MarketWatch

__all__ = [
    "Charged",
    "DetailedFee",
    "DetailedSlippage",
    "FeeBasis",
    "FeeKeeper",
    "FeeModel",
    "FeeNeeds",
    "MarketContext",
    "MarketNeeds",
    "MarketWatch",
    "PlainFee",
    "PlainSlippage",
    "SlippageModel",
    "Taking",
    "Tier",
    "TrailingVolume",
    "fixed_bps_slippage",
    "fixed_fee",
    "half_spread_slippage",
    "maker_taker_fee",
    "no_fee",
    "no_slippage",
    "per_share_fee",
    "square_root_impact",
    "third_coin_fee",
    "tiered_fee",
]
