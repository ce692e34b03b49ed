"""Options of a command by environment and by file."""

import argparse
import sys
from pathlib import Path

import pytest

from numpyclip.cli.commands import parse, parser
from numpyclip.cli.configuration import settings
from tests.cli.conftest import Run

if sys.version_info < (3, 11):
    pytest.importorskip("tomli")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "serve.toml"
    path.write_text(
        """
        port = 9001  # a comment
        max-pixels = "400M"
        max-bytes = 1000000
        no-index = true
        full-decode = true
        cors = ["https://a.example", "https://b.example"]
        model-name = "one"
        log-format = "json"
        """
    )
    return path


def test_a_file_has_the_options(file: Path) -> None:
    found = parse(["serve", "--config", str(file)])
    assert (found.port, found.max_pixels, found.max_bytes) == (9001, 400_000_000, 1_000_000)
    assert (found.no_index, found.draft, found.log_format, found.read_only) == (True, False, "json", False)
    assert (found.cors, found.model_name) == (["https://a.example", "https://b.example"], ["one"])


def test_the_command_line_comes_first_and_the_environment_second(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMPYCLIP_SERVE_CONFIG", str(file))
    monkeypatch.setenv("NUMPYCLIP_SERVE_PORT", "9002")
    monkeypatch.setenv("NUMPYCLIP_SERVE_MAX_BYTES", "2M")
    monkeypatch.setenv("NUMPYCLIP_SERVE_NO_INDEX", "False")
    monkeypatch.setenv("NUMPYCLIP_SERVE_MODEL_NAME", "two, three  four")
    monkeypatch.setenv("NUMPYCLIP_SERVE_TOKEN_FILE", "")  # not set
    found = parse(["serve", "--port=9003", "--cors", "https://c.example"])
    assert (found.port, found.max_bytes, found.max_pixels, found.no_index) == (9003, 2 << 20, 400_000_000, False)
    assert (found.cors, found.model_name) == (["https://c.example"], ["two", "three", "four"])
    assert found.token_file is None
    assert parse(["serve", "--config", str(file)]).port == 9002


@pytest.mark.parametrize("words", [["-m", "tiny"], ["-mtiny"], ["--model", "tiny"], ["--model=tiny"]])
def test_a_list_on_the_command_line_replaces_others(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMPYCLIP_SERVE_MODEL", "ViT-B/32 ViT-L/14")
    assert parse(["serve"]).model == ["ViT-B/32", "ViT-L/14"]
    assert parse(["serve", *words]).model == ["tiny"]


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("PORT", "70000", "$NUMPYCLIP_SERVE_PORT: '70000' is no port; expected 0 to 65535"),
        ("NO_INDEX", "yes", "$NUMPYCLIP_SERVE_NO_INDEX: 'yes' is neither true nor false"),
        ("LOG_LEVEL", "infos", "$NUMPYCLIP_SERVE_LOG_LEVEL: 'infos' is unknown; did you mean info?"),
        ("TRUSTED_ADDRESS", "::1/x", "$NUMPYCLIP_SERVE_TRUSTED_ADDRESS: '::1/x' is not an IP address or network; "),
        ("PROXY", "10.0.0.1/8 ::1", "$NUMPYCLIP_SERVE_PROXY: '10.0.0.1/8' is not an IP address or network (host bits"),
        ("MAX_BODY", "32", "$NUMPYCLIP_SERVE_MAX_BODY is unknown; did you mean NUMPYCLIP_SERVE_MAX_BYTES?"),
        ("TOKEN", "a", "$NUMPYCLIP_SERVE_TOKEN is unknown; did you mean NUMPYCLIP_SERVE_TOKEN_FILE?"),
        ("HELP", "true", "$NUMPYCLIP_SERVE_HELP is unknown; "),
        ("X1", "1", "$NUMPYCLIP_SERVE_X1 is unknown; "),
    ],
)
def test_variables_that_are_wrong(
    run: Run, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(f"NUMPYCLIP_SERVE_{variable}", value)
    result = run("serve", "--port", "1")
    assert result.status == 2
    assert f"numpyclip serve: error: {message}" in result.err
    assert run("serve", "--help").status == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1", "serve.toml: prot is unknown; did you mean port?"),
        ("token = 'a'", "serve.toml: token is unknown; did you mean token-file?"),
        ("config = 'a'", "serve.toml: config is unknown"),
        ("port = true", "serve.toml: port: True is of another type; expected a string or an integer"),
        ("port = 1.5", "serve.toml: port: 1.5 is of another type"),
        ("host = 1", "serve.toml: host: 1 is of another type; expected a string"),
        ("port = -1", "serve.toml: port: '-1' is no port"),
        ("no-index = 'true'", "serve.toml: no-index: 'true' is neither true nor false"),
        ("cors = [1]", "serve.toml: cors: '1' is not an origin"),
        ("cors = ['https://a.example/']", "serve.toml: cors: 'https://a.example/' is not an origin"),
        ("[serve]\nport = 1", "serve.toml: the table [serve]; expected all options at the top, in no table"),
        ("max-bytes = '10X'", "serve.toml: max-bytes: '10X' is no size; expected one such as 500K, 64M or 1G"),
        ('token-file = "a\\u0000b"', "serve.toml: token-file: 'a\\x00b' has a NUL"),
        ("timeout = 1" + "0" * 400, "is no number of seconds; expected 1 to 999999"),
        (
            "idle = 1000000",
            "serve.toml: idle: '1000000' is no number of minutes; expected one such as 10, at most 999999",
        ),
        ("port = ", "serve.toml: is no TOML"),
        ("port = 1\nport = 2", "serve.toml: is no TOML"),
        ("a = " + "[" * 100_000, "serve.toml: is no TOML"),
        ("#" * (1 << 20) + "\n", "serve.toml: is too large for a file of options; expected at most 1 MiB.\n"),
        ("\ufeffprot = 1", "serve.toml: prot is unknown; did you mean port?"),
    ],
)
def test_files_that_are_wrong(run: Run, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "serve.toml").write_text(text, encoding="utf-8")
    result = run("serve", "--config", tmp_path / "serve.toml")
    assert result.status == 2
    assert message in result.err


def test_a_file_that_is_not_there(run: Run, tmp_path: Path) -> None:
    result = run("serve", "--config", tmp_path / "none.toml")
    assert (result.status, "none.toml: cannot be read (No such file" in result.err) == (2, True)
    assert "expected one argument" in run("serve", "--config").err


def test_every_option_is_a_variable_and_a_key() -> None:
    (commands,) = (action for action in parser("serve")._actions if isinstance(action, argparse._SubParsersAction))
    command = commands.choices["serve"]
    found = {setting.key: setting.variable for setting in settings(command)}
    assert found["max-inputs"] == "NUMPYCLIP_SERVE_MAX_INPUTS"
    assert found["model"] == "NUMPYCLIP_SERVE_MODEL"
    long = {name for name in command._option_string_actions if name.startswith("--")}
    assert {f"--{key}" for key in found} == long - {"--help"}
