"""`numpyclip stdio` as another program starts it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.pages import ROOT

DESCRIBE = b'{"id": 1, "command": "describe"}\n'


def started(*words: object, **options: Any) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "numpyclip", "stdio", *map(str, words)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, **{"stdin": pipe, "stdout": pipe, "stderr": pipe, **options})


def test_it_answers_until_stdin_ends(run: Run, store: Path, album: Path) -> None:
    requests = [
        {"id": 1, "command": "search", "query": "a bird", "n": 1},
        {"id": 2, "command": "embed", "image": [str(album / "broken.jpg")]},
        {"id": 3},
    ]
    result = run("stdio", "--store", store, stdin="\n".join(map(json.dumps, requests)).encode())
    assert result.status == 0
    found, embedded, wrong = map(json.loads, result.out.splitlines())
    assert found["matches"][0]["path"].endswith("bird.png")
    assert (embedded["embeddings"], embedded["errors"][0]["position"]) == ([None], 0)
    assert (wrong["id"], wrong["error"]["type"]) == (3, "InputError")


def test_without_an_index_it_embeds(run: Run, tmp_path: Path) -> None:
    requests = b'{"command": "search", "query": "a"}\n{"command": "embed", "text": "a"}'
    result = run("stdio", "-m", "tiny", stdin=requests)
    search, embed = map(json.loads, result.out.splitlines())
    assert "holds no index" in search["error"]["message"]
    assert len(embed["embeddings"][0]) == 128
    assert "nothing to search yet" in result.err
    named = run("stdio", "-m", "tiny", "--store", tmp_path / "none")
    assert (named.status, named.out) == (2, "")


def test_a_damaged_index_is_not_one_that_is_still_to_be_made(
    run: Run, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("starlette", reason="the extra numpyclip[server] is not installed")
    (store / "index.sqlite").write_bytes(b"damaged" * 1000)
    monkeypatch.setenv("NUMPYCLIP_INDEX", str(store))
    for command in ("stdio", "serve"):
        result = run(command, "-m", "tiny", *(["--port", "0"] if command == "serve" else []))
        assert (result.status, result.out) == (2, "")
        assert "nothing to search yet" not in result.err
        assert str(store) in result.err


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_interrupts_and_closed_pipes_end_it_without_a_traceback(store: Path) -> None:
    with started("--store", store) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(DESCRIBE)
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 1
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b"numpyclip: interrupted\n"
        assert process.wait() == 130
    with started("--store", store) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write(DESCRIBE)
        process.stdin.flush()
        assert process.stderr.read() == b""
        assert process.wait() == 141


def test_the_client_in_javascript(tmp_path: Path) -> None:
    program = shutil.which("numpyclip", path=str(Path(sys.executable).parent))
    if (node := shutil.which("node")) is None or program is None:
        pytest.skip("node or the program numpyclip is not installed")
    page = (ROOT / "docs" / "guides" / "assistants.md").read_text("utf-8")
    (tmp_path / "client.mjs").write_text(page.partition("```js\n")[2].partition("```")[0])
    path = os.pathsep.join([str(Path(program).parent), os.environ["PATH"]])
    done = subprocess.run([node, "client.mjs"], cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True)
    assert done.stdout == b"1 2 128\n", done.stderr
