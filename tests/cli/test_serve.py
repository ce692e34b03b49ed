import os
import shutil
import socket
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from numpyclip.cli.commands import parse
from numpyclip.cli.serve import _addresses, _warnings
from numpyclip.cli.serve_options import _allowed_hosts, is_loopback, server_settings
from numpyclip.cli.served_models import _aliases
from numpyclip.weights.catalogue import EMBEDDED
from tests.cli.conftest import Run

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")


def test_without_the_packages_it_says_which(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("numpyclip.server")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette", None)
    for name in [name for name in sys.modules if name.startswith("starlette.")]:
        monkeypatch.setitem(sys.modules, name, None)
    result = run("serve", "-m", "tiny")
    assert result.status == 2
    assert 'pip install "numpyclip[server]"' in result.err


def test_wrong_arguments(run: Run, tmp_path: Path) -> None:
    assert run("serve", "--port", "70000").status == 2
    assert run("serve", "--port", "x").status == 2
    assert run("serve", "--timeout", "0").status == 2
    assert run("serve", "--workers", "0").err == (
        "usage: numpyclip serve [OPTION ...]\n"
        "numpyclip serve: error: argument --workers: '0' is no positive integer; expected 1 or more\n"
    )
    result = run("serve", "--store", tmp_path / "none", "-m", "tiny", "--port", "0")
    assert (result.status, "holds no index" in result.err) == (2, True)
    result = run("serve", "--token-file", tmp_path / "none", "-m", "tiny", "--port", "0")
    assert (result.status, "cannot be read" in result.err) == (2, True)
    (tmp_path / "empty").write_text("\n")
    result = run("serve", "--token-file", tmp_path / "empty", "-m", "tiny", "--port", "0")
    assert (result.status, "is empty; expected a token" in result.err) == (2, True)
    result = run("serve", "--url-prefix", "//x", "--no-index", "-m", "tiny", "--port", "0")
    assert (result.status, "expected a path such as '/photos'" in result.err) == (2, True)
    result = run("serve", "--host", "192.0.2.1", "-m", "tiny", "--port", "0")
    assert (result.status, "192.0.2.1:0: cannot listen there" in result.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "token", "expected"),
    [
        ("", "", []),
        ("--trusted-address ::1", "", []),  # which restricts /metrics
        ("--host ::", "a", []),
        ("--host ::", "", ["whoever reaches http://a:1 may use this server; set NUMPYCLIP_TOKEN or --token-file."]),
        ("--host :: --trusted-address ::1", "", ["--token-file, without which --trusted-address keeps nobody out."]),
        ("--host :: --token-file tokens", "", []),
        ("--host :: --token-file tokens", "a", ["NUMPYCLIP_TOKEN is not used, since there is --token-file."]),
    ],
)
def test_access_that_may_be_meant_otherwise_is_warned_of(
    words: str, token: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMPYCLIP_TOKEN", token)
    arguments = parse(["serve", *words.split()])
    said = list(_warnings(arguments, "http://a:1", bool(token or arguments.token_file)))
    assert len(said) == len(expected)
    assert all(warning.endswith(end) for warning, end in zip(said, expected, strict=True))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no workers")
@pytest.mark.parametrize(("option", "content"), [("--token-file", b"secret"), ("--config", b"timeout = 5")])
def test_workers_cannot_read_a_pipe(run: Run, option: str, content: bytes) -> None:
    reader, writer = os.pipe()
    os.write(writer, content)
    os.close(writer)
    path = f"/dev/fd/{reader}"
    result = run("serve", option, path, "--workers", "2", "--no-index", "-m", "tiny", "--port", "0")
    os.close(reader)
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert f"{path}: is no regular file; expected one, which all workers read, or --workers 1." in result.err


@pytest.mark.parametrize("names", [("tiny", "TINY"), ("a-b.npz", "A_b.npz"), ("folder/m.npz", "m.npz")])
def test_models_that_requests_cannot_tell_apart_are_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for name in ("a-b.npz", "A_b.npz", "folder/m.npz", "m.npz"):
        shutil.copy(EMBEDDED["tiny"], name)
    result = run("serve", "-m", names[0], "-m", names[1], "--no-index", "--port", "0", "--activation", "quick_gelu")
    assert result.status == 2
    assert f" --model {names[1]}: requests could not tell it from {names[0]} (case" in result.err


class Route:
    """A socket of a machine with two addresses, or with no network."""

    reached: ClassVar[dict[int, str]] = {}

    def __init__(self, family: int, _: int) -> None:
        self._family = family

    def __enter__(self) -> "Route":
        return self

    def __exit__(self, *_: object) -> None: ...

    def connect(self, _: object) -> None:
        if self._family not in self.reached:
            raise OSError("no network")

    def getsockname(self) -> tuple[str, int]:
        return self.reached[self._family], 1


def test_addresses_are_those_that_another_machine_can_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", Route)
    monkeypatch.setattr(socket, "gethostname", lambda: "nas")
    assert _addresses("127.0.0.1", 80) == ["127.0.0.1:80"]
    assert _addresses("::1", 80) == ["[::1]:80"]
    assert _addresses("0.0.0.0", 80) == ["nas:80"]
    monkeypatch.setattr(Route, "reached", {socket.AF_INET: "192.168.1.2", socket.AF_INET6: "fd00::2"})
    assert _addresses("0.0.0.0", 80) == ["192.168.1.2:80"]
    assert _addresses("::", 80) == ["192.168.1.2:80", "[fd00::2]:80"]


def test_damaged_weights_are_an_error_before_the_address_is_announced(run: Run, tmp_path: Path) -> None:
    with np.load(EMBEDDED["tiny"]) as file:
        arrays = dict(file)
    arrays["ln_final.weight"] = np.full_like(arrays["ln_final.weight"], np.nan)
    np.savez(tmp_path / "bad.npz", **arrays)
    result = run("serve", "-m", tmp_path / "bad.npz", "--port", "0", "--no-index", "--activation", "quick_gelu")
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert "tensor 'ln_final.weight' holds NaN or infinity" in result.err


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("ViT-B/32", ["ViT-B-32__openai"]),
        ("ViT-L/14@336px", ["ViT-L-14-336__openai"]),
        ("RN50", ["RN50__openai"]),
        ("ViT-B-32:laion2b_s34b_b79k", ["ViT-B-32__laion2b_s34b_b79k"]),
        ("hf-hub:immich-app/ViT-B-32__openai", ["ViT-B-32__openai"]),
        ("tiny", []),
        ("folder/of/weights", []),
    ],
)
def test_a_model_has_the_names_that_immich_gives_it(name: str, others: list[str]) -> None:
    assert _aliases(name, None) == others


def test_a_model_with_another_text_tower_has_its_name_too() -> None:
    names = _aliases("ViT-L/14", "hf-hub:M-CLIP/LABSE-Vit-L-14")
    assert names == ["ViT-L-14__openai", "LABSE-Vit-L-14"]


def test_settings_of_the_server_are_those_of_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMPYCLIP_TOKEN", " sesame ")
    words = "--trusted-address 10.0.0.0/8 --trusted-address ::1 --url-prefix /photos/ --max-bytes 100M --idle 2"
    settings = server_settings(parse(["serve", *words.split()]))
    assert settings.trusted_networks == (ip_network("10.0.0.0/8"), ip_network("::1"))
    assert settings.tokens.name_of(b"sesame")
    assert (settings.url_prefix, settings.max_total_bytes, settings.idle) == ("/photos", 400 << 20, 120)


def test_settings_that_contradict_each_other_are_found_before_the_model_is_loaded(run: Run) -> None:
    result = run("serve", "--no-index", "-m", "none.pt", "--cors", "*", "--port", "0", "--workers", "2")
    assert (result.status, "set a token, or name origins" in result.err) == (2, True)


@pytest.mark.parametrize(("host", "own"), [("127.0.0.2", "127.0.0.2"), ("::1", "[::1]"), ("192.0.2.1", None)])
def test_all_of_loopback_has_names_that_are_checked(host: str, own: str | None) -> None:
    arguments = parse(["serve"])
    arguments.host = host
    assert is_loopback(arguments) == (own is not None)
    hosts = _allowed_hosts(arguments)
    assert own in hosts if own else not hosts
