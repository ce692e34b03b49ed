"""The Dockerfile, the compose files, the units and the proxies' configurations name what is there, and agree."""

import configparser
import importlib.metadata
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from numpyclip.cli.commands import parse
from numpyclip.dual_encoder.clip import CLIP
from tests.pages import ROOT

pytest.importorskip("uvicorn")
from numpyclip.server import Settings, Tokens, create_app
from numpyclip.server.processes import connections, supervisor, uvicorn_server
from tests.server.conftest import running

DEPLOY = ROOT / "deploy"
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
PAGE = (ROOT / "docs" / "guides" / "deployment.md").read_text("utf-8")
COMPOSE = [ROOT / "compose.yaml", ROOT / "compose.postgres.yaml"]
SETTING = re.compile(r"(?:^|[ {])(?:name: )?((?:NUMPYCLIP|CLIP|HF)_\w+)(?:=|: |, value: )([^ \n}\\]*)", re.MULTILINE)


def settings(path: Path) -> dict[str, str]:
    """What a file sets in the environment of the program; of `${NAME:-default}` the default."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", path.read_text("utf-8"))
    return dict(SETTING.findall(text))


def unit(name: str) -> Any:
    """A unit of systemd; of keys that are there more than once the last value."""
    found = configparser.RawConfigParser(strict=False)
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read_string((DEPLOY / name).read_text("utf-8"))
    return found


FILES = [ROOT / "Dockerfile", *COMPOSE, DEPLOY / "kubernetes.yaml"]


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in FILES])
def test_variables_that_are_set_exist_and_their_values_are_accepted(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = settings(path)
    assert found
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    parse(["serve"])  # exits where a variable of `serve` is unknown, or its value is refused
    with pytest.raises(SystemExit):
        parse(["--help"])
    help_text = capsys.readouterr().out
    assert not {name for name in found if not name.startswith("NUMPYCLIP_SERVE_") and name not in help_text}


def test_a_variable_that_does_not_exist_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMPYCLIP_SERVE_PROXIES", "127.0.0.1")
    with pytest.raises(SystemExit):
        parse(["serve"])


def test_the_command_of_the_unit_and_its_file_of_options_are_accepted() -> None:
    command = shlex.split(unit("numpyclip.service")["Service"]["ExecStart"])
    words = [word.replace("/etc/numpyclip/", f"{DEPLOY}/") for word in command[1:]]
    arguments = parse(words)
    assert arguments.token_file == "/etc/numpyclip/tokens"
    assert arguments.allow_host == ["photos.example.org"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    for name in ("numpyclip.service", "numpyclip.socket"):
        text = (DEPLOY / name).read_text("utf-8").replace("/opt/numpyclip/bin/numpyclip", sys.executable)
        (tmp_path / name).write_text(text)
    words = ["systemd-analyze", "verify", *map(str, tmp_path.iterdir())]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_others_cannot_enter_the_folder_of_the_index() -> None:
    made = re.search(r"install -d -m (\d+) -o numpyclip -g numpyclip /var/lib/numpyclip", PAGE)
    assert made
    mode = unit("numpyclip.service")["Service"]["StateDirectoryMode"]
    assert int(made[1], 8) == int(mode, 8) == 0o750


def test_requests_in_flight_have_the_time_to_end() -> None:
    compose = re.search(r"stop_grace_period: (\d+)s", COMPOSE[0].read_text("utf-8"))
    pod = re.search(r"terminationGracePeriodSeconds: (\d+)", (DEPLOY / "kubernetes.yaml").read_text("utf-8"))
    page = re.search(r"--stop-timeout (\d+)", PAGE)
    assert compose and pod and page
    given = {int(match[1]) for match in (compose, pod, page)} | {
        int(unit("numpyclip.service")["Service"]["TimeoutStopSec"])
    }
    assert given == {45}
    assert min(given) > supervisor._STOP_TIMEOUT


def test_systemd_reloads_only_what_has_started() -> None:
    service = unit("numpyclip.service")["Service"]
    assert service["ExecReload"] == "kill -HUP $MAINPID"
    assert (service["Type"], service["TimeoutStartSec"]) == ("notify", "infinity")


def test_proxies_have_the_limits_of_the_server() -> None:
    nginx, caddy = ((DEPLOY / name).read_text("utf-8") for name in ("nginx.conf", "Caddyfile"))
    arguments = parse(["serve"])
    assert f"client_max_body_size {arguments.max_bytes >> 20}m;" in nginx
    assert f"max_size {arguments.max_bytes >> 20}MiB" in caddy
    closed = re.findall(r"(?:keepalive_timeout|keepalive) (\d+)s", nginx + caddy)
    assert len(closed) == 2
    assert max(map(int, closed)) < connections._IDLE_TIMEOUT
    waits = re.search(r"proxy_read_timeout (\d+)s", nginx)
    assert waits is not None
    assert int(waits[1]) > 2 * arguments.timeout + uvicorn_server._MARGIN


def test_the_health_check_of_the_image_tells_whether_the_server_answers(
    tiny: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = re.search(r"HEALTHCHECK .*?CMD (\[.*?\])\n", DOCKERFILE, re.DOTALL)
    assert words is not None
    command = [sys.executable, *json.loads(words[1])[1:]]
    with running(create_app(tiny, "tiny", None, Settings(tokens=Tokens("secret")))) as client:
        monkeypatch.setenv("NUMPYCLIP_SERVE_PORT", str(client.port))
        assert subprocess.run(command, capture_output=True).returncode == 0
    monkeypatch.setenv("NUMPYCLIP_SERVE_PORT", "1")
    assert subprocess.run(command, capture_output=True).returncode != 0


def test_the_images_have_tags_and_the_user_is_not_root() -> None:
    bases = re.findall(r"^FROM (\S+?):(\S+)", DOCKERFILE, re.MULTILINE)
    assert [tag for _, tag in bases] == ["trixie-slim", "nonroot"]
    assert not re.search(r"^USER (root|0)", DOCKERFILE, re.MULTILINE)
    assert all(
        not image.endswith(":latest") for image in re.findall(r"image: (\S+:\S+)", COMPOSE[1].read_text("utf-8"))
    )


def test_the_image_has_versions_that_the_package_accepts() -> None:
    requirements = pytest.importorskip("packaging.requirements")
    names = pytest.importorskip("packaging.utils")
    lines = (DEPLOY / "constraints.txt").read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    pinned = {names.canonicalize_name(name): version for name, version in pins.items()}
    extras = re.search(r"^ARG EXTRAS=(\S+)", DOCKERFILE, re.MULTILINE)
    assert extras is not None
    needed = [requirements.Requirement(each) for each in importlib.metadata.requires("numpyclip") or ()]
    for requirement in needed:
        environments = ({"extra": extra, "python_version": "3.13"} for extra in ["", *extras[1].split(",")])
        if requirement.marker is None or any(map(requirement.marker.evaluate, environments)):
            version = pinned.get(names.canonicalize_name(requirement.name))
            assert version is not None, f"{requirement.name} is in no line of constraints.txt"
            assert version in requirement.specifier, requirement


def test_what_the_build_needs_is_sent_to_it() -> None:
    rules = (ROOT / ".dockerignore").read_text("utf-8").split()
    sent = {rule[1:] for rule in rules if rule.startswith("!")}
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    licences = re.search(r"license-files = \[(.*?)\]", project)
    assert licences is not None
    needed = {name.split("/")[0] for name in re.findall(r'"([^"]+)"', licences[1])} | {
        "pyproject.toml",
        "README.md",
        "src",
    }
    assert needed | {"deploy/constraints.txt"} == sent
    assert not {name for name in sent if not (ROOT / name).exists()}


def test_the_page_says_of_each_variable_of_the_compose_files_what_it_is() -> None:
    used = {name for path in COMPOSE for name in re.findall(r"\$\{(\w+)", path.read_text("utf-8"))}
    assert not {name for name in used if name not in PAGE}


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in COMPOSE])
def test_secrets_and_volumes_of_services_are_declared(path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    found = yaml.safe_load(path.read_text("utf-8"))
    for name, service in found["services"].items():
        assert set(service.get("secrets", ())) <= set(found["secrets"]), name
        volumes = {volume.split(":")[0] for volume in service.get("volumes", ()) if not volume.startswith(("$", "."))}
        assert volumes <= set(found["volumes"]), name


def test_programs_of_the_page_read_tokens_as_it_writes_them(tmp_path: Path) -> None:
    tokens = pytest.importorskip("numpyclip.server.access.tokens")
    written = re.search(r'echo "(phone: )\$\(openssl rand -hex 24\)" > tokens', PAGE)
    assert written is not None
    (tmp_path / "tokens").write_text(f"{written[1]}{os.urandom(24).hex()}\n")
    assert list(tokens.read_tokens(str(tmp_path / "tokens"))) == ["phone"]
