"""The error tree. Every error we raise on purpose is a `TradingdError`.

::

    TradingdError
     +-- ConfigError            a configuration file, key or value is wrong            exit 78
     |    +-- UnknownKeyError   a key that does not exist, with the nearest that does
     +-- CredentialsError       keys are missing, unreadable or readable by others     exit 77
     +-- DataError              a data file is missing, damaged or not plausible       exit 65
     +-- UsageError             a command was called in a way it cannot serve          exit 64
     +-- MoneyError             a number that may not become money (float, NaN, ...)
     +-- AccountingError        the books would not balance, or cannot be valued
     +-- IllegalTransitionError an order was asked to make a move its table forbids
     +-- StrategyError          a strategy did what it may not
     |    +-- QueueOverflowError     it floods: it emits more than can be served
     +-- OutputError            records or results could not be written                exit 74
     +-- ComponentError         a critical component failed; trading halts             exit 70
     +-- TransientError         the named kind of failure that a supervisor may restart
     |    +-- VenueUnavailableError  a venue gave no answer that can be believed: nothing is known
     |         +-- RateLimitedError  it asks us to wait, or bans us for a time
     +-- NotReadyError          an account does not pass the checks before trading     exit 69
     +-- VenueRefusedError      a venue refused, definitely: a parsed answer with a code we know
          +-- VenueAuthError    it refuses the key itself                              exit 77
          +-- DuplicateOrderError  our client order id exists already: evidence, no refusal

`HandlerTimeoutError` stands apart: it interrupts a strategy's own code, whose `except Exception` must not stop it.

The class docstring is the default message, so `raise IllegalTransitionError` alone still says something.
`exit_code` is what the command line ends with when the error reaches it (sysexits.h numbers). A finding is no
error: `backtest --check-lookahead` ends with 10 for look-ahead and with 11 where it cannot be told.
"""

from typing import ClassVar

__all__ = [
    "AccountingError",
    "ComponentError",
    "ConfigError",
    "CredentialsError",
    "DataError",
    "DuplicateOrderError",
    "HandlerTimeoutError",
    "IllegalTransitionError",
    "MoneyError",
    "NotReadyError",
    "OutputError",
    "QueueOverflowError",
    "RateLimitedError",
    "StrategyError",
    "TradingdError",
    "TransientError",
    "UnknownKeyError",
    "UsageError",
    "VenueAuthError",
    "VenueRefusedError",
    "VenueUnavailableError",
]


class TradingdError(Exception):
    """Something went wrong in tradingd."""

    exit_code: ClassVar[int] = 70

    def __str__(self) -> str:
        return super().__str__() or (type(self).__doc__ or type(self).__name__).strip().splitlines()[0]


class ConfigError(TradingdError):
    """The configuration is wrong."""

    exit_code = 78


class UnknownKeyError(ConfigError):
    """The configuration has a key that does not exist."""


class CredentialsError(TradingdError):
    """Credentials are missing, unreadable, or readable by others."""

    exit_code = 77


class DataError(TradingdError):
    """A data file is missing, damaged or not plausible."""

    exit_code = 65


class UsageError(TradingdError):
    """The command cannot be used this way."""

    exit_code = 64


class MoneyError(TradingdError, ValueError):
    """This value may not become money: give text, an int or a finite Decimal."""


class AccountingError(TradingdError):
    """The books would not balance."""


class IllegalTransitionError(TradingdError):
    """An order cannot make this transition."""


class StrategyError(TradingdError):
    """A strategy did what it may not."""


class QueueOverflowError(StrategyError):
    """A strategy emits faster than its events can be judged."""


class HandlerTimeoutError(BaseException):
    """A strategy's handler blocked the event loop for too long."""


class OutputError(TradingdError):
    """Records or results could not be written."""

    exit_code = 74


class ComponentError(TradingdError):
    """A critical component failed; trading halts."""


class TransientError(TradingdError):
    """A failure that may pass by itself, such as a dropped connection."""


class VenueUnavailableError(TransientError):
    """The venue gave no answer that can be believed: whether it acted is not known."""


class RateLimitedError(VenueUnavailableError):
    """The venue asks us to wait; `retry_after_s` says how long, None where it does not tell."""

    def __init__(self, message: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotReadyError(TradingdError):
    """An account does not pass the checks before trading."""

    exit_code = 69


class VenueRefusedError(TradingdError):
    """The venue refused, definitely; `code` is its own code for why."""

    def __init__(self, message: str = "", code: str = "") -> None:
        super().__init__(message)
        self.code = code


class VenueAuthError(VenueRefusedError):
    """The venue refuses the key."""

    exit_code = 77


class DuplicateOrderError(VenueRefusedError):
    """The venue has an order of this client order id already: evidence that ours exists."""
