"""Opening regular files, and nothing else."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

import numpyclip
from numpyclip.errors import NumPyCLIPError
from numpyclip.regular_file import open_regular
from numpyclip.weights.catalogue import DOWNLOADABLE
from numpyclip.weights.local import sha256_of, verify

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there are no such files")


def test_a_regular_file_and_a_link_to_one_are_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        with open_regular(tmp_path / name) as file:
            assert file.read() == b"content"
            assert not os.get_inheritable(file.fileno())


def test_anything_else_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    monkeypatch.chdir(tmp_path)  # the path of a socket has at most 100 letters
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind("socket")
        for name, kind in {"pipe": "a named pipe", "zeros": "a device", "socket": "a socket", ".": "a folder"}.items():
            with pytest.raises(OSError, match=f"it is {kind}; expected a regular file") as caught:
                open_regular(name)
            assert caught.value.filename == name


def test_a_pipe_that_takes_its_place_is_refused_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    regular = (tmp_path / "file").stat()
    monkeypatch.setattr(Path, "stat", lambda path, **_: regular)
    with pytest.raises(OSError, match="it is a named pipe"):
        open_regular(tmp_path / "pipe")


# Files beside weights, in the layouts of all libraries.
BESIDE = [
    *("config.json", "preprocessor_config.json", "processor_config.json", "open_clip_config.json"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt", "vocab.txt"),
    *("spiece.model", "model.safetensors", "model.safetensors.index.json", "open_clip_model.safetensors"),
    *("pytorch_model.bin", "model.int8.safetensors"),
]
NEEDED = {"config.json", "preprocessor_config.json", "model.safetensors"} | {
    name for name in BESIDE if name.startswith("open_clip")
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    checkpoint = Path(__file__).parent / "golden" / "checkpoints" / "vit-torchscript.pt"
    saved = {}
    for layout in ("transformers", "open_clip"):
        saved[layout] = tmp_path_factory.mktemp("saved") / layout
        numpyclip.save(checkpoint, saved[layout], format=layout)
    return saved


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to(os.devnull)


@pytest.mark.parametrize("layout", ["transformers", "open_clip"])
@pytest.mark.parametrize("make", [_pipe, _device, Path.mkdir])
def test_a_model_whose_files_are_special_is_refused_or_they_are_ignored(
    tmp_path: Path, folders: dict[str, Path], layout: str, make: Callable[[Path], None]
) -> None:
    for name in BESIDE:
        folder = tmp_path / name
        shutil.copytree(folders[layout], folder)
        is_needed = (folder / name).exists() and name in NEEDED
        (folder / name).unlink(missing_ok=True)
        make(folder / name)
        with _alarm(300), pytest.raises(NumPyCLIPError) if is_needed else contextlib.suppress(NumPyCLIPError):
            numpyclip.load(folder)[0].tokenize(["a"])


@pytest.mark.parametrize("make", [_pipe, _device, Path.mkdir])
def test_weights_that_are_special_are_neither_verified_nor_converted(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "ViT-B-32.pt")
    with _alarm(300):
        with pytest.raises(NumPyCLIPError, match="expected a regular file"):
            verify(tmp_path / DOWNLOADABLE["ViT-B/32"].file, "")
        with pytest.raises(NumPyCLIPError):
            numpyclip.save(tmp_path / "ViT-B-32.pt", tmp_path / "out")


@pytest.mark.parametrize("make", [_pipe, _device, Path.mkdir])
def test_a_stamp_that_is_special_is_ignored(tmp_path: Path, make: Callable[[Path], None]) -> None:
    (tmp_path / "w.pt").write_bytes(b"weights")
    make(tmp_path / "w.pt.verified")
    with _alarm(300):
        assert sha256_of(tmp_path / "w.pt", "0") == hashlib.sha256(b"weights").hexdigest()


@contextlib.contextmanager
def _alarm(seconds: int) -> Iterator[None]:
    """Fail instead of waiting for ever."""

    def fail(*_: object) -> NoReturn:
        pytest.fail("it waits")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
