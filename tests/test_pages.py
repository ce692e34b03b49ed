"""Blocks of a page are found with their marks and outputs, and an output that is another one is noticed."""

from pathlib import Path

import pytest
from tools.update_examples import updated

from tests.page_commands import commands, problems
from tests.page_session import Session
from tests.pages import Output, agrees, blocks

PAGE = """
```python
print(1 / 3)
# prints
# 0.33
```

<!-- needs no_such_package -->
<!-- not run: your files -->
```sh
cat photo.jpg
```

It prints

```text
a photo
```

=== "Tab"

    ```sh
    echo hello
    ```

    ```
    hello
    ```

```text
of nothing
```
"""


def test_blocks_are_found_with_marks_and_outputs() -> None:
    python, shell, tab, text = blocks(PAGE)
    assert (python.code, python.output and python.output.text) == ("print(1 / 3)\n", "# 0.33\n")
    assert (shell.reason, shell.missing, shell.runs) == ("your files", ["no_such_package"], False)
    assert shell.output is not None
    assert (shell.output.text, shell.line) == ("a photo\n", 10)
    assert (tab.code, tab.output and tab.output.text, tab.indent) == ("echo hello\n", "hello\n", "    ")
    assert (text.language, text.reason, text.output) == ("text", None, None)


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("0.33  a\nb", "0.3333 a\nb\n", True),
        ("0.35", "0.3333", False),
        ("0.33", "a", False),
        ("id 7", "id 8", False),
        ("a ... d", "a b c d", True),
        ("a ... d", "a b c", False),
        ("[1. 2.]", "[1. 2.]", True),
        ("5f3c...", "5f3cab", True),
        ("[0.5, ..., 1.5]", "[0.5, 1.0, 1.504]", True),
        ("[0.5, ..., 1.5]", "[0.5, 1.0, 1.6]", False),
        ("(a+)", "aa", False),
    ],
)
def test_outputs_agree_but_for_spaces_and_last_digits(expected: str, printed: str, same: bool) -> None:
    assert agrees(printed, Output("text", expected, 0, 0)) is same


def test_json_agrees_however_it_is_indented() -> None:
    output = Output("json", '{\n  "embedding": [0.5, ...],\n  "model": "tiny"\n}', 0, 0)
    assert agrees('{"embedding":[0.501,0.2],"model":"tiny"}', output)
    assert not agrees('{"embedding":[0.501,0.2],"model":"other"}', output)


def test_the_tool_writes_what_differs_and_keeps_what_agrees() -> None:
    page = PAGE.replace("    hello\n    ```\n", "    goodbye\n    ```\n")
    assert updated(page) == PAGE
    assert updated(PAGE.replace("# 0.33", "# 0.5")) == PAGE.replace("# 0.33", "# 0.3333333333333333")


def test_requests_are_answered_by_a_server_with_the_album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("uvicorn")
    root = Path(__file__).parents[1]
    (tmp_path / "docs").symlink_to(root / "docs")
    monkeypatch.chdir(tmp_path)
    page = """
```http
POST /search
Content-Type: application/json

{"query": "a house", "n": 1}
```

```json
{"matches": [{... "path": "/home/me/docs/pictures/album/house.png", ...}], ...}
```

```sh
curl --silent http://127.0.0.1:8000/v1/models/tiny
```

```json
{"id": "tiny", ...}
```

```http
GET /thumbnails/99
```

```http
HTTP/1.1 404 Not Found

{"error": ...}
```
"""
    with Session() as session:
        for block in blocks(page):
            assert block.output is not None
            assert agrees(session.run(block), block.output), session.run(block)


def test_commands_are_found_between_operators() -> None:
    code = 'A=1 numpyclip serve \\\n  --port 1 2>&1 | tee "a log" # numpyclip x\n'
    code += "cat <<END && ls\nnumpyclip y\nEND\nid > file\n"
    found = [words for words in commands(code) if words]
    assert found == [["A=1", "numpyclip", "serve", "--port", "1", "2"], ["tee", "a log"], ["cat"], ["ls"], ["id"]]


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("numpyclip search a dog --strict -n 3", ""),
        ("sudo -u numpyclip .venv/bin/numpyclip index photos --bad", "--bad"),
        ("ls && numpyclip serch a dog", "serch"),
        ("numpyclip filter photos --keep dog --min 0.5", "--min"),
        ('pip install ".[server,nothing]"', "nothing"),
        ("curl -d '{}' http://127.0.0.1:8000/embed", "POST /embed"),
        ("curl -X PUT http://localhost:8000/v1/embeddings", "PUT /v1/embeddings"),
        ("curl http://127.0.0.1:8000/thumbnails/7", ""),
        ("nice python benchmarks/nothing.py", "benchmarks/nothing.py"),
        ("python -m tools.nothing", "tools.nothing"),
    ],
)
def test_what_commands_name_and_does_not_exist_is_found(
    code: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = problems(code, capsys)
    assert bool(found) == bool(named)
    assert all(named in problem for problem in found)
