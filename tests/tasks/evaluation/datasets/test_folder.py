import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from PIL import Image

from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.tasks.evaluation.datasets.open_dataset import open_dataset


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(folder / name)
    return folder


def test_folders_are_classes_in_alphabetical_order(tmp_path: Path) -> None:
    fill(tmp_path, "dog/b.png", "dog/deep/a.png", "cat/a.png", ".hidden/a.png", "dog/.hidden.png")
    (tmp_path / "dog" / "notes.md").write_text("x")
    dataset = open_dataset(tmp_path)
    assert dataset.label_names == ["cat", "dog"]
    problems: list[NumPyCLIPError] = []
    found = [(Path(e.name).relative_to(tmp_path).as_posix(), e.label) for e in dataset.examples(problems.append)]
    assert found == [("cat/a.png", "cat"), ("dog/b.png", "dog"), ("dog/deep/a.png", "dog")]
    assert problems == []


def test_captions_lie_beside_pictures(tmp_path: Path) -> None:
    fill(tmp_path, "a.png", "b.jpg", "c.png")
    (tmp_path / "a.txt").write_bytes("\ufeffone\r\n\r\n two \n".encode())
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe")
    problems: list[NumPyCLIPError] = []
    (example,) = open_dataset(tmp_path).examples(problems.append)
    assert (example.label, example.captions) == (None, ("one", "two"))
    assert ["b.txt: line 1 is not UTF-8" in str(p) or "neither a class nor captions" in str(p) for p in problems] == [
        True
    ] * 3


def test_a_class_without_pictures_is_told(tmp_path: Path) -> None:
    fill(tmp_path, "dog/b.png")
    (tmp_path / "cat").mkdir()
    problems: list[NumPyCLIPError] = []
    dataset = open_dataset(tmp_path)
    assert [e.label for e in dataset.examples(problems.append)] == ["dog"]
    assert dataset.label_names == ["cat", "dog"]
    assert "found no images" in str(problems[0])


def test_what_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file or folder"):
        open_dataset(tmp_path / "nowhere")
    (tmp_path / "a.zip").write_bytes(b"")
    with pytest.raises(InputError, match=r"is not a dataset; expected a folder, or a file that ends in \.tar"):
        open_dataset(tmp_path / "a.zip")


def test_hidden_folders_and_files_are_left_out_at_every_depth(tmp_path: Path) -> None:
    names = ["dog/b.png", "dog/.hid/a.png", "dog/a/.hid/a.png", "dog/a/.a.png", ".git/a.png", "@eaDir/a.png"]
    fill(tmp_path, *names, ".top.png")
    dataset = open_dataset(tmp_path)
    assert dataset.label_names == ["dog"]
    found = [
        Path(e.name).relative_to(tmp_path).as_posix()
        for e in dataset.examples(lambda problem: pytest.fail(str(problem)))
    ]
    assert found == ["dog/b.png"]


def test_hidden_folders_beside_captioned_pictures_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path, "b.png", ".a.png", ".hid/c.png", "@eaDir/c.png")
    for name in ("b", ".a", ".hid/c"):
        (tmp_path / f"{name}.txt").write_text(name)
    dataset = open_dataset(tmp_path)
    assert dataset.label_names == []
    assert [e.captions for e in dataset.examples(lambda problem: pytest.fail(str(problem)))] == [("b",)]


def test_the_order_is_that_of_names_whatever_the_disk_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["a/b/2.png", "B/1.png", "a/10.png", "a/9.png", "a/c/1.png", "a/B.png", "A/1.png", "a/c.png"]
    fill(tmp_path, *names)

    def found() -> list[str]:
        dataset = open_dataset(tmp_path)
        examples = dataset.examples(lambda problem: pytest.fail(str(problem)))
        return [*dataset.label_names, *(Path(e.name).relative_to(tmp_path).as_posix() for e in examples)]

    expected = ["A", "B", "a", "A/1.png", "B/1.png"]
    inside = ["a/10.png", "a/9.png", "a/B.png", "a/c.png", "a/b/2.png", "a/c/1.png"]
    real = os.scandir
    for reverse in (False, True):
        monkeypatch.setattr("os.scandir", lambda path, reverse=reverse: Entries(real(path), reverse))
        assert found() == expected + inside


class Entries(list["os.DirEntry[str]"]):
    """What a disk lists in another order."""

    def __init__(self, entries: Iterable["os.DirEntry[str]"], reverse: bool) -> None:
        super().__init__(sorted(entries, key=lambda entry: entry.name, reverse=reverse))

    def __enter__(self) -> "Entries":
        return self

    def __exit__(self, *_: object) -> None: ...

    def close(self) -> None: ...


def test_archives_are_read_in_the_order_of_their_numbers_and_hidden_ones_not(tmp_path: Path) -> None:
    for name in ("10.tar", "2.tar", "1.tar"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "._1.tar").write_bytes(b"of macOS")
    problems: list[NumPyCLIPError] = []
    assert list(open_dataset(tmp_path).examples(problems.append)) == []
    assert [Path(str(problem).split(":")[0]).name for problem in problems] == ["1.tar", "2.tar", "10.tar"]


def test_a_name_that_is_too_long_is_refused_as_any_other(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file or folder"):
        open_dataset("a" * 500)
