"""Secrets: where they may come from, and that they are never printed."""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tradingd.config import Settings, load_settings
from tradingd.errors import ConfigError, CredentialsError, UnknownKeyError

Write = Callable[..., Path]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """A secrets directory, this user's alone."""
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    return folder


def put(folder: Path, name: str, text: str, mode: int = 0o600) -> Path:
    """Put a secret into the directory."""
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return path


def secret_of(settings: Settings, field: str = "secret") -> str:
    """The secret of the account `binance`."""
    return getattr(settings.credentials["binance"], field).get_secret_value()


@pytest.mark.parametrize("name", ["binance.secret", "binance__secret"])
def test_a_file_per_secret(secrets: Path, name: str) -> None:
    """Named after account and field, with a point or two underscores."""
    put(secrets, name, "hunter2\n")
    assert secret_of(load_settings([], environ={}, secrets_dir=secrets)) == "hunter2"


def test_only_one_newline_is_stripped(secrets: Path) -> None:
    """A key in many lines keeps them."""
    put(secrets, "binance.secret", "-----BEGIN\nx\n-----END\n\n")
    assert secret_of(load_settings([], environ={}, secrets_dir=secrets)) == "-----BEGIN\nx\n-----END\n"


@pytest.mark.parametrize("variable", ["TRADINGD_SECRETS_DIR", "CREDENTIALS_DIRECTORY"])
def test_the_directory_may_come_from_the_environment(secrets: Path, variable: str) -> None:
    """Ours, or systemd's."""
    put(secrets, "binance.secret", "hunter2")
    assert secret_of(load_settings([], environ={variable: str(secrets)})) == "hunter2"


def test_our_directory_wins_over_that_of_systemd(secrets: Path, tmp_path: Path) -> None:
    """The more explicit one counts."""
    put(secrets, "binance.secret", "hunter2")
    environ = {"TRADINGD_SECRETS_DIR": str(secrets), "CREDENTIALS_DIRECTORY": str(tmp_path / "nowhere")}
    assert secret_of(load_settings([], environ=environ)) == "hunter2"


def test_the_directory_wins_over_files_and_the_environment_over_it(secrets: Path, write: Write) -> None:
    """The order of the sources of secrets."""
    path = write('[credentials.binance]\nsecret = "file"\napi_key = "file"\npassword = "file"')
    put(secrets, "binance.secret", "dir")
    put(secrets, "binance.api_key", "dir")
    environ = {"TRADINGD__CREDENTIALS__BINANCE__API_KEY": "env"}
    settings = load_settings([path], environ=environ, secrets_dir=secrets)
    assert [secret_of(settings, field) for field in ("password", "secret", "api_key")] == ["file", "dir", "env"]


def test_secrets_are_never_printed(secrets: Path) -> None:
    """Neither by repr, nor as JSON, nor by a section."""
    put(secrets, "binance.secret", "hunter2")
    settings = load_settings([], environ={}, secrets_dir=secrets)
    section = settings.get_section("credentials.binance")
    shown = f"{settings!r} {settings} {json.dumps(settings.masked())} {section!r} {section.as_dict()}"
    assert "hunter2" not in shown
    assert settings.masked()["credentials"]["binance"]["secret"] == "*" * 10


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_secret_that_others_can_get_at_is_refused(secrets: Path, mode: int) -> None:
    """The message is the command that corrects it."""
    path = put(secrets, "binance.secret", "hunter2", mode)
    with pytest.raises(CredentialsError, match=f"run: chmod 600 {path}"):
        load_settings([], environ={}, secrets_dir=secrets)


@pytest.mark.parametrize("mode", [0o750, 0o705])
def test_a_directory_that_others_can_get_at_is_refused(secrets: Path, mode: int) -> None:
    """Others could see or replace what is in it."""
    secrets.chmod(mode)
    with pytest.raises(CredentialsError, match=f"run: chmod 700 {secrets}"):
        load_settings([], environ={}, secrets_dir=secrets)


def set_access_list(path: Path, *entries: tuple[int, int, int]) -> None:
    """Give a file a POSIX access list."""
    raw = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(path, "system.posix_acl_access", raw)
    except (OSError, AttributeError):
        pytest.skip("this file system has no access lists")


NOBODY = 0xFFFFFFFF
OWNER, MASK, OTHER = (0x01, 4, NOBODY), (0x10, 4, NOBODY), (0x20, 0, NOBODY)
NO_GROUP = (0x04, 0, NOBODY)


def test_a_credential_as_systemd_hands_it_over_is_accepted(secrets: Path) -> None:
    """An access list for this user shows as mode 440, though no group can read it."""
    path = put(secrets, "binance.secret", "hunter2", 0o400)
    set_access_list(path, OWNER, (0x02, 4, os.geteuid()), NO_GROUP, MASK, OTHER)
    assert path.stat().st_mode & 0o777 == 0o440
    assert secret_of(load_settings([], environ={}, secrets_dir=secrets)) == "hunter2"


@pytest.mark.parametrize(
    "entries",
    [
        [(0x02, 4, 12345), NO_GROUP, MASK, OTHER],
        [(0x04, 4, NOBODY), MASK, OTHER],
        [NO_GROUP, (0x08, 4, 12345), MASK, OTHER],
        [NO_GROUP, (0x08, 4, 12345), MASK, (0x20, 4, NOBODY)],
    ],
)
def test_an_access_list_that_lets_others_in_is_refused(secrets: Path, entries: list[tuple[int, int, int]]) -> None:
    """Another user, the group, another group, everybody."""
    path = put(secrets, "binance.secret", "hunter2", 0o400)
    set_access_list(path, OWNER, *entries)
    with pytest.raises(CredentialsError, match="lets group or others at it"):
        load_settings([], environ={}, secrets_dir=secrets)


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    """The message is the command that makes it."""
    with pytest.raises(CredentialsError, match="mkdir -m 700"):
        load_settings([], environ={}, secrets_dir=tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["", "\n", " \n"])
def test_an_empty_secret_is_refused(secrets: Path, text: str) -> None:
    """It would be refused by the venue only when it is too late."""
    put(secrets, "binance.secret", text)
    with pytest.raises(CredentialsError, match="is empty"):
        load_settings([], environ={}, secrets_dir=secrets)


def test_a_secret_that_is_not_text_is_refused(secrets: Path) -> None:
    """Without showing it."""
    put(secrets, "binance.secret", "").write_bytes(b"hunter2\xff")
    with pytest.raises(CredentialsError, match="is not UTF-8") as caught:
        load_settings([], environ={}, secrets_dir=secrets)
    assert "hunter2" not in str(caught.value)


def test_a_folder_in_the_directory_is_refused(secrets: Path) -> None:
    """A secret is a file."""
    (secrets / "binance.secret").mkdir(mode=0o700)
    with pytest.raises(CredentialsError, match="is not a file"):
        load_settings([], environ={}, secrets_dir=secrets)


def test_hidden_entries_are_skipped(secrets: Path) -> None:
    """Kubernetes keeps its versions in `..data`."""
    (secrets / "..data").mkdir()
    assert load_settings([], environ={}, secrets_dir=secrets).credentials == {}


def test_an_unknown_secret_names_the_nearest(secrets: Path) -> None:
    """With the file to rename."""
    path = put(secrets, "binance.apikey", "hunter2")
    with pytest.raises(UnknownKeyError) as caught:
        load_settings([], environ={}, secrets_dir=secrets)
    assert str(caught.value) == f'{path}: credentials.binance.apikey: no such secret; did you mean "api_key"?'


def test_a_secret_without_an_account_is_refused(secrets: Path) -> None:
    """The message shows how the file is named."""
    put(secrets, "secret", "hunter2")
    with pytest.raises(UnknownKeyError, match=r"<account>\.<field>"):
        load_settings([], environ={}, secrets_dir=secrets)


def test_an_unknown_field_of_the_environment_is_refused() -> None:
    """Credentials are checked like every table."""
    with pytest.raises(UnknownKeyError, match='did you mean "secret"'):
        load_settings([], environ={"TRADINGD__CREDENTIALS__BINANCE__SECRT": "hunter2"})


def test_a_secret_in_a_private_file_is_accepted(write: Write) -> None:
    """Mode 600 keeps it from others."""
    assert secret_of(load_settings([write('[credentials.binance]\nsecret = "s"')], environ={})) == "s"


@pytest.mark.parametrize("name", ["config.toml", "config.yaml"])
def test_a_secret_in_a_file_that_others_can_read_is_refused(write: Write, name: str) -> None:
    """The message leads to the secrets directory."""
    text = '[credentials.a]\nsecret = "s"' if name.endswith("toml") else "credentials: {a: {secret: s}}"
    path = write(text, name)
    path.chmod(0o644)
    with pytest.raises(CredentialsError, match=r"secrets directory \(TRADINGD_SECRETS_DIR\), or run: chmod 600"):
        load_settings([path], environ={})


def test_a_file_without_secrets_may_be_read_by_others(write: Write) -> None:
    """The usual mode of a configuration."""
    path = write("[run]\nname = 'x'")
    path.chmod(0o644)
    assert load_settings([path], environ={}).run.name == "x"


@pytest.mark.parametrize("text", ["credentials.a.secret=hunter2", "credentials.a.secret:hunter2"])
def test_a_secret_on_the_command_line_is_refused(text: str) -> None:
    """Everybody can read the process list; the message does not repeat it."""
    with pytest.raises(CredentialsError, match="can be read by every user") as caught:
        load_settings([], environ={}, overrides=[text])
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "environ",
    [
        {"TRADINGD__CREDENTIALS": "hunter2"},
        {"TRADINGD__CREDENTIALS__A": "hunter2"},
        {"TRADINGD__CREDENTIALS__A": '["hunter2"]'},
        {"TRADINGD__CREDENTIALS__A": '{"secret": "hunter2"'},
        {"TRADINGD__CREDENTIALS__A": '{"secret": ["hunter2"]}'},
        {"TRADINGD__CREDENTIALS__A": '{"secret": 5, "password": {"hunter2": 1}}'},
    ],
)
def test_no_error_shows_what_may_be_a_secret(environ: dict[str, str]) -> None:
    """Neither in its message nor in the errors it came from."""
    with pytest.raises(ConfigError) as caught:
        load_settings([], environ=environ)
    error: BaseException | None = caught.value
    while error is not None:
        assert "hunter2" not in f"{error} {error!r}"
        error = error.__cause__ or error.__context__


def test_a_secret_may_look_like_json_or_none() -> None:
    """A secret is taken as it is."""
    environ = {"TRADINGD__CREDENTIALS__BINANCE__SECRET": "{x", "TRADINGD__CREDENTIALS__BINANCE__PASSWORD": "none"}
    settings = load_settings([], environ=environ)
    assert (secret_of(settings), secret_of(settings, "password")) == ("{x", "none")


def test_an_account_is_a_slug() -> None:
    """Lower case, so that all sources mean the same account."""
    with pytest.raises(ConfigError, match="lower-case"):
        load_settings([], environ={"TRADINGD__CREDENTIALS": '{"Binance": {"secret": "s"}}'})
