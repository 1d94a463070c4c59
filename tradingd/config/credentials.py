"""Where keys come from: the secrets directory, a file per secret, or `[credentials]` in a private file.

Only live trading has keys, and only those of the accounts that it names: all others are never read, or dropped
before anything is made of them.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from tradingd.config.hints import nearest_hint
from tradingd.config.layers import Layer, nested
from tradingd.config.models import CredentialSettings
from tradingd.config.private import others_access
from tradingd.errors import CredentialsError, UnknownKeyError

__all__ = ["secret_layers", "secrets_folder", "with_keys_of"]

_VARIABLES = ("TRADINGD_SECRETS_DIR", "CREDENTIALS_DIRECTORY")


def secrets_folder(directory: Path | None, environ: Mapping[str, str]) -> Path | None:
    """`directory`, else $TRADINGD_SECRETS_DIR, else systemd's directory."""
    return directory or next((Path(environ[name]) for name in _VARIABLES if environ.get(name)), None)


def secret_layers(folder: Path, accounts: Collection[str]) -> list[Layer]:
    """A layer per secret of one of `accounts`; files of other accounts are not opened.

    Raises:
        CredentialsError: the directory or a file in it is missing, empty, unreadable, or others can read it.
        UnknownKeyError: a file is named after no field of credentials.

    """
    named = [(path, *_account_and_field(path)) for path in _files(folder)]
    return [
        Layer(str(path), nested(("credentials", account, field), _content(path)))
        for path, account, field in named
        if account in accounts
    ]


def with_keys_of(accounts: Collection[str], layers: Sequence[Layer]) -> list[Layer]:
    """The layers with the `[credentials]` of these accounts only."""
    return [Layer(layer.label, _with_keys_of(accounts, layer.tree)) for layer in layers]


def _with_keys_of(accounts: Collection[str], tree: Mapping[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in tree.items() if key != "credentials"}
    found = tree.get("credentials")
    if found is None or not accounts:
        return rest
    if isinstance(found, Mapping):
        found = {account: keys for account, keys in found.items() if account in accounts}
    return {**rest, "credentials": found}


def _files(folder: Path) -> list[Path]:
    try:
        if not folder.is_dir():
            raise CredentialsError(
                f"{folder}: the secrets directory is not a directory; create it: mkdir -m 700 {folder}"
            )
        _refuse_open(folder, "700")
        # names with a leading dot belong to whoever mounted the directory (Kubernetes: `..data`)
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise CredentialsError(f"{folder}: the secrets directory cannot be read: {error.strerror}") from None


def _account_and_field(path: Path) -> tuple[str, str]:
    separator = "__" if "__" in path.name else "."
    account, _, field = path.name.rpartition(separator)
    known = CredentialSettings.model_fields
    if not account:
        raise UnknownKeyError(
            f"{path}: no such secret; name the file <account>.<field>, such as binance.api_key; "
            f"the fields are {', '.join(known)}"
        )
    if field not in known:
        raise UnknownKeyError(
            f"{path}: credentials.{account}.{field}: no such secret; {nearest_hint(field, known)}"
        )
    return account, field


def _content(path: Path) -> str:
    try:
        if not path.is_file():
            raise CredentialsError(
                f"{path}: is not a file; a secrets directory has a file per secret and no folders"
            )
        _refuse_open(path, "600")
        text = path.read_bytes().decode()
    except OSError as error:
        raise CredentialsError(f"{path}: cannot be read by this user: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CredentialsError(f"{path}: is not UTF-8 text; write the secret as the venue shows it") from None
    content = text.removesuffix("\n").removesuffix("\r")
    if not content.strip():
        raise CredentialsError(f"{path}: is empty; write the secret into it, or remove the file")
    return content


def _refuse_open(path: Path, mode: str) -> None:
    access = others_access(path)
    if access:
        raise CredentialsError(f"{path}: {access}; run: chmod {mode} {os.fspath(path)}")
