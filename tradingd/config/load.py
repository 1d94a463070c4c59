"""From files, secrets, environment and command line to `Settings`."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from tradingd.config.credentials import secret_layers
from tradingd.config.environment import environment_layers, override_layers
from tradingd.config.files import read_file
from tradingd.config.layers import Layer, refuse_unknown_keys, without_empty_tables
from tradingd.config.report import explain
from tradingd.config.settings import Settings, loading

__all__ = ["load_settings"]


def load_settings(
    files: Sequence[str | Path],
    *,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    secrets_dir: Path | None = None,
) -> Settings:
    """Load and check a configuration; see `tradingd.config` for what overrides what.

    `overrides` are texts `section.key=value`. `environ` is the process's environment unless given. `secrets_dir`
    is $TRADINGD_SECRETS_DIR, else $CREDENTIALS_DIRECTORY, unless given.

    Raises:
        ConfigError: a file cannot be read, or values are wrong; the message lists every wrong value at once.
        UnknownKeyError: keys do not exist; the message names the nearest that do.
        CredentialsError: secrets are missing, unreadable, or readable by others.

    """
    paths = [Path(name) for name in ([files] if isinstance(files, str | Path) else files)]
    layers = _layers(paths, overrides, os.environ if environ is None else environ, secrets_dir)
    refuse_unknown_keys(layers, Settings)
    base_dir = paths[0].absolute().parent if paths else Path.cwd()
    try:
        with loading(layers, base_dir):
            return Settings()
    except ValidationError as error:
        problem = explain(error, layers)
    # outside of the handler: the error that is left behind may hold secrets
    raise problem


def _layers(
    paths: Sequence[Path], overrides: Sequence[str], environ: Mapping[str, str], secrets_dir: Path | None
) -> list[Layer]:
    """Every layer, the weakest first."""
    in_files = [read_file(path) for path in paths]
    return [
        *(Layer(layer.label, without_empty_tables(layer.tree, Settings)) for layer in in_files),
        *secret_layers(secrets_dir, environ),
        *environment_layers(environ, Settings),
        *override_layers(overrides, Settings),
    ]
