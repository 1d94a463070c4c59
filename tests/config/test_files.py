"""Files that cannot be read, and what YAML must not do."""

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from tradingd.config import load_settings
from tradingd.errors import ConfigError

Write = Callable[..., Path]


def problem(path: Path) -> str:
    """The message that loading `path` fails with."""
    with pytest.raises(ConfigError) as caught:
        load_settings([path], environ={})
    return str(caught.value)


def test_a_missing_file_names_the_nearest(write: Write, tmp_path: Path) -> None:
    """A typing error in the name is the usual reason."""
    write("", "paper.toml")
    assert 'there is no such file; did you mean "paper.toml"?' in problem(tmp_path / "papr.toml")


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    """The folder is what has to be corrected."""
    assert "nor a folder" in problem(tmp_path / "nowhere" / "paper.toml")


def test_a_directory_is_no_file(write: Write, tmp_path: Path) -> None:
    """The message names what is in it."""
    write("", "paper.toml")
    message = problem(tmp_path)
    assert "is a directory" in message
    assert "paper.toml" in message


def test_another_suffix_is_refused(write: Write) -> None:
    """Only .toml, .yaml and .yml are read."""
    assert "is neither .toml nor .yaml" in problem(write("", "config.json"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_told(write: Write) -> None:
    """The message names owner and mode."""
    path = write("")
    path.chmod(0)
    assert "change its owner or mode" in problem(path)


def test_a_file_that_is_not_text_is_told(tmp_path: Path) -> None:
    """With the byte where it stops being UTF-8."""
    path = tmp_path / "config.toml"
    path.write_bytes(b"ab\xff")
    assert "is not UTF-8 text (byte 2)" in problem(path)


def test_an_impossible_name_is_told() -> None:
    """A null byte is an error of ours, not of the operating system's."""
    assert "cannot be read" in problem(Path("a\0.toml"))


def test_a_name_that_is_too_long_is_told() -> None:
    """So is a name no file system takes."""
    assert "cannot be read" in problem(Path("a" * 5000 + ".toml"))


def test_broken_toml_has_line_and_column(write: Write) -> None:
    """The place to look at."""
    assert "is not valid TOML: Invalid value (at line 2, column 8)" in problem(write("[run]\nname = x"))


def test_broken_yaml_has_line_and_column(write: Write) -> None:
    """The place to look at."""
    message = problem(write("run:\n  name: [x", "config.yaml"))
    assert "is not valid YAML" in message
    assert "(at line 2, column" in message


def test_a_duplicate_key_of_yaml_has_its_line(write: Write) -> None:
    """PyYAML alone would silently take the last."""
    message = problem(write("run:\n  name: a\n  mode: paper\n  name: b\n", "config.yaml"))
    assert "the key 'name' is given twice (at line 4, column 3)" in message


def test_a_merged_key_is_no_duplicate(write: Write) -> None:
    """What a merge key brings in may be overridden, also when it was merged before."""
    text = "risk: {sizer: &a {kind: 'm:A', params: &b {x: 1}}}\nstrategies: [{name: s, params: {<<: *b, x: 2}}]\n"
    settings = load_settings([write(text, "config.yaml")], environ={})
    assert settings.strategies[0].params == {"x": 2}


@pytest.mark.parametrize("word", ["ON", "NO", "yes", "off"])
def test_yaml_words_stay_text(write: Write, word: str) -> None:
    """The ticker ON is not true, and Norway is not false."""
    settings = load_settings([write(f"data:\n  symbols: [{word}]\n", "config.yaml")], environ={})
    assert settings.data.symbols == [word]


@pytest.mark.parametrize(("word", "expected"), [("on", "on"), ("off", "off"), ("true", "on")])
def test_a_switch_takes_the_word_and_the_truth_value(write: Write, word: str, expected: str) -> None:
    """`uvloop: off` means off."""
    assert load_settings([write(f"runtime:\n  uvloop: {word}", "c.yaml")], environ={}).runtime.uvloop == expected


def test_yaml_dates_are_dates(write: Write) -> None:
    """Without quotes, as in TOML."""
    assert load_settings([write("data:\n  start: 2020-01-02", "c.yaml")], environ={}).data.start == date(
        2020, 1, 2
    )


def test_a_leading_zero_is_not_octal(write: Write) -> None:
    """YAML 1.1 would read 010 as eight."""
    settings = load_settings([write("portfolio:\n  initial_cash: 010", "c.yaml")], environ={})
    assert settings.portfolio.initial_cash == 10


@pytest.mark.parametrize(
    "text",
    [
        "- a\n- b",
        "just text",
        "run: {1: x}",
        "run: {name: !!binary aGk=}",
        "run: {name: !!set {a}}",
        "run: {name: !!python/name:os.system }",
        "run: {name: !!bool maybe}",
        "run: {name: !!int x}",
        "run: {name: !!float x}",
        "run: {name: !!timestamp x}",
        "data: {start: 2020-13-45}",
        "a: &a [*a]",
        "strategies: &a [{name: x, params: {y: *a}}]",
        "[" * 5000,
        "run: {name: a}\n---\nrun: {name: b}",
        "run: {name: \x01}",
        "portfolio: {initial_cash: .nan}",
        "portfolio: {initial_cash: -.inf}",
        "portfolio: {initial_cash: null}",
        "? [a]\n: b",
    ],
)
def test_odd_yaml_is_a_configuration_error(write: Write, text: str) -> None:
    """Never another exception, never an object."""
    assert "c.yaml" in problem(write(text, "c.yaml"))


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * 5000,
        "[risk.sizer]\nkind = 'm:C'\nparams = {x = nan}",
        "[risk.sizer]\nkind = 'm:C'\nparams = {x = 1e9999999999999999999999}",
        "[risk.sizer]\nkind = 'm:C'\nparams = {x = 1e99999}",
        "[risk.sizer]\nkind = 'm:C'\nparams = {x = 0x" + "F" * 9000 + "}",
        "[runtime]\nqueue_capacity = " + "9" * 5000,
        "[run]\nname = 1\nname = 2",
    ],
)
def test_odd_toml_is_a_configuration_error(write: Write, text: str) -> None:
    """Never another exception."""
    assert "config.toml" in problem(write(text))


@pytest.mark.parametrize(
    "text", ["credentials: {a: {password: *hunter2 }}", "credentials: {a: {password: !hunter2 x}}"]
)
def test_a_yaml_error_quotes_no_password(write: Write, text: str) -> None:
    """An unquoted password that looks like an alias or tag is not in the message."""
    assert "hunter2" not in problem(write(text, "c.yaml"))
