import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.tasks.evaluation.datasets.dataset import Example
from numpyclip.tasks.evaluation.datasets.open_dataset import open_dataset


def tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def read(path: Path) -> tuple[list[Example], list[str]]:
    problems: list[NumPyCLIPError] = []
    found = list(open_dataset(path).examples(problems.append))
    return found, [str(problem) for problem in problems]


def test_files_of_one_name_belong_together(tmp_path: Path) -> None:
    path = tar(
        tmp_path / "0.tar",
        {
            "s0/a.jpg": b"A",
            "s0/a.cls": b"3\n",
            "s0/a.txt": "caf\u00e9\n\nsecond".encode(),
            "s0/b.seg.png": b"no picture of its own",
            "s0/b.png": b"B",
            "s0/b.json": json.dumps({"label": "dog", "caption": "a dog"}).encode(),
        },
    )
    found, problems = read(path)
    assert problems == []
    assert [(e.picture, e.label, e.captions) for e in found] == [
        (b"A", 3, ("caf\u00e9", "second")),
        (b"B", "dog", ("a dog",)),
    ]
    assert found[0].name == f"{path}/s0/a.jpg"


def test_names_and_templates_lie_beside_the_archives_or_above(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    for number in (0, 2, 10):
        tar(tmp_path / "test" / f"{number}.tar", {f"{number}.jpg": b"A", f"{number}.cls": b"0"})
    (tmp_path / "classnames.txt").write_text("dog\ncat\n")
    (tmp_path / "zeroshot_classification_templates.txt").write_text("a {c}.\n")
    dataset = open_dataset(tmp_path / "test")
    assert (dataset.label_names, dataset.templates) == (["dog", "cat"], ["a {}."])
    assert [Path(e.name).name for e in read(tmp_path / "test")[0]] == ["0.jpg", "2.jpg", "10.jpg"]


@pytest.mark.parametrize("compressed", [False, True])
def test_an_archive_that_is_cut_off_says_so(tmp_path: Path, compressed: bool) -> None:
    """tarfile takes a cut, and a damaged header, for the end."""
    files = {f"{n}.{suffix}": content * 700 for n in range(9) for suffix, content in (("jpg", b"A"), ("txt", b"t"))}
    whole = tar(tmp_path / "whole.tar", files).read_bytes()
    name = "cut.tar.gz" if compressed else "cut.tar"
    pack = gzip.compress if compressed else bytes
    (tmp_path / name).write_bytes(pack(whole)[: len(pack(whole)) // 2])
    found, problems = read(tmp_path / name)
    assert len(found) < 9
    assert len(problems) == 1
    assert f"{name}: damaged after" in problems[0]


def test_a_damaged_header_is_told(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar", {f"{n}.{suffix}": b"0" for n in range(4) for suffix in ("jpg", "cls")})
    content = bytearray(path.read_bytes())
    content[4 * 1024 + 150] ^= 0xFF  # in the checksum of the fifth header
    path.write_bytes(content)
    found, problems = read(path)
    assert len(found) <= 2
    assert "damaged after" in problems[0]


def test_what_is_not_as_it_should_be_is_told_and_left_out(tmp_path: Path) -> None:
    path = tar(
        tmp_path / "a.tar",
        {
            "a.cls": b"1",
            "b.jpg": b"B",
            "c.jpg": b"C",
            "c.txt": b"\xff",
            "d.jpg": b"D",
            "d.json": b"[[[",
            "e.jpg": b"E",
            "e.cls": b"5",
        },
    )
    found, problems = read(path)
    assert [e.picture for e in found] == [b"E"]
    assert [problem.split(": ", 1)[1].split(";")[0] for problem in problems[:2]] == [
        "has no image, only cls.",
        "has neither a label nor captions.",
    ]
    assert len(problems) == 4


def test_without_a_report_the_first_problem_is_raised_as_it_is(tmp_path: Path) -> None:
    path = tar(tmp_path / "a.tar", {"a.cls": b"1"})

    def fail(problem: NumPyCLIPError) -> None:
        raise problem

    with pytest.raises(InputError, match="has no image"):
        list(open_dataset(path).examples(fail))


def test_no_tar_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"no tar at all" * 100)
    assert "damaged after" in read(tmp_path / "a.tar")[1][0]


def test_several_labels_a_picture_are_refused(tmp_path: Path) -> None:
    tar(tmp_path / "0.tar", {})
    (tmp_path / "dataset_type.txt").write_text("multilabel\n")
    with pytest.raises(InputError, match="several labels for an image"):
        open_dataset(tmp_path)
