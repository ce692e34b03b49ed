"""Weights on the disk: the folder, the file, and the note that it was verified."""

import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from numpyclip.errors import DownloadError
from numpyclip.weights import local
from numpyclip.weights.local import is_stamped, verify, weights_folder, write_stamp
from numpyclip.weights.sources import find
from tests.weights.downloads import BODY, SHA256, accept, child_environment, get, left_in, model_at, obtain
from tests.weights.scripted_server import (
    answer,
    serving,
)

# The folder


def test_folder_is_download_root_before_clip_dir_before_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert weights_folder() == tmp_path / ".cache" / "clip"
    monkeypatch.setenv("CLIP_DIR", "")
    assert weights_folder() == tmp_path / ".cache" / "clip"
    monkeypatch.setenv("CLIP_DIR", "~/weights")
    assert weights_folder() == tmp_path / "weights"
    assert weights_folder("~/other") == tmp_path / "other"
    assert weights_folder(tmp_path / "x") == tmp_path / "x"


def test_the_usual_folder_is_looked_into_last(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "toy.pt").write_bytes(BODY)
    monkeypatch.setenv("CLIP_DIR", str(tmp_path))
    assert find(model_at(), None, accept) == tmp_path / "toy.pt"
    assert find(model_at(), tmp_path / "elsewhere", accept) == tmp_path / "toy.pt"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "toy.pt").touch()
    assert find(model_at(), tmp_path / "elsewhere", accept) == tmp_path / "elsewhere" / "toy.pt"


def test_home_that_is_not_known_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: Path) -> NoReturn:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", unknown)
    with pytest.raises(DownloadError, match=r"no home directory is known.*CLIP_DIR"):
        weights_folder()


def test_folder_is_made(tmp_path: Path) -> None:
    with serving(BODY) as script:
        assert obtain(model_at(script), tmp_path / "a" / "b").parent == tmp_path / "a" / "b"


def test_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DownloadError, match=r"file.*(cannot be read|cannot be made).*download_root"):
        obtain(model_at(), tmp_path / "file" / "sub")


# A file that is there


def test_good_file_is_used_without_opening_a_socket(tmp_path: Path, no_sockets: None) -> None:
    (tmp_path / "toy.pt").write_bytes(BODY)
    assert obtain(model_at("http://nowhere.invalid/toy.pt"), tmp_path) == tmp_path / "toy.pt"


def test_good_file_is_read_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "toy.pt").write_bytes(BODY)
    reads: list[Path] = []
    read = local.read_sha256

    def counted(file: Path) -> str:
        reads.append(file)
        return read(file)

    monkeypatch.setattr(local, "read_sha256", counted)
    for _ in range(3):
        obtain(model_at(), tmp_path)
    assert len(reads) == 1


def test_downloaded_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    get(tmp_path)
    monkeypatch.setattr(local, "read_sha256", lambda _: pytest.fail("read again"))
    obtain(model_at(), tmp_path)


def test_stamp_does_not_outlive_a_change_of_the_file(tmp_path: Path) -> None:
    get(tmp_path)
    file = tmp_path / "toy.pt"
    facts = file.stat()
    file.write_bytes(b"x" + BODY[1:])  # same size
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1_000_000_000))
    with serving(BODY) as script, pytest.warns(UserWarning, match=f"{SHA256}.*downloaded again"):
        obtain(model_at(script), tmp_path)
    assert file.read_bytes() == BODY


@pytest.mark.parametrize("stamp", [b"", b"\xff\xfe", b"sha256 " + SHA256.encode()])
def test_broken_stamp_is_ignored(tmp_path: Path, stamp: bytes) -> None:
    (tmp_path / "toy.pt").write_bytes(BODY)
    (tmp_path / "toy.pt.verified").write_bytes(stamp)
    obtain(model_at(), tmp_path)
    assert (tmp_path / "toy.pt.verified").read_bytes() != stamp


def test_stamp_that_cannot_be_written_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "toy.pt").write_bytes(BODY)
    (tmp_path / "toy.pt.verified").mkdir()
    assert obtain(model_at(), tmp_path).is_file()


def test_damaged_file_is_warned_about_and_replaced(tmp_path: Path) -> None:
    (tmp_path / "toy.pt").write_bytes(b"damaged")
    with pytest.warns(UserWarning, match=r"toy\.pt: has SHA-256 .*; expected "):
        get(tmp_path)


def test_damaged_file_stays_until_the_new_one_is_verified(tmp_path: Path) -> None:
    (tmp_path / "toy.pt").write_bytes(b"damaged")
    with serving(BODY, answer(404)) as script, pytest.warns(UserWarning), pytest.raises(DownloadError):
        obtain(model_at(script), tmp_path)
    assert (tmp_path / "toy.pt").read_bytes() == b"damaged"


@pytest.mark.parametrize("name", ["toy.pt", "toy.pt.part"])
def test_folder_in_place_of_the_file_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(DownloadError, match=r"it is a .*; expected a regular file"):
        obtain(model_at(), tmp_path)


def test_file_that_may_not_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "toy.pt").write_bytes(BODY)

    def forbid(*_: object, **__: object) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", forbid)
    with pytest.raises(DownloadError, match=r"toy\.pt: cannot be read \(Permission denied\)"):
        obtain(model_at(), tmp_path)


def test_verify_tells_verified_damaged_and_missing(tmp_path: Path, no_sockets: None) -> None:
    assert verify(tmp_path / "toy.pt", SHA256) == "missing"
    (tmp_path / "toy.pt").write_bytes(BODY)
    assert verify(tmp_path / "toy.pt", SHA256) == "verified"
    (tmp_path / "toy.pt").write_bytes(b"damaged")
    assert verify(tmp_path / "toy.pt", SHA256) == "damaged"
    assert (tmp_path / "toy.pt").exists()


def test_verify_does_not_believe_the_stamp(tmp_path: Path) -> None:
    file = tmp_path / "toy.pt"
    file.write_bytes(BODY)
    obtain(model_at(), tmp_path)
    facts = file.stat()
    file.write_bytes(b"x" + BODY[1:])
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert verify(tmp_path / "toy.pt", SHA256) == "damaged"
    assert left_in(tmp_path) == {"toy.pt"}


def test_verify_does_not_believe_a_stamp_that_cannot_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "toy.pt"
    file.write_bytes(b"x" + BODY[1:])
    write_stamp(file, file.stat(), SHA256)

    def refuse(*_: object, **__: object) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    assert verify(tmp_path / "toy.pt", SHA256) == "damaged"


def test_file_that_is_there_needs_neither_http_nor_tqdm(tmp_path: Path) -> None:
    (tmp_path / "toy.pt").write_bytes(BODY)
    code = (
        "import sys; from numpyclip.weights.catalogue import KnownModel;"
        "from numpyclip.weights.sources import obtain;"
        f"obtain(KnownModel('Toy', 'toy.pt', {SHA256!r}, ()), sys.argv[1], print);"
        "assert not {'http.client', 'urllib.request', 'ssl', 'tqdm'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=child_environment())


def test_a_stamp_is_that_of_a_file_as_it_was_verified(tmp_path: Path) -> None:
    file, digest = tmp_path / "a.pt", hashlib.sha256(b"weights").hexdigest()
    assert not is_stamped(file, digest)
    file.write_bytes(b"weights")
    assert not is_stamped(file, digest)
    write_stamp(file, file.stat(), digest)
    assert is_stamped(file, digest)
    file.write_bytes(b"others")
    assert not is_stamped(file, digest)
