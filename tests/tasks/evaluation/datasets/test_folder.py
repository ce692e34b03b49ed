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
    assert "found no pictures" in str(problems[0])


def test_what_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file or folder"):
        open_dataset(tmp_path / "nowhere")
    (tmp_path / "a.zip").write_bytes(b"")
    with pytest.raises(InputError, match=r"is not a dataset; expected a folder, or a file that ends in \.tar"):
        open_dataset(tmp_path / "a.zip")
