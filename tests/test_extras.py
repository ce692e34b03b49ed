import re
from pathlib import Path

from numpyclip.extras import install_command, missing, without_commands

ROOT = Path(__file__).parents[1]


def test_a_command_adds_an_extra_and_other_packages_to_the_installed_numpyclip() -> None:
    assert install_command("server") == 'pip install "numpyclip[server]"'
    assert (
        str(missing("URLs need fsspec", "remote", "s3fs")) == 'URLs need fsspec: pip install s3fs "numpyclip[remote]"'
    )


def test_clients_are_told_the_extra_and_no_command() -> None:
    message = f"a.heic: cannot be read (it is HEIC: {install_command('heif', 's3fs')}), so it is skipped"
    expected = 'a.heic: cannot be read (it is HEIC: the server lacks the extra "heif"), so it is skipped'
    assert without_commands(message) == expected
    for other in ('it is AVIF: pip install "pillow>=11.3"', "pip install pillow-jxl-plugin"):
        assert without_commands(other) == other


def test_clients_are_told_every_extra() -> None:
    table = (ROOT / "pyproject.toml").read_text("utf-8").partition("[project.optional-dependencies]\n")[2]
    names = re.findall(r"^([\w-]+) = ", table.partition("\n\n")[0], re.MULTILINE)
    assert "llama-index" in names
    for name in names:
        assert without_commands(f"x: {install_command(name)}") == f'x: the server lacks the extra "{name}"'


def test_errors_get_the_command_from_here() -> None:
    raised = re.compile(r"MissingPackageError\((?:[^()]|\([^()]*\))*numpyclip\[")
    sources = (ROOT / "src" / "numpyclip").rglob("*.py")
    assert not [path.name for path in sources if raised.search(path.read_text("utf-8"))]
