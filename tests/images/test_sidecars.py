import sys
from pathlib import Path

import pytest

from numpyclip.errors import InputError, NumPyCLIPError, PictureError
from numpyclip.images.sidecars import Sidecars, read_sidecar, replace_sidecar
from tests.xmp.test_packet import LIGHTROOM


def made(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch()


def names_of(folder: Path, name: str) -> list[str]:
    return [Path(path).name for path in Sidecars().of(str(folder / name))]


def test_both_habits_are_found_the_name_with_the_suffix_first(tmp_path: Path) -> None:
    made(tmp_path, "a.jpg", "a.jpg.xmp", "a.xmp", "b.jpg", "b.XMP", "c.jpg", "d", "d.xmp", "e.jpg.xmp")
    assert names_of(tmp_path, "a.jpg") == ["a.jpg.xmp", "a.xmp"]
    assert names_of(tmp_path, "b.jpg") == ["b.XMP"]
    assert names_of(tmp_path, "c.jpg") == []
    assert names_of(tmp_path, "d") == ["d.xmp"]
    assert Sidecars().of("e.jpg") == Sidecars().of(str(tmp_path / "none" / "e.jpg")) == []


def test_a_name_without_suffix_is_that_of_one_photograph_of_which_there_may_be_a_raw_file(tmp_path: Path) -> None:
    made(tmp_path, "a.jpg", "a.CR2", "a.xmp", "a.txt", "b.jpg", "b.heic", "b.xmp", "c.nef", "c.dng", "c.xmp")
    assert names_of(tmp_path, "a.jpg") == names_of(tmp_path, "a.CR2") == ["a.xmp"]
    assert names_of(tmp_path, "b.jpg") == names_of(tmp_path, "b.heic") == []
    assert names_of(tmp_path, "c.nef") == names_of(tmp_path, "c.dng") == []


def test_a_new_one_has_either_name_if_it_is_of_one_photograph_only(tmp_path: Path) -> None:
    made(tmp_path, "a.jpg", "a.cr2", "b.jpg", "b.png")
    assert Sidecars().new(str(tmp_path / "a.jpg")) == str(tmp_path / "a.jpg.xmp")
    assert Sidecars("replace").new(str(tmp_path / "a.jpg")) == str(tmp_path / "a.xmp")
    with pytest.raises(InputError, match=r"would also be that of another image"):
        Sidecars("replace").new(str(tmp_path / "b.jpg"))


def test_a_sidecar_is_written_whole_where_a_link_leads_with_its_permissions(tmp_path: Path) -> None:
    target, link = tmp_path / "a.xmp", tmp_path / "link.xmp"
    target.write_text(LIGHTROOM, "utf-8", newline="")
    target.chmod(0o640)
    link.symlink_to(target)
    replace_sidecar(str(link), read_sidecar(str(link)), b"new")
    assert (target.read_bytes(), link.is_symlink()) == (b"new", True)
    if sys.platform != "win32":
        assert target.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.xmp", "link.xmp"]
    with pytest.raises(NumPyCLIPError, match="cannot be written"):
        replace_sidecar(str(tmp_path / "none" / "a.xmp"), None, b"")


@pytest.mark.parametrize("data", [b"new", None])
def test_what_another_program_has_written_meanwhile_stays(data: bytes | None, tmp_path: Path) -> None:
    sidecar = tmp_path / "a.xmp"
    sidecar.write_text(LIGHTROOM, "utf-8", newline="")
    read = read_sidecar(str(sidecar))
    theirs = LIGHTROOM.replace("'3'", "'5'").encode()
    sidecar.write_bytes(theirs)
    for before in (read, None):
        with pytest.raises(PictureError, match=r"a\.xmp: was changed by another program"):
            replace_sidecar(str(sidecar), before, data)
    assert sidecar.read_bytes() == theirs
    replace_sidecar(str(sidecar), read_sidecar(str(sidecar)), data)
    assert (sidecar.read_bytes() if sidecar.exists() else None) == data
    if data is None:
        with pytest.raises(PictureError, match="was changed"):
            replace_sidecar(str(sidecar), read, data)
    assert [path.name for path in tmp_path.iterdir()] == ["a.xmp"] * (data is not None)


def test_what_is_no_sidecar_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "a.xmp").write_bytes(b"<a>")
    with pytest.raises(PictureError, match=r"a\.xmp: is no XMP"):
        read_sidecar(str(tmp_path / "a.xmp"))
    for name in ("", "none"):
        with pytest.raises(PictureError, match="cannot be read"):
            read_sidecar(str(tmp_path / name))


def test_a_folder_and_a_link_that_leads_nowhere_are_there_and_cannot_be_read(tmp_path: Path) -> None:
    made(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "a.jpg.xmp").mkdir()
    (tmp_path / "b.jpg.xmp").symlink_to(tmp_path / "elsewhere" / "new.xmp")
    for name in ("a.jpg", "b.jpg"):
        (sidecar,) = Sidecars().of(str(tmp_path / name))
        with pytest.raises(PictureError, match="cannot be read"):
            read_sidecar(sidecar)
