"""A saved folder is whole or not there, whatever happens meanwhile."""

import os
import shutil
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

import numpyclip
from numpyclip.atomic import atomic_folder
from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.saving import save as module
from numpyclip.saving.plan import Plan
from numpyclip.saving.save import save
from numpyclip.weights.checkpoint import Checkpoint


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save("tiny", tmp_path_factory.mktemp("original") / "saved", "int8")


@pytest.fixture
def saved(original: Path, tmp_path: Path) -> Path:
    """A model that was saved before."""
    return shutil.copytree(original, tmp_path / "saved")


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_what_is_there_is_not_overwritten_by_mistake(saved: Path) -> None:
    before = content(saved)
    with pytest.raises(InputError, match=r"saved: is there already; .*overwrite=True \(--force\)"):
        save("tiny", saved)
    assert content(saved) == before


def test_an_older_model_is_replaced_as_a_whole(saved: Path) -> None:
    save("tiny", saved, overwrite=True)
    assert set(content(saved)) == {"open_clip_config.json", "open_clip_model.safetensors"}
    assert [path.name for path in saved.parent.iterdir()] == ["saved"]


def test_a_folder_with_anything_else_in_it_is_never_replaced(saved: Path) -> None:
    (saved / "thesis.tex").write_text("years of work")
    before = content(saved)
    with pytest.raises(InputError, match=r"holds 'thesis\.tex', which is no part of a saved model"):
        save("tiny", saved, overwrite=True)
    assert content(saved) == before


def test_a_file_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("of someone")
    with pytest.raises(InputError, match="is not a folder"):
        save("tiny", tmp_path / "file", overwrite=True)
    assert (tmp_path / "file").read_text() == "of someone"


def test_a_model_does_not_replace_itself(saved: Path) -> None:
    before = content(saved)
    with pytest.raises(InputError, match="holds the model that is being saved"):
        save(saved, saved, "int8", overwrite=True)
    assert content(saved) == before


def test_a_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    save("tiny", tmp_path / "link", "int8")
    assert (tmp_path / "link").is_symlink()
    assert list(content(tmp_path / "folder")) == ["model.int8.safetensors"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(NumPyCLIPError, match="new: cannot be written"):
        save("tiny", tmp_path / "no" / "new")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("is_there", [False, True])
def test_a_full_disk_or_ctrl_c_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, is_there: bool
) -> None:
    folder = tmp_path / "saved"
    if is_there:
        save("tiny", folder, "int8")
    before = content(folder) if is_there else {}
    written = []

    def fail(descriptor: int) -> None:  # when the weights are written, and not yet on the disk
        written.append(descriptor)
        if len(written) == 2:
            raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(NumPyCLIPError if isinstance(error, OSError) else KeyboardInterrupt) as caught:
        save("tiny", folder, overwrite=True)
    if isinstance(error, OSError):
        assert str(caught.value) == f"{folder}: cannot be written (No space left on device)."
    assert (content(folder) if is_there else {}) == before
    assert [path.name for path in tmp_path.iterdir()] == (["saved"] if is_there else [])


def test_an_old_folder_comes_back_where_the_new_one_cannot_take_its_name(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, replace = content(saved), Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise PermissionError(13, "Permission denied")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(NumPyCLIPError, match="Permission denied"):
        save("tiny", saved, overwrite=True)
    assert content(saved) == before
    assert [path.name for path in saved.parent.iterdir()] == ["saved"]


def save_and_die(folder: Path, when: str, overwrite: bool = False) -> None:
    """Save in a process that is killed the moment it calls something."""
    program = f"""
import os, pathlib, signal
import numpyclip
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
{when}
numpyclip.save("tiny", {str(folder)!r}, overwrite={overwrite})
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -signal.SIGKILL


WRITING = "os.fsync = die"
# when the older model was moved away, and the new one is not yet in its place
SWAPPING = "move = pathlib.Path.replace; pathlib.Path.replace = lambda a, b: die() if a.name == 'new' else move(a, b)"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX")
def test_a_process_that_is_killed_leaves_no_half_of_a_model_under_the_name_and_the_next_one_tidies_up(
    tmp_path: Path,
) -> None:
    save_and_die(tmp_path / "saved", WRITING)
    left = list(tmp_path.iterdir())
    assert left
    assert all(path.name.startswith(".saved.") for path in left)
    numpyclip.load(numpyclip.save("tiny", tmp_path / "saved"))
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX")
def test_an_older_model_that_a_killed_process_had_moved_away_comes_back(saved: Path) -> None:
    before = content(saved)
    save_and_die(saved, SWAPPING, overwrite=True)
    assert not saved.exists()
    with pytest.raises(InputError, match="is there already"):
        save("tiny", saved)
    assert content(saved) == before
    assert [path.name for path in saved.parent.iterdir()] == ["saved"]


def test_what_a_living_process_is_writing_is_left_to_it(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "saved", overwrite=True) as part:
        (part / "model.safetensors").write_bytes(b"as far as it is")
        save("tiny", tmp_path / "saved")
        assert content(part) == {"model.safetensors": b"as far as it is"}
    assert list(content(tmp_path / "saved")) == ["model.safetensors"]  # it was told to overwrite
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs setrlimit")
def test_a_limit_of_the_size_of_files_is_as_a_full_disk(tmp_path: Path) -> None:
    program = f"""
import resource, signal
import numpyclip
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
try:
    numpyclip.save("tiny", {str(tmp_path / "saved")!r})
except numpyclip.NumPyCLIPError as error:
    print(error)
"""
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out == f"{tmp_path / 'saved'}: cannot be written (File too large).\n"
    assert list(tmp_path.iterdir()) == []


def test_memory_stays_at_that_of_a_few_tensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, most = module._write, []

    def watch(plan: Plan, folder: Path) -> None:
        tracemalloc.start()
        write(plan, folder)
        most.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    monkeypatch.setattr(module, "_write", watch)
    folder = save("tiny", tmp_path / "saved")
    table = 49408 * 128 * 4  # bytes, the largest tensor by far
    assert most[0] < 1.1 * table
    assert (folder / "open_clip_model.safetensors").stat().st_size > 1.3 * table


def test_pages_of_the_source_are_given_back_tensor_by_tensor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = []
    monkeypatch.setattr(Checkpoint, "release", lambda checkpoint: released.append(checkpoint))
    model, _ = numpyclip.load("tiny")
    save(model, tmp_path / "saved")
    assert model.checkpoint is not None
    assert len(released) == len(model.checkpoint.arrays)


def test_a_folder_that_somebody_makes_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = module._write

    def write_and_lose(plan: Plan, folder: Path) -> None:
        write(plan, folder)
        (tmp_path / "saved").mkdir()
        (tmp_path / "saved" / "thesis.tex").write_text("years of work")

    monkeypatch.setattr(module, "_write", write_and_lose)
    with pytest.raises(NumPyCLIPError, match="saved: cannot be written"):
        save("tiny", tmp_path / "saved", "int8")
    assert list(content(tmp_path / "saved")) == ["thesis.tex"]
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]
