import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import numpyclip
from tests.cli.conftest import Run

NUMPYCLIP = [sys.executable, "-m", "numpyclip"]


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"numpyclip {numpyclip.__version__}\n", "")


@pytest.mark.parametrize("words", [[], ["classify"], ["embed"], ["models"]])
def test_every_help_ends_in_examples(run: Run, words: list[str]) -> None:
    result = run(*words, "--help")
    assert result.status == 0
    assert "examples:\n  numpyclip" in result.out


def test_a_batch_size_below_one_is_a_usage_error(run: Run) -> None:
    assert run("classify", "a.png", "b", "--batch-size", "0").status == 2


def test_the_default_model_says_how_to_get_it_and_how_to_go_without(
    run: Run, bird: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMPYCLIP_OFFLINE", "1")
    result = run("classify", bird, "a bird", "a dog")
    assert (result.status, result.out) == (2, "")
    for needed in ("ViT-B-32.pt", str(tmp_path / "clip-dir"), "https://", "--model tiny"):
        assert needed in result.err
    assert "Traceback" not in result.err


def test_the_model_may_come_from_the_environment(
    run: Run, bird: Path, checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMPYCLIP_MODEL", "tiny")
    assert run("classify", bird, "a bird", "a dog").out.splitlines()[0].endswith("a bird")


def test_an_unknown_model_is_one_clear_line(run: Run, bird: Path) -> None:
    result = run("classify", bird, "a bird", "-m", "ViT-B-31")
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("numpyclip: Model 'ViT-B-31' not found")
    assert result.err.count("\n") == 1


@pytest.mark.filterwarnings("default")
def test_warnings_are_one_plain_line(run: Run, bird: Path, checkpoints: Path) -> None:
    model = checkpoints / "vit.safetensors"
    result = run("embed", "images", bird, "-m", model)
    assert result.status == 0
    assert result.err.startswith(f"numpyclip: warning: {model}: the activation is not recorded")
    assert run("embed", "images", bird, "-m", model, "--activation", "quick_gelu").err == ""


@pytest.mark.parametrize("place", ["parse", "models.run"])  # while modules are imported, and later
def test_ctrl_c_exits_with_130_and_one_line(run: Run, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"numpyclip.cli.{place}", interrupt)
    result = run("models")
    assert (result.status, result.out, result.err) == (130, "", "numpyclip: interrupted\n")


def test_a_reader_that_goes_away_ends_the_command_quietly(album: Path) -> None:
    texts = "\n".join(f"text {i}" for i in range(2000)).encode()
    command = subprocess.Popen(
        [*NUMPYCLIP, "embed", "texts", "-", "-m", "tiny"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    assert command.stdin and command.stdout and command.stderr
    command.stdout.close()
    try:
        command.stdin.write(texts)
        command.stdin.close()
    except BrokenPipeError:
        pass
    error = command.stderr.read()
    command.stderr.close()
    assert command.wait() == 141
    assert error == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", ["models", "--help", "--version"])
@pytest.mark.parametrize(
    ("output", "reason"), [("/dev/full", "No space left on device"), ("&-", "Bad file descriptor")]
)
def test_an_output_that_takes_nothing_is_one_clear_line(words: str, output: str, reason: str) -> None:
    command = f"exec {shlex.join(NUMPYCLIP)} {words} >{output}"
    result = subprocess.run(command, shell=True, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr == f"numpyclip: the output cannot be written ({reason}).\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("output", ["/dev/full", "&-"])
def test_messages_that_nobody_can_read_change_nothing_else(output: str) -> None:
    command = f"exec {shlex.join(NUMPYCLIP)} models cache 2>{output}"  # where there is none
    environment = {**os.environ, "NUMPYCLIP_CACHE": "0"}
    result = subprocess.run(command, shell=True, stdout=subprocess.PIPE, check=False, env=environment)
    assert (result.returncode, result.stdout) == (0, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16"])
def test_everything_can_be_said_in_any_encoding(encoding: str) -> None:
    environment = {
        **os.environ,
        "LC_ALL": "C",
        "PYTHONIOENCODING": encoding,
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
    }
    words = ["embed", "texts", "鳥", "--from", "none 鳥 \x1b.txt", "-m", "tiny"]
    result = subprocess.run([*NUMPYCLIP, *words], env=environment, capture_output=True, check=False)
    assert result.returncode == 2
    assert result.stderr.decode(encoding).startswith("numpyclip: none ")
    assert b"Traceback" not in result.stderr


def test_redirected_output_is_utf_8_whatever_the_terminal_speaks(bird: Path) -> None:
    command = [*NUMPYCLIP, "classify", str(bird), "鳥", "-m", "tiny"]
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    out = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    assert out.decode("utf-8") == "1.0000\t鳥\n"


def test_python_m_numpyclip_is_the_command() -> None:
    result = subprocess.run([*NUMPYCLIP, "--version"], capture_output=True, text=True, check=True)
    assert result.stdout == f"numpyclip {numpyclip.__version__}\n"


@pytest.mark.skipif(os.name == "nt", reason="a shell of POSIX closes the streams")
def test_no_file_gets_the_descriptor_of_a_closed_stream(tmp_path: Path) -> None:
    code = (
        "import sys; from numpyclip.cli import main; main(['models', 'verify'])\n"
        "with open(sys.argv[1], 'wb') as file: file.write(b'%d' % file.fileno())"
    )
    command = f"exec {shlex.join([sys.executable, '-c', code, str(tmp_path / 'file')])} <&- >&- 2>&-"
    assert subprocess.run(command, shell=True, check=False).returncode == 0
    assert int((tmp_path / "file").read_bytes()) > 2
