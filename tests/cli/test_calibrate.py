"""`numpyclip index --calibrate`: what it reads, says and leaves behind."""

import json
from pathlib import Path

import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.index import Index
from tests.cli.conftest import Run


@pytest.fixture
def queries(album: Path) -> Path:
    file = album.parent / "queries.csv"
    file.write_text(
        "Query,path,folder\n"
        f"a bird,{album / 'bird.png'},\n"
        f"a camera,,{album / 'sub'}\n"
        f"a building,{album / 'house.PNG'},\n"
        "\n"
        f"a building,{album / 'house.PNG'},\n",
        encoding="utf-8",
    )
    return file


def test_an_index_is_calibrated_and_goes_back(run: Run, store: Path, queries: Path) -> None:
    before = run("search", "a house", "--store", store)
    status, out, err = run("index", "--calibrate", queries, "--store", store)
    assert (status, out) == (0, "")
    assert err.splitlines()[:2] == [
        "numpyclip: fitted to 3 queries with 3 right images, of 3 in the index; for 3 queries one of these is among "
        "the first 20",
        "numpyclip: cross-validated: each query by a calibration fitted to the others (in parentheses: by the default)",
    ]
    assert "calibration error 0." in err
    assert "%" in err
    after = run("search", "a house", "--store", store)
    assert (before.status, after.status) == (0, 0)
    assert after.out != before.out
    assert ", calibrated, " in run("index", "--list", "--store", store).out
    assert json.loads(run("index", "--list", "--json", "--store", store).out)["calibrated"]
    assert run("index", "--no-calibration", "--store", store) == (0, "", "numpyclip: removed\n")
    assert run("search", "a house", "--store", store) == before
    assert run("index", "--no-calibration", "--store", store) == (1, "", "numpyclip: there is no calibration\n")


def test_a_tag_names_pictures(run: Run, store: Path, queries: Path, album: Path, tiny: CLIP) -> None:
    content = queries.read_text("utf-8").replace("folder\n", "folder,tag\n")
    queries.write_text(f"{content}a building,,,sights\n", "utf-8")
    status, _, err = run("index", "--calibrate", queries, "--store", store)
    assert (status, err) == (2, "numpyclip: 'a building': the index has no image with tag sights.\n")
    with Index(store, tiny) as index, index.store.writing():
        (bird,) = (match for match in index.search("a bird") if match.path == str(album / "bird.png"))
        assert bird.digest is not None
        index.store.mark([bird.digest], "tag", "sights")
    record = json.loads(run("index", "--calibrate", queries, "--json", "--store", store).out)
    assert (record["queries"], record["right"]) == (3, 3)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_columns_are_separated_as_spreadsheets_do(run: Run, store: Path, queries: Path, separator: str) -> None:
    queries.write_text(queries.read_text("utf-8").replace(",", separator), "utf-8")
    record = json.loads(run("index", "--calibrate", queries, "--json", "--store", store).out)
    assert (record["queries"], record["right"]) == (3, 3)


def test_what_is_worse_than_the_default_is_said_and_not_kept(run: Run, store: Path, album: Path, queries: Path) -> None:
    queries.write_text(
        f"query,path\nbird,{album / 'bird.png'}\ncamera,{album / 'sub'}\nhouse,{album / 'sub'}\n", "utf-8"
    )
    result = run("index", "--calibrate", queries, "--store", store)
    assert result.status == 1
    assert "worse than the default, so not stored" in result.err
    assert "calibrated" not in run("index", "--list", "--store", store).out


def test_json_has_the_same(run: Run, store: Path, queries: Path) -> None:
    record = json.loads(run("index", "--calibrate", queries, "--json", "--store", store).out)
    assert (record["queries"], record["right"], record["pictures"], record["shown"]) == (3, 3, 3, 3)
    assert record["is_better"]
    for when in ("before", "after"):
        assert set(record[when]) == {"error", "hidden", "passed"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has the columns none; expected query, and path, folder or tag"),
        ("query,pictures\na,b\n", "has the columns query, pictures; expected"),
        ("path,folder\na,b\n", "has the columns path, folder; expected"),
        ("query,path\n,bird.png\n", "line 2 has no query"),
        ("query,path,Path \na,b,c\n", "has a column twice (query, path, Path ); expected a row for each image"),
        ("query,path\na bird\n", "line 2 has no images"),
        ('query,path\n"a bird,b\n', "is not a CSV file"),
        ("query,path\na bird,bird.png\n", "queries: 1; expected 3 at least"),
        ("query,path\na,bird.png\nb,sub\nc,lost.png\n", "lost.png is not in the index"),
        ("query,path\na,bird.png\nb,sub\nc,.\n", "'c': all images of the index are right"),
    ],
)
def test_files_that_are_refused(
    run: Run, store: Path, album: Path, monkeypatch: pytest.MonkeyPatch, content: str, message: str
) -> None:
    monkeypatch.chdir(album)
    file = album.parent / "queries.csv"
    file.write_text(content, encoding="utf-8")
    status, out, err = run("index", "--calibrate", file, "--store", store)
    assert (status, out) == (2, "")
    assert message in err
    assert run("index", "--no-calibration", "--store", store).status == 1


def test_the_file_is_checked_before_the_model_is_loaded(run: Run, store: Path, queries: Path) -> None:
    options = ("--store", store, "-m", store / "none")
    assert "was made with tiny, not with" in run("index", "--calibrate", queries, *options).err
    for content, message in (("query,path\n,a.jpg\n", "no query"), ("query,path\na,b\n", "1; expected 3")):
        queries.write_text(content, encoding="utf-8")
        assert message in run("index", "--calibrate", queries, *options).err
    assert "none.csv: cannot be read" in run("index", "--calibrate", store / "none.csv", *options).err


def test_it_goes_with_nothing_else(run: Run, store: Path, album: Path, queries: Path) -> None:
    status, _, err = run("index", album, "--calibrate", queries, "--store", store)
    assert (status, "FOLDER cannot be combined with this option" in err) == (2, True)
    assert run("index", "--calibrate", queries, "--graph", "--store", store).status == 2
    status, _, err = run("index", "--calibrate", album / "gone.csv", "--store", store)
    assert (status, "gone.csv: cannot be read" in err) == (2, True)
