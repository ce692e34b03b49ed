import errno
import json
import os
from pathlib import Path

import pytest
from PIL import Image

from numpyclip.image_marks import Marks
from numpyclip.xmp.packet import Packet
from numpyclip.xmp.properties import with_marks
from tests.cli.conftest import Run
from tests.index.conftest import empty_postgres, postgres, server_of
from tests.picture_files import with_xmp
from tests.videos.made_videos import RED, scenes, write_video
from tests.xmp.test_packet import LIGHTROOM

__all__ = ["empty_postgres", "postgres", "server_of"]


@pytest.fixture
def indexed(run: Run, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The album, in an index that is the default one."""
    return filled(run, album, str(tmp_path / "index"), monkeypatch)


def filled(run: Run, album: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    (album / "broken.jpg").unlink()
    for text in album.rglob("*.txt"):
        text.unlink()
    monkeypatch.setenv("NUMPYCLIP_INDEX", place)
    assert run("index", album, "-m", "tiny").status == 0
    return album


def rows(out: str) -> list[list[str]]:
    return [line.split("\t") for line in out.splitlines()]


def test_images_are_marked_and_marks_are_listed_and_removed(run: Run, indexed: Path) -> None:
    bird = indexed / "bird.png"
    result = run("mark", bird, "--favourite", "--rating", "4", "--tag", "a/b", "--tag", "c", "--album", "Italy 2024")
    assert result == (0, "", "numpyclip: 1 image marked.\n")
    assert run("mark", indexed, "--tag", "c").err == "numpyclip: 3 images marked.\n"
    assert rows(run("mark", "--list").out) == [
        *(["1", "favourite", ""], ["1", "rating", "4"], ["1", "tag", "a/b"], ["3", "tag", "c"]),
        ["1", "album", "Italy 2024"],
    ]
    assert rows(run("mark", bird).out) == [[str(bird), "album Italy 2024", "favourite", "rating 4", "tag a/b", "tag c"]]
    result = run("mark", indexed, "--remove", "--tag", "a/b", "--favourite", "--album", "Italy 2024")
    assert result == (0, "", "numpyclip: marks removed from 1 image of 3.\n")
    assert run("mark", bird, "--rating", "0").status == 0
    (found,) = map(json.loads, run("mark", bird, "--json").out.splitlines())
    assert {key: found[key] for key in found.keys() - {"sha256"}} == {"path": str(bird), "tags": ["c"]}
    (counted,) = map(json.loads, run("mark", "--list", "--json").out.splitlines())
    assert counted == {"kind": "tag", "name": "c", "count": 3}


def test_marks_stay_with_the_content_of_images(run: Run, indexed: Path) -> None:
    run("mark", indexed / "bird.png", "--tag", "bird")
    (indexed / "bird.png").rename(indexed / "renamed.png")
    assert rows(run("mark", indexed / "renamed.png").out) == [[str(indexed / "renamed.png"), "tag bird"]]
    run("index")
    assert rows(run("mark", "--list").out) == [["1", "tag", "bird"]]


def test_marks_follow_an_image_that_was_changed_and_stay_with_what_it_was(run: Run, indexed: Path) -> None:
    bird = indexed / "bird.png"
    run("mark", bird, "--tag", "bird")
    assert run("mark", "--list").err == ""
    content = bird.read_bytes()
    Image.open(bird).rotate(90).save(bird)
    run("index")
    result = run("mark", "--list")
    assert (rows(result.out), result.status) == ([["1", "tag", "bird"]], 0)
    assert "marks of 1 image not in the index (removed, or changed by another program) are kept" in result.err
    bird.write_bytes(content)
    run("index")
    assert rows(run("mark", "--list").out) == [["1", "tag", "bird"]]


def test_what_a_search_finds_is_marked_and_marks_are_taken_back(run: Run, indexed: Path) -> None:
    run("mark", indexed, "--rating", "3")
    paths = run("search", "--rating", "3", "--paths", "-n", "2").out.encode()
    assert run("mark", "-", "--album", "x", stdin=paths).err == "numpyclip: 2 images marked.\n"
    assert rows(run("mark", "--list").out) == [["3", "rating", "3"], ["2", "album", "x"]]
    assert run("mark", "-", "--remove", "--album", "x", stdin=paths).status == 0
    assert rows(run("mark", "--list").out) == [["3", "rating", "3"]]


def test_paths_come_from_a_pipe_and_what_is_not_in_the_index_is_told(run: Run, indexed: Path, tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "other.png")
    paths = f"{indexed / 'bird.png'}\n{tmp_path / 'other.png'}\n{tmp_path / 'none.png'}\n"
    result = run("mark", "-", "--tag", "x", stdin=paths.encode())
    assert result.status == 3
    assert "other.png: is not in the index; add it first: numpyclip index FOLDER." in result.err
    assert f"none.png: cannot be read ({os.strerror(errno.ENOENT)}).\n" in result.err
    assert "1 image marked" in result.err
    assert run("mark", tmp_path / "none.png", "--tag", "x").status == 2


def test_of_a_folder_what_the_index_has_in_it_is_marked(run: Run, indexed: Path, tmp_path: Path) -> None:
    (indexed / "notes.txt").write_text("no picture")
    (indexed / "broken.jpg").write_bytes(b"no picture")
    run("index")
    result = run("mark", indexed, "--tag", "x")
    assert (result.status, result.err) == (0, "numpyclip: 3 images marked.\n")
    (tmp_path / "link").symlink_to(indexed)
    assert rows(run("mark", tmp_path / "link").out)[0] == [str(tmp_path / "link" / "bird.png"), "tag x"]
    (tmp_path / "empty").mkdir()
    empty = run("mark", tmp_path / "empty", "--tag", "x")
    assert empty.status == 2
    assert "empty: the index has no images in this folder; add them first" in empty.err


def test_videos_of_a_folder_are_marked(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("av", reason="the extra numpyclip[video] is not installed")
    monkeypatch.setenv("NUMPYCLIP_INDEX", str(tmp_path / "index"))
    (tmp_path / "photos").mkdir()
    write_video(tmp_path / "photos" / "clip.mp4", scenes((2, RED)))
    run("index", tmp_path / "photos", "-m", "tiny")
    assert run("mark", tmp_path / "photos", "--tag", "x").err == "numpyclip: 1 image marked.\n"


def test_paths_may_end_in_null_bytes_as_search_prints_them(run: Run, indexed: Path) -> None:
    (indexed / "bird.png").rename(indexed / "a\nb.png")
    run("index")
    paths = run("search", "--folder", indexed, "--paths", "-0").out.encode()
    assert paths.count(b"\0") == 3
    assert run("mark", "-", "--tag", "x", stdin=paths).err == "numpyclip: 3 images marked.\n"
    assert run("mark", "-", "--read-xmp", stdin=paths.rstrip(b"\0")).status == 0
    assert run("tag", "-", "-m", "tiny", "--no-index", stdin=paths).status == 0
    damaged = run("mark", "-", "--tag", "x", stdin=b"a\n" * 9000 + b"x\0y\n")
    assert damaged.status == 2
    assert r"x\x00y: cannot be read (" in damaged.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to mark"),
        (["--tag", "x"], "nothing to mark"),
        (["a.png", "--tag", "a//b"], "has an empty level"),
        (["a.png", "--tag", ""], "expected a name"),
        (["a.png", "--rating", "6"], "invalid choice|unknown"),
        (["a.png", "--album", "a\nb"], "without control characters"),
        (["a.png", "--remove"], "--remove has nothing to do"),
        (["a.png", "--yes"], "--yes has nothing to do"),
        (["a.png", "--list"], "about all images"),
        (["--export-json", "a.json", "--tag", "x"], "about all images"),
        (["--export-json", "a.json", "--list"], "not allowed with"),
    ],
)
def test_what_cannot_be_meant_is_an_error(words: list[str], said: str, run: Run, indexed: Path) -> None:
    result = run("mark", *words)
    assert (result.status, result.out) == (2, "")
    assert any(part in result.err for part in said.split("|"))


def test_marks_are_exported_and_imported(
    run: Run, indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("mark", indexed / "bird.png", "--favourite", "--rating", "5", "--tag", "a/b", "--album", "B")
    run("mark", indexed / "house.PNG", "--rating", "2")
    file = tmp_path / "marks.json"
    assert run("mark", "--export-json", file).status == 0
    content = json.loads(file.read_text())
    assert json.loads(run("mark", "--export-json", "-").out) == content
    assert (content["format"], content["version"]) == ("numpyclip-marks", 1)
    by_path = {Path(image["paths"][0]).name: image for image in content["images"]}
    assert by_path["bird.png"] | {"sha256": 0, "paths": 0} == {
        "sha256": 0,
        "paths": 0,
        "favourite": True,
        "rating": 5,
        "tags": ["a/b"],
        "albums": ["B"],
    }
    monkeypatch.setenv("NUMPYCLIP_INDEX", str(tmp_path / "second"))
    Image.open(indexed / "house.PNG").save(indexed / "house.PNG", compress_level=0)  # another content
    (indexed / "bird.png").rename(tmp_path / "bird.png")
    run("index", indexed, "-m", "tiny")
    assert "2 images added: 1 found by their paths, 1 not in the index yet" in run("mark", "--import-json", file).err
    assert rows(run("mark", indexed / "house.PNG").out) == [[str(indexed / "house.PNG"), "rating 2"]]
    (tmp_path / "bird.png").rename(indexed / "back.png")
    run("index")
    assert rows(run("mark", "--list").out)[0] == ["1", "favourite", ""]
    assert json.loads(run("mark", "--import-json", file, "--json").out) == {"images": 2, "by_path": 1, "unknown": 0}
    content["images"][0]["paths"] = ["/\ud800.jpg"]  # which no path can be
    file.write_text(json.dumps(content))
    assert run("mark", "--import-json", file).status == 0


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ({"sha256": "12"}, "expected 64 hexadecimal digits"),
        ({"sha256": 5}, "image 1: "),
        ({"sha256": "xy" * 32}, "expected 64 hexadecimal digits"),
        ({"sha256": "0" * 64, "rating": "4"}, "rating is '4'; expected an integer from 1 to 5"),
        ({"tags": ["a"]}, "lacks 'sha256'"),
        (7, "expected an object"),
        ({"sha256": "0" * 64, "tags": "beach"}, "expected a list of strings"),
        ({"sha256": "0" * 64, "rating": 9}, "image 1: "),
        ({"sha256": "0" * 64, "rating": [4]}, "image 1: "),
        ({"sha256": "0" * 64, "rating": float("nan")}, "rating is nan"),
        ({"sha256": "0" * 64, "favourite": "yes"}, "favourite is 'yes'; expected true or false"),
        ({"sha256": "0" * 64, "tags": ["a//b"]}, "tag 'a//b' has an empty level"),
        ({"sha256": "0" * 64, "paths_bytes": 5}, "paths_bytes is 5; expected a list of strings"),
        ({"sha256": "0" * 64, "paths_bytes": ["*"]}, "image 1: "),
        ({"sha256": "0" * 64, "rating": "9" * 5000}, "expected an integer from 1 to 5"),
        ({"sha256": "0" * 64, "albums": [""]}, "image 1: "),
    ],
)
def test_a_file_that_is_wrong_adds_nothing(image: object, said: str, run: Run, indexed: Path, tmp_path: Path) -> None:
    (tmp_path / "marks.json").write_text(json.dumps({"format": "numpyclip-marks", "version": 1, "images": [image]}))
    result = run("mark", "--import-json", tmp_path / "marks.json")
    assert (result.status, result.out) == (2, "")
    assert said in result.err
    for content in ("{", "[]", "[" * 100_000, "{}", '{"format": "numpyclip-marks", "version": 2, "images": []}'):
        (tmp_path / "marks.json").write_text(content)
        assert run("mark", "--import-json", tmp_path / "marks.json").status == 2


def test_marks_are_written_into_sidecars_and_not_without_yes(run: Run, indexed: Path) -> None:
    bird, sidecar = indexed / "bird.png", indexed / "bird.png.xmp"
    before = {path: path.read_bytes() for path in indexed.rglob("*.*")}
    run("mark", bird, "--rating", "4", "--tag", "a/b")
    result = run("mark", "--write-xmp")
    assert result.out == f"{bird}\t{sidecar}\trating 4, +a/b\n"
    assert "a dry run, 1 sidecar would be written; add --yes to do it." in result.err
    assert not sidecar.exists()
    assert run("mark", "--write-xmp", "--yes").status == 0
    assert b"<rdf:li>a/b</rdf:li>" in sidecar.read_bytes()
    assert run("mark", "--write-xmp", "--yes") == (0, "", "numpyclip: 0 sidecars written.\n")
    run("mark", bird, "--remove", "--tag", "a/b", "--rating", "4", "--write-xmp", "--yes")
    assert {path: path.read_bytes() for path in indexed.rglob("*.*")} == before


def test_marks_of_other_programs_are_read_and_theirs_are_kept(run: Run, indexed: Path) -> None:
    sidecar = indexed / "house.xmp"
    sidecar.write_bytes(LIGHTROOM.encode())
    (indexed / "bird.png.xmp").write_text("<broken")
    result = run("mark", indexed, "--read-xmp")
    assert result.status == 3
    assert "bird.png.xmp: is no XMP" in result.err
    assert "1 with new marks" in result.err
    assert rows(run("mark", "--list").out) == [
        ["1", "rating", "3"],
        ["1", "tag", "Familie & Freunde"],
        ["1", "tag", "Zürich"],
    ]
    assert run("mark", indexed / "house.PNG", "--tag", "new", "--write-xmp", "--yes").status == 0
    written = sidecar.read_text("utf-8")
    assert "<rdf:li>new</rdf:li>" in written
    assert LIGHTROOM[LIGHTROOM.index("<xmpMM:History>") : LIGHTROOM.index("</crs:Look>")] in written
    assert run("mark", indexed / "bird.png", "--tag", "x", "--write-xmp", "--yes").status == 3
    assert (indexed / "bird.png.xmp").read_text() == "<broken"
    assert not (indexed / "house.PNG.xmp").exists()


def test_a_sidecar_wins_over_the_image_and_what_can_be_no_mark_is_told(run: Run, indexed: Path) -> None:
    jpeg, sidecar = indexed / "a.jpg", indexed / "a.jpg.xmp"
    Image.new("RGB", (32, 32), "green").save(jpeg)
    inside = with_marks(Packet(), Marks(rating=3, tags=("inside", "Zürich")))
    jpeg.write_bytes(with_xmp(jpeg.read_bytes(), inside))
    run("index")
    beside = with_marks(Packet(), Marks(tags=("beside", "x" * 201)))
    rated = beside.replace(
        b"<rdf:Description", b'<rdf:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="0"'
    )
    sidecar.write_bytes(rated.replace(b"beside", "Zu\u0308rich".encode()))
    result = run("mark", jpeg, "--read-xmp")
    assert result.status == 3
    assert "a.jpg: in its XMP, tag is 'xxx" in result.err
    assert rows(run("mark", jpeg).out) == [[str(jpeg), "tag Zürich", "tag inside"]]
    assert "1 image read, 0 with new marks" in run("mark", jpeg, "--read-xmp").err


def test_without_images_all_of_the_index_are_meant_each_once(run: Run, indexed: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="the extra numpyclip[parquet] is not installed")
    assert run("index", indexed / "sub").status == 0
    run("mark", indexed, "--tag", "x")
    assert "3 sidecars would be written" in run("mark", "--write-xmp").err
    assert run("index", "--export", tmp_path / "exported").status == 0
    run("index", "--import", tmp_path / "exported", "-m", "tiny", "--store", tmp_path / "imported")
    assert run("mark", indexed, "--tag", "x", "--store", tmp_path / "imported").status == 0
    assert "3 sidecars would be written" in run("mark", "--write-xmp", "--store", tmp_path / "imported").err


def test_new_sidecars_may_be_called_as_those_of_adobe(run: Run, indexed: Path) -> None:
    run("mark", indexed / "bird.png", "--tag", "x", "--write-xmp", "--yes", "--xmp-name", "replace")
    assert (indexed / "bird.xmp").exists()
    (found,) = map(
        json.loads, run("mark", indexed / "bird.png", "--tag", "y", "--write-xmp", "--json").out.splitlines()
    )
    assert found["sidecar"] == str(indexed / "bird.xmp")
    assert (found["changes"], found["written"]) == (["+y"], False)


def test_marks_in_postgresql(
    run: Run, album: Path, tmp_path: Path, empty_postgres: str, gazetteer: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (47, 22, 0), 3: "E", 4: (8, 33, 0)}
    Image.new("RGB", (32, 32), "green").save(album / "zurich.jpg", exif=exif)
    filled(run, album, empty_postgres, monkeypatch)
    town, bird, file = album / "zurich.jpg", album / "bird.png", tmp_path / "marks.json"
    assert run("mark", bird, town, "--favourite", "--rating", "4", "--tag", "a/b", "--album", "B").status == 0
    assert run("mark", bird, "--remove", "--favourite").status == run("mark", bird, "--rating", "2").status == 0
    assert rows(run("mark", bird, town).out) == [
        [str(bird), "album B", "rating 2", "tag a/b"],
        [str(town), "album B", "favourite", "rating 4", "tag a/b"],
    ]
    for words in (
        ["--place", "Zurich"],
        ["--place", "Switzerland"],
        ["--rating", "3"],
        ["--favourite", "--album", "B"],
    ):
        assert run("search", *words, "--paths").out == f"{town}\n"
    assert run("mark", "--write-xmp", "--yes").err == "numpyclip: 2 sidecars written.\n"
    assert run("mark", "--export-json", file).status == 0
    assert run("mark", album, "--remove", "--tag", "a/b", "--album", "B", "--favourite").status == 0
    assert run("mark", album, "--rating", "0").status == 0
    assert run("mark", "--list") == (0, "", "")
    assert "3 images read, 2 with new marks" in run("mark", bird, town, album / "house.PNG", "--read-xmp").err
    by_xmp = json.loads(run("mark", "--export-json", "-").out)
    assert by_xmp == json.loads(file.read_text())
    for _ in range(2):
        assert run("mark", "--import-json", file).status == 0
        assert json.loads(run("mark", "--export-json", "-").out) == by_xmp
