"""The secrets directory: a file per secret, named `<account>.<field>` or `<account>__<field>`."""

import os
from collections.abc import Mapping
from pathlib import Path

from tradingd.config.hints import nearest_hint
from tradingd.config.layers import Layer, nested
from tradingd.config.models import CredentialSettings
from tradingd.config.private import others_access
from tradingd.errors import CredentialsError, UnknownKeyError

__all__ = ["secret_layers"]

_VARIABLES = ("TRADINGD_SECRETS_DIR", "CREDENTIALS_DIRECTORY")


def secret_layers(directory: Path | None, environ: Mapping[str, str]) -> list[Layer]:
    """A layer per secret in `directory`, else in $TRADINGD_SECRETS_DIR, else in systemd's directory.

    Raises:
        CredentialsError: the directory or a file in it is missing, empty, unreadable, or others can read it.
        UnknownKeyError: a file is named after no field of credentials.

    """
    folder = directory or next((Path(environ[name]) for name in _VARIABLES if environ.get(name)), None)
    if folder is None:
        return []
    return [_layer(path) for path in _files(folder)]


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


def _layer(path: Path) -> Layer:
    account, field = _account_and_field(path)
    return Layer(str(path), nested(("credentials", account, field), _content(path)))


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
