"""docs/reference/index-format.md has the tables, columns, keys and files of an index."""

import ast
import re
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.image_marks import KINDS
from numpyclip.index import Index
from numpyclip.index.database.schema import (
    APPLICATION_ID,
    POSTGRES,
    POSTGRES_VERSION,
    SQLITE,
    VERSION,
)
from numpyclip.index.vectors.shards import VECTOR_DTYPES, Shards
from tests.test_messages import MODULES, tree

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "index-format.md").read_text("utf-8")


def section(title: str) -> str:
    found = re.search(rf"^#+ {title}\n(.*?)(?=^#|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


def first_cells(text: str) -> list[str]:
    return [name for cell in re.findall(r"^\| (`.+?) \|", text, re.MULTILINE) for name in re.findall("`([^`]+)`", cell)]


def sqlite_tables() -> dict[str, list[str]]:
    connection = sqlite3.connect(":memory:")
    connection.executescript(SQLITE)
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")] for name in names}
    connection.close()
    return found


def test_the_tables_and_columns_are_those_of_sqlite() -> None:
    tables = sqlite_tables()
    assert set(re.findall(r"^### (\w+)$", PAGE, re.MULTILINE)) == tables.keys()
    for name, columns in tables.items():
        listed = first_cells(section(name).partition("\n| key |")[0])
        assert set(listed) - {"embedding"} == set(columns), name


def test_the_tables_and_columns_are_those_of_postgresql() -> None:
    found = dict(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+) \((.*?)\)(?=;)", POSTGRES, re.DOTALL))
    assert found.keys() == sqlite_tables().keys()
    for name, text in found.items():
        columns = re.findall(r"(?:^|,)\s*([a-z_]+) [a-z]", re.sub(r"PRIMARY KEY \(.*", "", text), re.IGNORECASE)
        listed = first_cells(section(name).partition("\n| key |")[0])
        assert set(listed) - {"row"} == set(columns), name


def test_the_keys_of_meta_are_those_that_the_code_uses() -> None:
    used = set()
    for path in MODULES:
        for node in ast.walk(tree(path)):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and called in ("meta", "number", "set_meta", "database.create"):
                used |= {each.value for each in node.args[1:] if isinstance(each, ast.Constant)}
                used |= {word.arg for word in node.keywords if word.arg}
    listed = first_cells(section("meta").partition("\n| key |")[2])
    assert {name for name in listed if name != "model …"} == used


def test_the_kinds_of_marks_and_the_versions_are_those_of_the_code() -> None:
    assert all(f"`{kind}`" in section("marks") for kind in KINDS)
    assert f"0x{APPLICATION_ID:X}" in PAGE
    assert str(APPLICATION_ID) in section("PostgreSQL")
    assert re.findall(r"^\| (\d+) \| (\d+) \|", section("Versions"), re.MULTILINE)[-1] == (
        str(VERSION),
        str(POSTGRES_VERSION),
    )


@pytest.mark.parametrize("precision", VECTOR_DTYPES)
def test_rows_have_the_size_that_the_page_says(precision: str, tmp_path: Path) -> None:
    rows = np.eye(3, 40, dtype=np.float32)
    Shards(tmp_path, 40, precision).write(0, rows)  # type: ignore[arg-type]
    (cell,) = re.findall(rf"^\| `\.{precision}` \| (.+?) \|", PAGE, re.MULTILINE)
    factor, more = re.fullmatch(r"(\d?) ?\*d\*(?: \+ (\d+))?", cell).groups()  # type: ignore[union-attr]
    file = tmp_path / f"000000.{precision}"
    assert file.stat().st_size == 3 * (int(factor or 1) * 40 + int(more or 0))
    assert file.with_name(f"{file.name}-checksums").stat().st_size == 3 * 8


def test_every_file_of_an_index_is_on_the_page(tiny: CLIP, photos: Path, tmp_path: Path) -> None:
    index = Index(tmp_path / "index", tiny, create=True, vectors="int8")
    index.update(photos)
    index.add_texts(["a dog"])
    index.close()
    listed = first_cells(section("Files of a folder"))
    files = (file for file in (tmp_path / "index").rglob("*") if file.is_file())
    names = {file.relative_to(tmp_path / "index").as_posix() for file in files}
    described = {f"{name}-checksums" for name in listed} | {*listed}  # quantized copies have them, too
    assert {name.replace("texts", "pictures") for name in names} <= described
