"""ccxt, imported only when asked for, and no more of it than one exchange needs.

`import ccxt.pro` imports 118 exchanges three times over: 109 MiB and a second. `_shells` puts empty shells of the
three packages in `sys.modules` first, each of which imports what it is asked for: 54 MiB. A shell that is asked
for what it does not know runs its package's real `__init__`, so that whoever imports ccxt after us sees all of it.
"""

import importlib
import importlib.util
import logging
import pkgutil
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from importlib.machinery import ModuleSpec
from types import ModuleType

from tradingd.errors import ConfigError
from tradingd.venues.untyped import Untyped

__all__ = ["exchange_class", "exchange_ids", "load_module", "specimen"]

_PACKAGES = ("ccxt", "ccxt.async_support", "ccxt.pro")
_BASES = {
    "ccxt": ("ccxt.base.exchange", "ccxt.base.errors", "ccxt.base.decimal_to_precision", "ccxt.base.precise"),
    "ccxt.async_support": ("ccxt.async_support.base.exchange", "ccxt.base.errors"),
    "ccxt.pro": ("ccxt.async_support.base.exchange", "ccxt.base.errors"),
}
"""Where a package has the names from that are no exchange."""
_DUNDERS = frozenset({"__version__", "__all__"})
_OWN_NAMES = frozenset({"Exchange", "BaseExchange", "Precise", "decimal_to_precision"})


class _Shell(ModuleType):
    """A package that has not run its `__init__` yet."""

    def __getattr__(self, name: str) -> Untyped:
        if name.startswith("__") and name not in _DUNDERS:
            raise AttributeError(name)
        value = _looked_up(self.__name__, name)
        if value is None:
            return _filled(self, name)
        self.__dict__[name] = value
        return value

    def __setattr__(self, name: str, value: object) -> None:
        # The import system binds a submodule to its package; ccxt's packages bind the class in it to that name.
        if isinstance(value, ModuleType):
            value = vars(value).get(name, value)
        super().__setattr__(name, value)


def _looked_up(package: str, name: str) -> Untyped | None:
    if name in _OWN_NAMES or name[0].isupper():
        for base in _BASES[package]:
            found = getattr(importlib.import_module(base), name, None)
            if found is not None:
                return found
        return None
    if name in _DUNDERS or importlib.util.find_spec(f"{package}.{name}") is None:
        return None
    module = importlib.import_module(f"{package}.{name}")
    return getattr(module, name, module)


def _filled(shell: _Shell, name: str) -> Untyped:
    """Run the package's own `__init__` in the shell, for a name that the shell does not know."""
    spec = shell.__spec__
    object.__setattr__(shell, "__class__", ModuleType)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(shell)
    return getattr(shell, name)


def _shells() -> None:
    for package in _PACKAGES:
        if package in sys.modules:
            return
        spec = importlib.util.find_spec(package)
        if spec is None:
            raise ConfigError(f"{package} is not installed; install tradingd anew: it depends on ccxt")
        _install(package, spec)


def _install(package: str, spec: ModuleSpec) -> None:
    shell = _Shell(package)
    vars(shell).update(
        __spec__=spec,
        __loader__=spec.loader,
        __file__=spec.origin,
        __path__=list(spec.submodule_search_locations or ()),
        __package__=package,
    )
    sys.modules[package] = shell
    parent, _, child = package.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, shell)


def load_module(name: str) -> Untyped:
    """A module of ccxt's by its full name, with the shells in place; its log speaks at WARNING or above."""
    _shells()
    _cap_log()
    return importlib.import_module(name)


def _cap_log() -> None:
    """At DEBUG ccxt logs request headers, and with them the key."""
    logger = logging.getLogger("ccxt")
    if logger.getEffectiveLevel() < logging.WARNING:
        logger.setLevel(logging.WARNING)


def exchange_ids() -> tuple[str, ...]:
    """The ids of all exchanges that have streams, sorted; nothing of them is imported."""
    _shells()
    return tuple(sorted(_modules("ccxt.pro")))


def _modules(package: str) -> Iterator[str]:
    spec = importlib.util.find_spec(package)  # the package itself need not have been imported
    for module in pkgutil.iter_modules(None if spec is None else spec.submodule_search_locations):
        if not module.ispkg:
            yield module.name


def exchange_class(exchange_id: str) -> Untyped:
    """Ccxt's class of an exchange, with streams.

    Raises:
        ConfigError: ccxt has no such exchange, or none with streams.

    """
    known = exchange_ids()
    if exchange_id not in known:
        near = get_close_matches(exchange_id, known, n=1)
        hint = f"do you mean {near[0]}?" if near else "`tradingd exchanges` lists them"
        raise ConfigError(f"{exchange_id}: ccxt has no exchange of this id with streams; {hint}")
    return getattr(load_module(f"ccxt.pro.{exchange_id}"), exchange_id)


@cache
def specimen(exchange_id: str) -> Untyped:
    """An instance of an exchange's class to read its features of; it never connects, and is not to be changed.

    Raises:
        ConfigError: ccxt has no such exchange, or none with streams.

    """
    return exchange_class(exchange_id)()
