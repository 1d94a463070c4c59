"""From files, secrets, environment and command line to `Settings`."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from tradingd.config.credentials import secret_layers, secrets_folder, with_keys_of
from tradingd.config.environment import environment_layers, override_layers
from tradingd.config.files import read_file
from tradingd.config.layers import Layer, refuse_unknown_keys, without_empty_tables
from tradingd.config.models import RunSettings
from tradingd.config.report import explain
from tradingd.config.settings import Settings, loading
from tradingd.errors import CredentialsError

__all__ = ["load_settings"]


def load_settings(
    files: Sequence[str | Path],
    *,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    secrets_dir: Path | None = None,
    forced: Mapping[str, Any] | None = None,
) -> Settings:
    """Load and check a configuration; see `tradingd.config` for what overrides what.

    `overrides` are texts `section.key=value`. `environ` is the process's environment unless given. `secrets_dir`
    is $TRADINGD_SECRETS_DIR, else $CREDENTIALS_DIRECTORY, unless given; it is opened for live trading only.
    `forced` is what a command insists on, a tree that is stronger than all sources; with `credentials` in it, all
    other keys are left alone.

    Raises:
        ConfigError: a file cannot be read, or values are wrong; the message lists every wrong value at once.
        UnknownKeyError: keys do not exist; the message names the nearest that do.
        CredentialsError: secrets are missing, unreadable, or readable by others.

    """
    environ = os.environ if environ is None else environ
    paths = [Path(name) for name in ([files] if isinstance(files, str | Path) else files)]
    stated = _stated(paths, overrides, environ)
    refuse_unknown_keys(stated, Settings)
    layers = [*stated, Layer("this command", dict(forced))] if forced else stated
    accounts = _accounts_with_keys(layers)
    folder = secrets_folder(secrets_dir, environ)
    if forced and "credentials" in forced:
        layers = [*with_keys_of((), stated), layers[-1]]
    else:
        secrets = secret_layers(folder, accounts) if folder is not None and accounts else []
        in_files = len(paths)
        layers = with_keys_of(accounts, layers)
        layers[in_files:in_files] = secrets
    base_dir = paths[0].absolute().parent if paths else Path.cwd()
    if forced:
        _check_mode(stated)
    settings = _settings(layers, base_dir)
    _refuse_missing_keys(settings, folder)
    return settings


def _stated(paths: Sequence[Path], overrides: Sequence[str], environ: Mapping[str, str]) -> list[Layer]:
    """What files, environment and command line say, the weakest first."""
    in_files = [read_file(path) for path in paths]
    return [
        *(Layer(layer.label, without_empty_tables(layer.tree, Settings)) for layer in in_files),
        *environment_layers(environ, Settings),
        *override_layers(overrides, Settings),
    ]


def _accounts_with_keys(layers: Sequence[Layer]) -> frozenset[str]:
    """The accounts whose keys this run is to have: those of `run.accounts` if it trades live, else none."""
    if _said(layers, "mode") != "live":
        return frozenset()
    accounts = _said(layers, "accounts")
    return (
        frozenset(each for each in accounts if isinstance(each, str))
        if isinstance(accounts, list)
        else frozenset()
    )


def _said(layers: Sequence[Layer], key: str) -> object:
    """The strongest word on a key of `[run]`."""
    sections = (layer.tree.get("run") for layer in reversed(layers))
    return next((run[key] for run in sections if isinstance(run, Mapping) and key in run), None)


class _OnlyRun(BaseModel):
    """What the sources say of `[run]`, also where a command insists on something else."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    run: RunSettings = RunSettings()


def _check_mode(stated: Sequence[Layer]) -> None:
    """Refuse a mode that does not exist, also where a command runs in one of its own."""
    mode = _said(stated, "mode")
    try:
        _OnlyRun.model_validate({"run": {} if mode is None else {"mode": mode}})
    except ValidationError as error:
        raise explain(error, stated) from None


def _settings(layers: Sequence[Layer], base_dir: Path) -> Settings:
    try:
        with loading(layers, base_dir):
            return Settings()
    except ValidationError as error:
        problem = explain(error, layers)
    # outside of the handler: the error that is left behind may hold secrets
    raise problem


def _refuse_missing_keys(settings: Settings, folder: Path | None) -> None:
    """Check that a live run has the keys of each of its accounts.

    Raises:
        CredentialsError: it has not; the message says which files to write.

    """
    for account in settings.run.accounts if settings.run.mode == "live" else ():
        keys = settings.credentials.get(account)
        if keys is None or not keys.is_complete:
            where = folder if folder is not None else "a directory of mode 700, named by TRADINGD_SECRETS_DIR"
            raise CredentialsError(
                f"run.accounts: there are no complete keys for {account!r}; write {account}.api_key and "
                f"{account}.secret, each of mode 600, to {where}"
            )
