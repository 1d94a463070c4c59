"""Whatever a file says, it gives settings or a configuration error: nothing else."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from tradingd.config import Settings, load_settings
from tradingd.config.layers import alternatives
from tradingd.errors import ConfigError, CredentialsError

Write = Callable[..., Path]
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def names(model: type[BaseModel]) -> set[str]:
    """Every key there is, at any depth."""
    found = set(model.model_fields)
    for field in model.model_fields.values():
        for kind in alternatives(field.annotation):
            for inner in (kind, *getattr(kind, "__args__", ())):
                if isinstance(inner, type) and issubclass(inner, BaseModel):
                    found |= names(inner)
    return found


KEYS = st.sampled_from(sorted(names(Settings))) | st.text(max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True).map(lambda number: Decimal(repr(number)))
    | st.decimals()
    | st.text(max_size=12)
    | st.sampled_from(["none", "paper", "2020-01-01", "1h", "a.b:C", "fixed_quantity", "margin", "A"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
TREES = st.dictionaries(st.sampled_from(sorted(Settings.model_fields)) | KEYS, VALUES, max_size=5)


def attempt(path: Path, environ: dict[str, str] | None = None, overrides: tuple[str, ...] = ()) -> None:
    """Load; any other exception than the promised ones escapes."""
    try:
        loaded = load_settings([path], environ=environ or {}, overrides=overrides)
    except (ConfigError, CredentialsError):
        return
    json.dumps(loaded.masked())


def toml(value: Any) -> str:
    """A value as TOML; what TOML cannot say becomes text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if isinstance(value, Decimal):
        return str(value).lower().replace("infinity", "inf")
    return "''" if value is None else json.dumps(value)


@FUZZ
@given(tree=TREES)
def test_any_toml_gives_settings_or_a_configuration_error(write: Write, tree: dict[str, Any]) -> None:
    """Documents with known keys and wrong values, and with unknown keys."""
    attempt(write("\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in tree.items())))


@FUZZ
@given(tree=TREES)
def test_any_yaml_gives_settings_or_a_configuration_error(write: Write, tree: dict[str, Any]) -> None:
    """JSON is YAML; so the same trees again."""
    attempt(write(json.dumps(tree, default=str), "config.yaml"))


@FUZZ
@given(
    text=st.text(alphabet=" \n:-[]{}&*!|>'\"#%@,?.01eabx=", max_size=40), suffix=st.sampled_from(["toml", "yaml"])
)
def test_any_text_gives_settings_or_a_configuration_error(write: Write, text: str, suffix: str) -> None:
    """Mostly broken syntax."""
    attempt(write(text, f"config.{suffix}"))


@FUZZ
@given(
    path=st.lists(KEYS, min_size=1, max_size=4),
    text=st.text(max_size=20) | VALUES.map(lambda value: json.dumps(value, default=str)),
)
def test_any_variable_and_override_gives_settings_or_a_configuration_error(
    write: Write, path: list[str], text: str
) -> None:
    """Any name, any value."""
    empty = write("")
    attempt(empty, environ={"TRADINGD__" + "__".join(path): text})
    attempt(empty, overrides=(f"{'.'.join(path)}={text}",))


@pytest.mark.parametrize("tree", [{}, {"run": {}}])
def test_the_fuzz_helpers_can_write_what_is_valid(write: Write, tree: dict[str, Any]) -> None:
    """The happy path of the helper is not dead."""
    path = write("\n".join(f"{key} = {toml(value)}" for key, value in tree.items()))
    assert load_settings([path], environ={}).run.name == "tradingd"
