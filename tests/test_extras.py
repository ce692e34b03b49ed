import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from numpyclip import extras
from numpyclip.extras import install_command, missing, without_commands

_requirement = extras._requirement  # before the tests' fixture replaces it
ROOT = Path(__file__).parents[1]
INDEX = 'pip install "numpyclip[server]"'


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have NumPyCLIP installed from somewhere, which a text in its metadata tells."""
    monkeypatch.setattr(extras, "_requirement", _requirement)

    def install(text: str | None) -> None:
        found = Mock(read_text={"direct_url.json": text}.get)
        monkeypatch.setattr(importlib.metadata, "distribution", lambda name: {"numpyclip": found}[name])

    return install


def test_a_version_of_an_index_is_named(installed: Any) -> None:
    installed(None)
    assert install_command("server") == INDEX
    assert (
        str(missing("URLs need fsspec", "remote", "s3fs")) == 'URLs need fsspec: pip install s3fs "numpyclip[remote]"'
    )


def test_a_checkout_a_wheel_and_an_editable_one_are_named_where_they_are(installed: Any, tmp_path: Path) -> None:
    checkout = tmp_path / "my copy, of numpyclip"
    checkout.mkdir()
    wheel = tmp_path / "numpyclip-1-py3-none-any.whl"
    wheel.touch()
    for origin, path, option in (
        ({"dir_info": {}}, checkout, ""),
        ({"dir_info": {"editable": True}}, checkout, "-e "),
        ({"archive_info": {"hash": "sha256=1"}}, wheel, ""),
    ):
        installed(json.dumps({"url": path.as_uri(), **origin}))
        assert install_command("server") == f'pip install {option}"{path}[server]"'


def test_one_from_a_repository_or_the_web_is_named_with_it(installed: Any) -> None:
    url = "https://example.org/numpyclip"
    installed(json.dumps({"url": url, "vcs_info": {"vcs": "git", "commit_id": "abc123"}}))
    assert install_command("server") == f'pip install "numpyclip[server] @ git+{url}@abc123"'
    installed(json.dumps({"url": f"{url}.whl", "archive_info": {}}))
    assert install_command("server") == f'pip install "numpyclip[server] @ {url}.whl"'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"url": "file:///no/such/folder", "dir_info": {}}',
        '{"url": "https://x", "vcs_info": {"vcs": "git"}}',
        '{"url": "https://x", "vcs_info": true}',
        '{"url": "file:///", "dir_info": 3}',
    ],
    ids=lambda text: text or "empty",
)
def test_where_it_came_from_nowhere_that_is_left_the_name_stands(text: str, installed: Any) -> None:
    installed(text)
    assert install_command("server") == INDEX


def test_one_that_is_not_installed_is_named_by_its_checkout(installed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def distribution(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", distribution)
    checkout = Path(__file__).parents[1]
    monkeypatch.setattr(extras, "_CHECKOUT", checkout)
    assert install_command("server") == f'pip install "{checkout}[server]"'
    monkeypatch.setattr(extras, "_CHECKOUT", Path("/usr/lib/python3"))
    assert install_command("server") == INDEX


def test_clients_are_told_the_extra_and_not_where_things_are(installed: Any, tmp_path: Path) -> None:
    tmp_path = tmp_path / "a home"
    tmp_path.mkdir()
    origins: list[dict[str, Any]] = [{"dir_info": {"editable": True}}, {"dir_info": {}}, {"archive_info": {}}]
    for origin in [*origins, {"vcs_info": {"vcs": "git", "commit_id": "1"}}]:
        installed(json.dumps({"url": tmp_path.as_uri(), **origin}))
        message = f"a.heic: cannot be read (it is HEIC: {install_command('heif', 's3fs')}), so it is skipped"
        expected = 'a.heic: cannot be read (it is HEIC: the server lacks the extra "heif"), so it is skipped'
        assert without_commands(message) == expected
    for other in ('it is AVIF: pip install "pillow>=11.3"', "pip install pillow-jxl-plugin"):
        assert without_commands(other) == other


def test_clients_are_told_every_extra(installed: Any, tmp_path: Path) -> None:
    installed(json.dumps({"url": tmp_path.as_uri(), "dir_info": {}}))
    table = (ROOT / "pyproject.toml").read_text("utf-8").partition("[project.optional-dependencies]\n")[2]
    names = re.findall(r"^([\w-]+) = ", table.partition("\n\n")[0], re.MULTILINE)
    assert "llama-index" in names
    for name in names:
        assert without_commands(f"x: {install_command(name)}") == f'x: the server lacks the extra "{name}"'


def test_errors_get_the_command_from_here() -> None:
    raised = re.compile(r"MissingPackageError\((?:[^()]|\([^()]*\))*numpyclip\[")
    sources = (ROOT / "src" / "numpyclip").rglob("*.py")
    assert not [path.name for path in sources if raised.search(path.read_text("utf-8"))]


def test_what_tells_where_it_came_from_is_not_imported_before() -> None:
    program = (
        "import sys, numpyclip; numpyclip.load; import numpyclip.extras; print('importlib.metadata' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"
