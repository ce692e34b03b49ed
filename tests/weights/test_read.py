"""Any file of weights: what is read, what is refused, and at what cost."""

import cProfile
import os
import random
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import numpyclip.weights
from numpyclip.errors import CheckpointError, CorruptCheckpointError, NumPyCLIPError, UnsupportedCheckpointError
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.read import read
from tests.weights.forged import GOLDEN, NUMBERS, archive, legacy, safetensors, state, tensor
from tests.weights.hostile import MEMORY, Case, cases

CASES = list(cases())
MOST_CALLS = 5_000_000  # of our functions: a few for each value that the budget of memory allows; and one for each byte


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_hostile_file_is_refused_in_few_steps_with_its_name_in_a_short_message(tmp_path: Path, case: Case) -> None:
    _, content, error = case
    path = tmp_path / "hostile"
    path.write_bytes(content)
    work = cProfile.Profile(subcalls=False, builtins=False)
    with pytest.raises(error) as caught, work:
        read(path)
    assert sum(entry.callcount for entry in work.getstats()) < MOST_CALLS + len(content)
    assert type(caught.value) is error
    assert str(caught.value).startswith(str(path))
    assert len(str(caught.value)) < 800


def test_every_hostile_file_has_a_name_of_its_own() -> None:
    assert len({label for label, _, _ in CASES}) == len(CASES) > 250


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures memory through /proc")
@pytest.mark.exhaustive
def test_no_hostile_file_makes_the_process_grow(tmp_path: Path) -> None:
    sources = [Path(numpyclip.weights.__file__).parents[2], Path(__file__).parents[2]]
    done = subprocess.run(
        [sys.executable, "-m", "tests.weights.hostile", tmp_path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sources)), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, str(len(CASES))), done.stderr[-2000:]


@pytest.mark.parametrize("label", ["deflate bomb", "list that becomes many dicts"])
def test_refusal_takes_little_memory(tmp_path: Path, label: str) -> None:
    path = tmp_path / "hostile"
    path.write_bytes(next(content for name, content, _ in CASES if name.endswith(label)))
    tracemalloc.start()
    with pytest.raises(CheckpointError):
        read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MEMORY


def _same(found: Checkpoint, expected: dict[str, np.ndarray]) -> bool:
    return set(found.arrays) == set(expected) and all(
        found.arrays[name].dtype == array.dtype and np.array_equal(found.arrays[name], array)
        for name, array in expected.items()
    )


@pytest.mark.parametrize(
    "content",
    [
        archive(state(tensor())),
        legacy(),
        safetensors({"w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}, NUMBERS),
    ],
    ids=["archive", "legacy", "safetensors"],
)
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cut"
    path.write_bytes(content)
    assert _same(read(path), {"w": np.arange(6, dtype=np.float32).reshape(2, 3)})
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError):
            read(path)


@pytest.mark.parametrize("file", ["tensors.pt", "tensors-legacy.pt", "tensors.npz"])
def test_a_genuine_file_cut_short_is_refused(tmp_path: Path, file: str) -> None:
    path = tmp_path / "cut"
    content = (GOLDEN / file).read_bytes()
    for length in range(0, len(content), 31):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError):
            read(path)


@pytest.mark.parametrize("file", ["tensors.pt", "tensors-legacy.pt", "tensors-protocol4.pt", "tensors.npz"])
def test_flipped_bits_are_refused_or_read_but_never_crash(tmp_path: Path, file: str) -> None:
    random_ = random.Random(file)
    path = tmp_path / "flipped"
    refused = 0
    for _ in range(150):
        content = bytearray((GOLDEN / file).read_bytes())
        for _ in range(random_.choice((1, 1, 2, 8))):
            content[random_.randrange(len(content))] ^= 1 << random_.randrange(8)
        path.write_bytes(content)
        try:
            found = read(path)
            for name, array in found.arrays.items():
                if array.dtype.kind == "f":
                    found.take(name)
        except NumPyCLIPError:
            refused += 1
    assert refused > 0


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"<html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"GGUF\x03\0\0\0", "GGUF"),
        (b"\x1f\x8b\x08\0", "gzipped"),
        (b"\x80\x04}.", "torch.save"),
        (b"\x93NUMPY\x01\0", "numpy.savez"),
        (b"\x89HDF\r\n", "HDF5"),
        (b"\x89PNG\r\n", "an image"),
        (b'{"error": 404}', "JSON"),
        (b"hello world", "begins with b'hello"),
    ],
)
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_mistaken_file_is_called_what_it_is(tmp_path: Path, content: bytes, hint: str, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    with pytest.raises(UnsupportedCheckpointError, match=hint):
        read(path)


def test_a_safetensors_file_without_its_header_is_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(bytes(8) + b"no header")
    with pytest.raises(CorruptCheckpointError, match=r"model\.safetensors: "):
        read(path)


def test_an_unknown_file_is_shown_by_its_first_bytes(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"Rar!\x1a\x07")
    with pytest.raises(UnsupportedCheckpointError, match="begins with b'Rar!"):
        read(tmp_path / "model.pt")


def test_a_missing_file_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="No such file"):
        read(tmp_path / "missing.pt")
    with pytest.raises(CheckpointError, match="it is a folder; expected a regular file"):
        read(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.pt")
        with pytest.raises(CheckpointError, match="it is a named pipe; expected a regular file"):
            read(tmp_path / "pipe.pt")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs permissions that bind this user")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.pt"
    path.write_bytes(archive(state(tensor())))
    path.chmod(0)
    with pytest.raises(CheckpointError, match="denied"):
        read(path)


def test_the_content_tells_the_format_and_the_name_does_not(tmp_path: Path) -> None:
    for index, file in enumerate(("tensors.pt", "tensors-legacy.pt", "vit.safetensors", "tensors.npz")):
        path = tmp_path / f"{index}.jpg"
        path.write_bytes((GOLDEN / file).read_bytes())
        assert list(read(path).arrays) == list(read(GOLDEN / file).arrays)
