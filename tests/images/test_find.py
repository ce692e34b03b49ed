import os
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from numpyclip.errors import InputError, PictureError
from numpyclip.images import find
from numpyclip.images.find import find_pictures, summary


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def names(folder: Path, **options: object) -> list[str]:
    return [Path(path).relative_to(folder).as_posix() for path in find_pictures(folder, **options)]  # type: ignore[arg-type]


def test_pictures_are_found_in_the_order_of_their_names_as_the_folder_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "a", "b.jpg", "B.PNG", "c/d.webp", "b/e.gif", "z.jpg")
    assert names(tmp_path / "a") == ["B.PNG", "b.jpg", "z.jpg", "b/e.gif", "c/d.webp"]
    monkeypatch.chdir(tmp_path)
    assert list(find_pictures("./a/b")) == [f"./a/b{os.sep}e.gif"]
    assert list(find_pictures([Path("a/b"), "a/c"])) == [str(Path("a/b/e.gif")), f"a/c{os.sep}d.webp"]


@pytest.mark.parametrize(
    "folder",
    [
        *("@eaDir", "#recycle", "@Recycle", "$RECYCLE.BIN", "$Recycle.Bin", ".Trash-1000", ".Trashes", "#snapshot"),
        *(".@__thumb", "__MACOSX", "node_modules", "lost+found", "System Volume Information", "a Previews.lrdata"),
        ".thumbnails",
    ],
)
def test_folders_that_hold_copies_are_left_out(tmp_path: Path, folder: str) -> None:
    fill(tmp_path, "a.jpg", f"{folder}/copy.jpg", f"photos/{folder}/a.jpg/copy.jpg", ".hidden.jpg")
    assert names(tmp_path) == ["a.jpg"]
    assert names(tmp_path / folder) == ["copy.jpg"]  # unless it is named


def test_more_may_be_ignored(tmp_path: Path) -> None:
    fill(
        tmp_path,
        ".hidden.jpg",
        "@eaDir/a.jpg",
        "a.jpg",
        "a.tif",
        "raw/a.jpg",
        "out/a.jpg",
        "b/x_small.jpg",
        "b/x.jpg",
        "x_small.jpg",
    )
    ignore = ("*.tif", "raw", "b/*_small.jpg", "/out")
    assert names(tmp_path, ignore=ignore) == ["a.jpg", "x_small.jpg", "b/x.jpg"]
    assert names(tmp_path, ignore="?*") == []
    assert names(tmp_path / "b", ignore="x.jpg") == ["x_small.jpg"]


@pytest.mark.parametrize("wrong", [5, None, b"photos"])
def test_what_is_no_path_is_refused_at_once(wrong: object) -> None:
    with pytest.raises(InputError, match=r"paths: found .*; expected a path, or an iterable of paths"):
        find_pictures(wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"ignore is .*; expected a pattern"):
        find_pictures("photos", ignore=[wrong])  # type: ignore[list-item]


def test_what_is_searched_is_shown() -> None:
    assert repr(find_pictures("docs")) == "FoundPictures(['docs'])"


@pytest.mark.parametrize("suffix", ["hif", "HIF", "heif", "heic", "mpo", "jfif", "jpe", "avif"])
def test_suffixes_of_cameras_and_browsers_are_known(tmp_path: Path, suffix: str) -> None:
    assert names(fill(tmp_path, f"DSC00001.{suffix}")) == [f"DSC00001.{suffix}"]


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The packages that are there besides Pillow."""
    there = {"pillow_jxl", "rawpy"}
    monkeypatch.setattr(find, "find_spec", lambda name: name if name in there else None)
    find.picture_suffixes.cache_clear()
    yield there
    find.picture_suffixes.cache_clear()


def test_jpeg_xl_and_raw_files_are_pictures_where_what_reads_them_is_there(readers: set[str], tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg", "b.jxl", "c.CR3", "d.nef")
    assert names(tmp_path) == ["a.jpg", "b.jxl", "c.CR3", "d.nef"]
    readers.clear()
    find.picture_suffixes.cache_clear()
    found = find_pictures(tmp_path)
    assert [Path(path).name for path in found] == ["a.jpg"]
    assert found.left_out == {".jxl": 1, ".cr3": 1, ".nef": 1}
    assert summary(found.left_out).endswith('1 .nef (RAW: pip install "numpyclip[raw]")')


@pytest.mark.usefixtures("readers")
def test_a_raw_file_beside_its_jpeg_is_left_out(tmp_path: Path) -> None:
    fill(
        tmp_path,
        *(
            "IMG_1.JPG",
            "IMG_1.cr2",
            "img_1.DNG",
            "IMG_2.CR2",
            "IMG_2 edited.jpg",
            "b/IMG_2.JPG",
            "IMG_3.nef",
            "IMG_3.png",
        ),
        *("PXL_20240501_123000123.RAW-01.COVER.jpg", "PXL_20240501_123000123.RAW-02.ORIGINAL.dng", "c.HIF", "c.arw"),
    )
    found = find_pictures(tmp_path)
    assert [Path(path).name for path in found] == [
        *("IMG_1.JPG", "IMG_2 edited.jpg", "IMG_2.CR2", "IMG_3.nef", "IMG_3.png"),
        *("PXL_20240501_123000123.RAW-01.COVER.jpg", "c.HIF", "IMG_2.JPG"),
    ]
    assert found.left_out == {"RAW beside a JPEG": 4}
    assert list(find_pictures(tmp_path / "IMG_1.cr2")) == [str(tmp_path / "IMG_1.cr2")]  # named outright


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_only_regular_files_are_pictures(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "link to pipe.jpg").symlink_to("pipe.jpg")
    (tmp_path / "link to nothing.jpg").symlink_to("nothing.jpg")
    (tmp_path / "link.jpg").symlink_to("a.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "link to folder.jpg").symlink_to("folder.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "socket.jpg"))
        found = find_pictures(tmp_path)
        assert [Path(path).name for path in found] == ["a.jpg", "link.jpg"]
    assert found.left_out == {"not regular": 4}


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    fill(tmp_path, "a/b.jpg")
    (tmp_path / "a" / "again").symlink_to(tmp_path / "a")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert names(tmp_path) == ["a/b.jpg"]
    assert names(tmp_path / "link") == ["b.jpg"]


def test_what_is_left_out_is_counted_by_suffix_each_time(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg", *(f"{n}.PSD" for n in range(9)), "b/1.txt", "b/2.txt", "b/3.txt", ".hidden", "@eaDir/a.txt")
    found = find_pictures(tmp_path)
    for _ in range(2):
        assert len(list(found)) == 1
        assert found.left_out == {".psd": 9, ".txt": 3}
    assert summary(found.left_out) == "12 files left out: 9 .psd, 3 .txt"
    assert summary({"without suffix": 1}) == "1 file left out: 1 without suffix"
    assert summary(Counter({f".{n}": 20 - n for n in range(10)})).endswith("13 .7, 23 others")


def test_what_is_named_outright_is_given_back_whatever_it_is(tmp_path: Path) -> None:
    paths = [str(tmp_path / "missing"), str(fill(tmp_path, "a.dng") / "a.dng")]
    assert list(find_pictures(paths)) == paths
    assert list(find_pictures(Path(paths[0]))) == paths[:1]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is closed to this user")
def test_folders_that_cannot_be_listed_are_raised_or_told(tmp_path: Path) -> None:
    fill(tmp_path, "a/closed/a.jpg", "b.jpg")
    (tmp_path / "a" / "closed").chmod(0)
    _check_closed(tmp_path)


def test_folders_that_went_away_are_raised_or_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a/closed/a.jpg", "b.jpg")
    scandir = os.scandir

    def closed(path: str) -> object:
        if path.endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    _check_closed(tmp_path)


def _check_closed(folder: Path) -> None:
    told: list[PictureError] = []
    with pytest.raises(PictureError, match=r"closed: cannot be read \(Permission denied\)\.$"):
        list(find_pictures(folder))
    assert names(folder, on_error="skip") == names(folder, on_error=told.append) == ["b.jpg"]
    assert len(told) == 1
    with pytest.raises(InputError, match="on_error is 'ignore'; expected"):
        find_pictures(folder, on_error="ignore")  # type: ignore[arg-type]
