"""Secrets: where they may come from, and that they are never printed."""

import gc
import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, FunctionType, ModuleType

import pytest
from pydantic import ValidationError

from tests.config.conftest import LIVE, Load, Write, put
from tradingd.app import bootstrap, make_strategies
from tradingd.config import Settings, load_settings
from tradingd.errors import ConfigError, CredentialsError, UnknownKeyError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")


def secret_of(settings: Settings, field: str = "secret") -> str:
    """The secret of the account `main`."""
    return getattr(settings.credentials["main"], field).get_secret_value()


@pytest.mark.parametrize("name", ["main.secret", "main__secret"])
def test_a_file_per_secret(load: Load, secrets: Path, name: str) -> None:
    """Named after account and field, with a point or two underscores."""
    put(secrets, name, "hunter2\n")
    assert secret_of(load(secrets_dir=secrets)) == "hunter2"


def test_only_one_newline_is_stripped(load: Load, secrets: Path) -> None:
    """A key in many lines keeps them."""
    put(secrets, "main.secret", "-----BEGIN\nx\n-----END\n\n")
    assert secret_of(load(secrets_dir=secrets)) == "-----BEGIN\nx\n-----END\n"


@pytest.mark.parametrize("variable", ["TRADINGD_SECRETS_DIR", "CREDENTIALS_DIRECTORY"])
def test_the_directory_may_come_from_the_environment(load: Load, secrets: Path, variable: str) -> None:
    """Ours, or systemd's."""
    put(secrets, "main.secret", "hunter2")
    assert secret_of(load(environ={variable: str(secrets)})) == "hunter2"


def test_our_directory_wins_over_that_of_systemd(load: Load, secrets: Path, tmp_path: Path) -> None:
    """The more explicit one counts."""
    put(secrets, "main.secret", "hunter2")
    environ = {"TRADINGD_SECRETS_DIR": str(secrets), "CREDENTIALS_DIRECTORY": str(tmp_path / "nowhere")}
    assert secret_of(load(environ=environ)) == "hunter2"


def test_the_directory_wins_over_files(load: Load, secrets: Path) -> None:
    """The order of the sources of secrets, key by key."""
    put(secrets, "main.secret", "dir")
    settings = load('[credentials.main]\nsecret = "file"\npassword = "file"', secrets_dir=secrets)
    assert [secret_of(settings, field) for field in ("password", "secret")] == ["file", "dir"]


def test_secrets_are_never_printed(load: Load, secrets: Path) -> None:
    """Neither by repr, nor as JSON, nor by a section."""
    put(secrets, "main.secret", "hunter2")
    settings = load(secrets_dir=secrets)
    section = settings.get_section("credentials.main")
    shown = f"{settings!r} {settings} {json.dumps(settings.masked())} {section!r} {section.as_dict()}"
    assert "hunter2" not in shown
    assert settings.masked()["credentials"]["main"]["secret"] == "*" * 10


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_secret_that_others_can_get_at_is_refused(load: Load, secrets: Path, mode: int) -> None:
    """The message is the command that corrects it."""
    path = put(secrets, "main.secret", "hunter2", mode)
    with pytest.raises(CredentialsError, match=f"run: chmod 600 {path}"):
        load(secrets_dir=secrets)


@pytest.mark.parametrize("mode", [0o750, 0o705])
def test_a_directory_that_others_can_get_at_is_refused(load: Load, secrets: Path, mode: int) -> None:
    """Others could see or replace what is in it."""
    secrets.chmod(mode)
    with pytest.raises(CredentialsError, match=f"run: chmod 700 {secrets}"):
        load(secrets_dir=secrets)


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


def test_a_credential_as_systemd_hands_it_over_is_accepted(load: Load, secrets: Path) -> None:
    """An access list for this user shows as mode 440, though no group can read it."""
    path = put(secrets, "main.secret", "hunter2", 0o400)
    set_access_list(path, OWNER, (0x02, 4, os.geteuid()), NO_GROUP, MASK, OTHER)
    assert path.stat().st_mode & 0o777 == 0o440
    assert secret_of(load(secrets_dir=secrets)) == "hunter2"


@pytest.mark.parametrize(
    "entries",
    [
        [(0x02, 4, 12345), NO_GROUP, MASK, OTHER],
        [(0x04, 4, NOBODY), MASK, OTHER],
        [NO_GROUP, (0x08, 4, 12345), MASK, OTHER],
        [NO_GROUP, (0x08, 4, 12345), MASK, (0x20, 4, NOBODY)],
    ],
)
def test_an_access_list_that_lets_others_in_is_refused(
    load: Load, secrets: Path, entries: list[tuple[int, int, int]]
) -> None:
    """Another user, the group, another group, everybody."""
    path = put(secrets, "main.secret", "hunter2", 0o400)
    set_access_list(path, OWNER, *entries)
    with pytest.raises(CredentialsError, match="lets group or others at it"):
        load(secrets_dir=secrets)


def test_a_missing_directory_is_refused(load: Load, tmp_path: Path) -> None:
    """The message is the command that makes it."""
    with pytest.raises(CredentialsError, match="mkdir -m 700"):
        load(secrets_dir=tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["", "\n", " \n"])
def test_an_empty_secret_is_refused(load: Load, secrets: Path, text: str) -> None:
    """It would be refused by the venue only when it is too late."""
    put(secrets, "main.secret", text)
    with pytest.raises(CredentialsError, match="is empty"):
        load(secrets_dir=secrets)


def test_a_secret_that_is_not_text_is_refused(load: Load, secrets: Path) -> None:
    """Without showing it."""
    put(secrets, "main.secret", "").write_bytes(b"hunter2\xff")
    with pytest.raises(CredentialsError, match="is not UTF-8") as caught:
        load(secrets_dir=secrets)
    assert "hunter2" not in str(caught.value)


def test_a_folder_in_the_directory_is_refused(load: Load, secrets: Path) -> None:
    """A secret is a file."""
    (secrets / "main.secret").mkdir(mode=0o700)
    with pytest.raises(CredentialsError, match="is not a file"):
        load(secrets_dir=secrets)


def test_hidden_entries_are_skipped(load: Load, secrets: Path) -> None:
    """Kubernetes keeps its versions in `..data`."""
    (secrets / "..data").mkdir()
    put(secrets, "main.secret", "hunter2")
    assert secret_of(load(secrets_dir=secrets)) == "hunter2"


def test_an_unknown_secret_names_the_nearest(load: Load, secrets: Path) -> None:
    """With the file to rename."""
    path = put(secrets, "main.apikey", "hunter2")
    with pytest.raises(UnknownKeyError) as caught:
        load(secrets_dir=secrets)
    assert str(caught.value) == f'{path}: credentials.main.apikey: no such secret; did you mean "api_key"?'


def test_a_secret_without_an_account_is_refused(load: Load, secrets: Path) -> None:
    """The message shows how the file is named."""
    put(secrets, "secret", "hunter2")
    with pytest.raises(UnknownKeyError, match=r"<account>\.<field>"):
        load(secrets_dir=secrets)


def test_a_secret_in_a_private_file_is_accepted(load: Load) -> None:
    """Mode 600 keeps it from others."""
    assert secret_of(load('[credentials.main]\napi_key = "k"\nsecret = "s"')) == "s"


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


@pytest.mark.parametrize("mode", ["paper", "live"])
@pytest.mark.parametrize(
    "environ",
    [
        {"TRADINGD__CREDENTIALS": "hunter2"},
        {"tradingd__credentials__main__secret": "hunter2"},
        {"TRADINGD__CREDENTIALS__MAIN": '{"secret": "hunter2"'},
        {"TRADINGD__CREDENTIALS__MAIN__SECRT": "hunter2"},
    ],
)
def test_a_secret_in_the_environment_is_refused(load: Load, environ: dict[str, str], mode: str) -> None:
    """Other processes inherit it, in whatever mode; the message does not repeat it."""
    with pytest.raises(CredentialsError, match="use the secrets directory") as caught:
        load("", f"run.mode={mode}", environ=environ)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        'credentials = "hunter2"\n',
        'credentials.main = "hunter2"\n',
        'credentials.main = ["hunter2"]\n',
        'credentials.main.secret = ["hunter2"]\n',
        "credentials.main = { secret = 5, password = { hunter2 = 1 } }\n",
    ],
)
def test_no_error_shows_what_may_be_a_secret(write: Write, text: str) -> None:
    """Neither in its message nor in the errors it came from."""
    with pytest.raises(ConfigError) as caught:
        load_settings([write(text + LIVE)], environ={})
    error: BaseException | None = caught.value
    while error is not None:
        assert "hunter2" not in f"{error} {error!r}"
        error = error.__cause__ or error.__context__


def test_a_secret_may_look_like_json_or_none(load: Load) -> None:
    """A secret is taken as it is."""
    settings = load('[credentials.main]\napi_key = "k"\nsecret = "{x"\npassword = "none"')
    assert (secret_of(settings), secret_of(settings, "password")) == ("{x", "none")


def test_an_account_is_a_slug(load: Load) -> None:
    """Lower case, so that all sources mean the same account."""
    with pytest.raises(ConfigError, match="lower-case"):
        load("[accounts.Main]\nexchange = 'kraken'\nenvironment = 'sandbox'\nsymbols = ['BTC/EUR']")


@pytest.mark.parametrize(
    "held", [{}, {"main.api_key": "k"}, {"main.secret": "s"}, {"other.api_key": "k", "other.secret": "s"}]
)
def test_live_trading_needs_the_keys_of_its_accounts(load: Load, tmp_path: Path, held: dict[str, str]) -> None:
    """Both halves; the message says which files to write, and where."""
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    for name, text in held.items():
        put(folder, name, text)
    with pytest.raises(CredentialsError) as caught:
        load(secrets_dir=folder)
    assert str(caught.value) == (
        "run.accounts: there are no complete keys for 'main'; write main.api_key and main.secret, each of "
        f"mode 600, to {folder}"
    )


def test_a_wallet_is_as_good_as_a_key(load: Load, secrets: Path) -> None:
    """Venues that are chains have no API keys."""
    (secrets / "main.api_key").unlink()
    put(secrets, "main.wallet_address", "0xabc")
    put(secrets, "main.private_key", "hunter2")
    assert secret_of(load(secrets_dir=secrets), "private_key") == "hunter2"


def test_keys_of_accounts_that_do_not_trade_are_not_read(load: Load, secrets: Path) -> None:
    """Their files are not even opened, and those of a configuration file are dropped."""
    put(secrets, "main.secret", "hunter2")
    put(secrets, "savings.secret", "", 0o644)  # would be refused twice over
    settings = load('[credentials.spare]\napi_key = "k"\nsecret = "s"', secrets_dir=secrets)
    assert set(settings.credentials) == {"main"}


@pytest.mark.parametrize("mode", ["paper", "backtest"])
def test_other_modes_do_not_open_the_secrets_directory(load: Load, tmp_path: Path, mode: str) -> None:
    """Not where the environment names one that would be refused, either: without it, they run."""
    environ = {"TRADINGD_SECRETS_DIR": str(tmp_path / "nowhere")}
    settings = load("", f"run.mode={mode}", environ=environ, secrets_dir=tmp_path / "nowhere")
    assert settings.credentials == {}


@pytest.mark.parametrize("mode", ["paper", "backtest"])
def test_other_modes_drop_the_keys_of_files(load: Load, mode: str) -> None:
    """A file that serves both has them for live trading only."""
    assert load('[credentials.main]\napi_key = "k"\nsecret = "s"', f"run.mode={mode}").credentials == {}


def test_a_paper_run_cannot_be_given_keys_by_a_program() -> None:
    """Settings refuse them, whoever makes them."""
    with pytest.raises(ValidationError, match="a paper run may not have keys"):
        Settings(credentials={"main": {"api_key": "k", "secret": "s"}})


def _reachable(root: object) -> Iterator[object]:
    """All that can be got at from an object, but modules, which have everything, and functions' ways to them."""
    todo, seen = [root], set[int]()
    while todo:
        each = todo.pop()
        if id(each) in seen or isinstance(each, ModuleType):
            continue
        seen.add(id(each))
        yield each
        todo += _held_by(each)


def _held_by(each: object) -> list[object]:
    if isinstance(each, FunctionType):  # what it has closed over, not the globals of its module
        return [each.__closure__, each.__defaults__, each.__kwdefaults__, each.__dict__]
    return [] if isinstance(each, FrameType) else gc.get_referents(each)


def _texts(root: object) -> str:
    return "".join(
        each if isinstance(each, str) else each.decode("latin-1")
        for each in _reachable(root)
        if isinstance(each, str | bytes)
    )


def test_no_key_is_in_the_objects_of_a_paper_run(write: Write, secrets: Path) -> None:
    """Neither from the directory nor from a file: strategies could reach it."""
    put(secrets, "main.secret", "canary-of-the-directory")
    keys = '[credentials.main]\napi_key = "k"\nsecret = "canary-of-the-file"\n'
    strategy = '[[strategies]]\nname = "ma_crossover"\nparams = { symbol = "AAPL" }\n'
    path = write(LIVE + keys + strategy + '[data]\ncatalog = "pkg:tradingd/sample_data"\nfeed = "replay"\n')
    container = bootstrap([path], overrides=["run.mode=paper"], environ={}, secrets_dir=secrets)
    texts = _texts([container, make_strategies(container)])
    assert "pkg:tradingd/sample_data" in texts  # else the walk has missed the settings
    assert "canary" not in texts
