"""Whatever files, labels and texts are called, what is printed is valid, unambiguous and harmless on a terminal."""

import ast
import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import numpyclip.cli
from numpyclip.cli import main
from numpyclip.escaping import column_text
from tests.cli.conftest import Run

NUMPYCLIP = [sys.executable, "-m", "numpyclip"]
NAMES = [
    b"esc\x1b]0;title\x07.png",
    b"c1 \xc2\x9b31m.png",
    "bidi \u202egnp.png".encode(),
    b"two\nlines\tand a tab.png",
    b"latin-1 caf\xe9.png",
    b'"quoted".png',
    "plain é 鳥.png".encode(),
]
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.fixture
def hostile(tmp_path: Path, bird: Path) -> Path:
    """A folder of one picture under many names, and of one that is broken."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    try:
        for name in NAMES:
            (folder / os.fsdecode(name)).write_bytes(bird.read_bytes())
        (folder / os.fsdecode(b"broken\n\x1b[2J \xe9.png")).write_bytes(b"none")
    except OSError:
        pytest.skip("this file system does not take all bytes")
    return folder


def names_in(folder: Path) -> set[str]:
    return {str(folder / os.fsdecode(name)) for name in NAMES}


LABEL = "a bird\x1b[2J\n\u202e"
TABLES = {
    "classify": (["{folder}", LABEL, "a dog", "-n1"], 0),
    "tag": (["{folder}", "--labels", "{labels}", "--threshold", "0", "-n1"], 0),
    "caption": (["{folder}", "--labels", "{labels}"], 0),
    "ask": (["{folder}", "is there a bird?", "-n1"], 0),
    "duplicates": (["{folder}"], 2),
}


@pytest.mark.parametrize("command", TABLES)
def test_tables_are_utf_8_and_lead_back_to_names(command: str, run: Run, hostile: Path, tmp_path: Path) -> None:
    words, position = TABLES[command]
    labels = tmp_path / "labels.txt"
    labels.write_text("a bird\x1b[2J\u202e\na dog\n", encoding="utf-8")
    words = [word.format(folder=hostile, labels=labels) for word in words]
    status, out, err = run(command, *words, "-m", "tiny")
    assert status == 3
    assert not CONTROLS.search(out + err)
    assert {column_text(line.split("\t")[position]) for line in out.splitlines()} == names_in(hostile)
    assert all(line.startswith("numpyclip: ") for line in err.splitlines())
    assert r"broken\n\x1b[2J \xe9.png" in err


@pytest.mark.parametrize("command", TABLES)
def test_json_is_valid_and_leads_back_to_names(command: str, run: Run, hostile: Path, tmp_path: Path) -> None:
    words, _ = TABLES[command]
    labels = tmp_path / "labels.txt"
    labels.write_text("a bird\x1b[2J\u202e\na dog\n", encoding="utf-8")
    words = [word.format(folder=hostile, labels=labels) for word in words]
    status, out, _ = run(command, *words, "-m", "tiny", "--json")
    assert status == 3
    assert out.isascii()
    records = [json.loads(line, parse_constant=pytest.fail) for line in out.splitlines()]
    records = [copy for record in records for copy in record.get("copies", [record])]
    assert {path_of(record) for record in records} == names_in(hostile)
    json.dumps(records, ensure_ascii=False).encode("utf-8")


def path_of(record: dict[str, str]) -> str:
    return os.fsdecode(base64.b64decode(record["path_bytes"])) if "path_bytes" in record else record["path"]


def test_files_of_results_are_utf_8_and_valid(run: Run, hostile: Path, tmp_path: Path) -> None:
    words = ["classify", hostile, LABEL, "a dog", "-m", "tiny", "-o"]
    run(*words, tmp_path / "a.csv")
    run(*words, tmp_path / "a.json")
    run("embed", "images", hostile, "-m", "tiny", "-o", tmp_path / "a.jsonl")
    run("map", hostile, "-m", "tiny", "-o", tmp_path / "a.html")
    for suffix in ("csv", "json", "jsonl", "html"):
        assert not CONTROLS.search((tmp_path / f"a.{suffix}").read_text("utf-8"))
    records = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text("utf-8").splitlines()]
    assert {path_of(record) for record in records} == names_in(hostile)
    assert {path_of(record) for record in json.loads((tmp_path / "a.json").read_text("utf-8"))["pictures"]} == names_in(
        hostile
    )


@pytest.mark.parametrize("null", [True, False])
def test_lists_of_paths_are_the_bytes_of_names_for_programs(
    null: bool, run: Run, hostile: Path, tmp_path: Path
) -> None:
    command = [*NUMPYCLIP, "filter", str(hostile), "--drop", "nothing", "--threshold", "1", "-m", "tiny"]
    result = subprocess.run([*command, *(["-0"] if null else [])], capture_output=True, check=False)
    paths = {os.fsencode(hostile / os.fsdecode(name)) for name in NAMES}
    if null:
        assert set(result.stdout.removesuffix(b"\0").split(b"\0")) == paths
        return
    lines = result.stdout.splitlines()
    assert len(lines) == len(paths)
    assert paths - set(lines) == {path for path in paths if b"\n" in path}  # which no line can hold
    again = run("embed", "images", "-", "-m", "tiny", stdin=result.stdout)
    assert (again.status, again.out.count("\n")) == (0, len(paths))


def test_tables_can_be_drawn_on_sheets(run: Run, hostile: Path, tmp_path: Path) -> None:
    table = run("classify", hostile, LABEL, '"a dog"', "-m", "tiny", "-n1").out
    result = run("sheet", "-", "-o", tmp_path / "sheet.png", stdin=table.encode())
    assert (result.status, result.err) == (0, "")


@pytest.mark.parametrize("null", [[], ["-0"]])
def test_nothing_reaches_a_terminal_raw(null: list[str], hostile: Path, tmp_path: Path) -> None:
    command = [*NUMPYCLIP, "filter", str(hostile), "--drop", "nothing", "--threshold", "1", "-m", "tiny", *null]
    environment = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "latin-1"}
    shown = "".join(on_terminal(command, environment)).replace("\r\n", "\n")
    assert r"esc\x1b]0;title\x07.png" in shown
    assert r"caf\xe9.png" in shown
    assert not CONTROLS.search(shown.replace("\0", ""))


def on_terminal(command: list[str], environment: dict[str, str]) -> Iterator[str]:
    """Run a command whose stdout and stderr are a terminal, and give what it prints."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    try:
        while read := os.read(ours, 1 << 16):
            yield read.decode("latin-1")
    except OSError:  # the other side is closed
        pass
    finally:
        os.close(ours)
        process.wait()


def test_arguments_are_quoted_in_messages_of_usage(run: Run) -> None:
    for words in (
        ["models", "verify", "a\x1b[2J"],
        ["serve", "a\x1b[2J"],
        ["--a\x1b[2J"],
        ["a\x1b[2J"],
        ["sheet", "-o", "\x1b"],
    ):
        result = run(*words)
        assert result.status in (1, 2)
        assert not CONTROLS.search(result.err)


def test_everything_is_printed_in_one_place() -> None:
    folder = Path(numpyclip.cli.__file__).parent
    for file in folder.glob("*.py"):
        if file.name == "outputs.py":
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            assert not (isinstance(node, ast.Name) and node.id == "print"), f"{file.name}:{node.lineno}"
            if isinstance(node, ast.Attribute) and node.attr in ("write", "writelines", "buffer"):
                assert ast.unparse(node.value) not in ("sys.stdout", "sys.stderr"), f"{file.name}:{node.lineno}"


def test_what_an_index_holds_is_printed_so_too(
    hostile: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    words = ["search", "a bird", "--all", "--store", str(tmp_path / "store")]
    texts = tmp_path / "texts.txt"
    texts.write_text("a bird\x1b[2J\u202e\n", encoding="utf-8")

    def printed(*command: str) -> bytes:
        assert main(list(command)) in (0, 3)
        return capfdbinary.readouterr().out

    printed("index", str(hostile), "--store", words[-1], "-m", "tiny")
    printed("index", "--texts", str(texts), "--store", words[-1], "-m", "tiny")
    paths = {os.fsencode(hostile / os.fsdecode(name)) for name in NAMES}
    assert set(printed(*words, "--paths", "-0").removesuffix(b"\0").split(b"\0")) == paths
    assert paths - set(printed(*words, "--paths").splitlines()) == {path for path in paths if b"\n" in path}
    records = [json.loads(line) for line in printed(*words, "--json").splitlines()]
    assert len({path_of(record) for record in records}) == len(records)
    for more in ([], ["--json"], ["--in", "texts"], ["--in", "texts", "--json"]):
        assert not CONTROLS.search(printed(*words, *more).decode("utf-8"))
    for action in ("--list", "--problems"):
        for more in ([], ["--json"]):
            assert not CONTROLS.search(printed("index", action, *more, "--store", words[-1]).decode("utf-8"))
