"""Users' own classes by `package.module:Class`."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, TypeVar

from tradingd.errors import ConfigError

__all__ = ["check_class", "construct", "explain", "load_class", "load_object"]

T = TypeVar("T")


def load_class(path: str, base: type[T], what: str) -> type[T]:
    """Import the class that `package.module:Class` names and check that it is a `base`.

    `what` names its role in messages, such as "strategy".

    Raises:
        ConfigError: the module or class does not exist, or the class is of another kind.

    """
    return check_class(load_object(path, what), base, f"{what} {path!r}")


def load_object(path: str, what: str) -> Any:  # noqa: ANN401 - it may be anything
    """Import what `package.module:Name` names.

    Raises:
        ConfigError: the module or the name does not exist.

    """
    module_name, _, class_name = path.partition(":")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{what} {path!r}: cannot import {module_name!r} ({error}); "
            "is the file beside the config, or its folder on PYTHONPATH?"
        ) from error
    except (Exception, SystemExit) as error:  # a user's module may do anything while it is imported
        raise ConfigError(f"{what} {path!r}: cannot import {module_name!r}: {explain(error)}") from error
    found = getattr(module, class_name, None)
    if found is None:
        raise ConfigError(f"{what} {path!r}: {module_name!r} has no {class_name!r}")
    return found


def construct(cls: type[Any], name: str, params: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a user's class
    """An object of a user's class.

    Raises:
        ConfigError: its constructor raised.

    """
    try:
        return cls(**params)
    except (Exception, SystemExit) as error:  # a user's constructor may raise anything
        raise ConfigError(f"{name} cannot be made: {explain(error)}") from error


def explain(error: BaseException) -> str:
    """An error in one line, with the line of code that raised it."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error}"  # its text has file and line
    trace, place = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f" ({code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} in {code.co_name})"
        trace = trace.tb_next
    return f"{type(error).__name__}: {error}{place}"


def check_class(found: object, base: type[T], name: str) -> type[T]:
    """`found`, if it is a subclass of `base` (any class will do for `object`).

    Raises:
        ConfigError: it is not.

    """
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ConfigError(f"{name} is not a subclass of {base.__module__}.{base.__qualname__}")
    return found
