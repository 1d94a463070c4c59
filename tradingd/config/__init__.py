"""The configuration: checked, frozen models, and `load_settings`, which makes them.

Sources, the strongest first:

1. `--set section.key=value`. The value is TOML if it parses as such (`5`, `0.1`, `["a", "b"]`), else text.
2. Environment variables `TRADINGD__SECTION__KEY=value`, in any case. Arrays and tables are JSON. A variable for a
   key is stronger than one for its table. There are none for secrets.
3. The secrets directory, for `[credentials.<account>]` only: the argument, else `$TRADINGD_SECRETS_DIR`, else
   systemd's `$CREDENTIALS_DIRECTORY`. A file per secret, `main.api_key` or `main__api_key`, mode 600. Only live
   trading opens it, and there only the files of the accounts that `run.accounts` names.
4. Files, TOML or YAML, each stronger than those before it.
5. Defaults.

They are merged table by table and key by key. Arrays are not merged: a stronger source's array replaces the weaker
one's as a whole, and so do `[[strategies]]`, `[[instruments]]` and `[[data.files]]`. The text `"none"` unsets an
optional key that a weaker source has set.

Keys carry their units: `_s` are seconds, `_percent` percent (5 means 5 %), `_bps` basis points. Numbers are exact:
text, ints and the decimals of TOML, YAML and JSON become Decimals of their very digits. Relative paths belong to
the file that names them, or to the working directory where the environment or `--set` names them.
"""

from tradingd.config.accounts import AccountSettings as AccountSettings
from tradingd.config.accounts import run_symbols as run_symbols
from tradingd.config.broker import BrokerSettings as BrokerSettings
from tradingd.config.broker import LatencySettings as LatencySettings
from tradingd.config.costs import FeeSettings as FeeSettings
from tradingd.config.costs import SlippageSettings as SlippageSettings
from tradingd.config.costs import TierSettings as TierSettings
from tradingd.config.hints import nearest_hint as nearest_hint
from tradingd.config.livedata import LiveDataSettings as LiveDataSettings
from tradingd.config.livedata import RecordSettings as RecordSettings
from tradingd.config.load import load_settings as load_settings
from tradingd.config.models import CredentialSettings as CredentialSettings
from tradingd.config.models import DataActionsSettings as DataActionsSettings
from tradingd.config.models import DataFileSettings as DataFileSettings
from tradingd.config.models import DataSettings as DataSettings
from tradingd.config.models import ExecutionSettings as ExecutionSettings
from tradingd.config.models import InstrumentSettings as InstrumentSettings
from tradingd.config.models import LoggingSettings as LoggingSettings
from tradingd.config.models import PortfolioSettings as PortfolioSettings
from tradingd.config.models import ReplaySettings as ReplaySettings
from tradingd.config.models import RunSettings as RunSettings
from tradingd.config.models import RuntimeSettings as RuntimeSettings
from tradingd.config.models import StrategySettings as StrategySettings
from tradingd.config.risk import LimitSettings as LimitSettings
from tradingd.config.risk import RiskSettings as RiskSettings
from tradingd.config.risk import SizerSettings as SizerSettings
from tradingd.config.section import ConfigSection as ConfigSection
from tradingd.config.settings import Settings as Settings

__all__ = [
    "AccountSettings",
    "BrokerSettings",
    "ConfigSection",
    "CredentialSettings",
    "DataActionsSettings",
    "DataFileSettings",
    "DataSettings",
    "ExecutionSettings",
    "FeeSettings",
    "InstrumentSettings",
    "LatencySettings",
    "LimitSettings",
    "LiveDataSettings",
    "LoggingSettings",
    "PortfolioSettings",
    "RecordSettings",
    "ReplaySettings",
    "RiskSettings",
    "RunSettings",
    "RuntimeSettings",
    "Settings",
    "SizerSettings",
    "SlippageSettings",
    "StrategySettings",
    "TierSettings",
    "load_settings",
    "nearest_hint",
    "run_symbols",
]
