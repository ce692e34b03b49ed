"""The cache of the hub: `huggingface_hub` itself must find what NumPyCLIP downloads, and the other way round."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from numpyclip.families.repository_files import wanted
from numpyclip.weights.catalogue import Copy
from numpyclip.weights.hub import obtain
from numpyclip.weights.hub_cache import CachedRepository, is_intact, stays_inside
from tests.weights.downloads import Terminal, child_environment
from tests.weights.hub_server import COMMIT, Handler, Hub, using

WEIGHTS = os.urandom(100_000)
FILES = {"config.json": b"{}", "vocab.json": b"", "model.safetensors": WEIGHTS}
NAME = "hf-hub:someone/model"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with using(dict(FILES), tmp_path / "home") as hub:
        yield hub


@pytest.fixture
def package(hub: Hub) -> Any:
    return pytest.importorskip("huggingface_hub")


def get(name: str = NAME) -> Path:
    return obtain(name, wanted)


def cached(hub: Hub, tmp_path: Path) -> CachedRepository:
    return CachedRepository(tmp_path / "home" / "hub", hub.repository)


# Both ways


def test_huggingface_hub_finds_what_was_downloaded_here(hub: Hub, package: Any) -> None:
    folder = get()
    hub.asked.clear()
    for file in FILES:
        found = package.hf_hub_download("someone/model", file, local_files_only=True)
        assert found == str(folder / file)
    assert package.snapshot_download("someone/model", local_files_only=True, allow_patterns=[]) == str(folder)
    assert package.try_to_load_from_cache("someone/model", "model.safetensors") == str(folder / "model.safetensors")
    assert hub.asked == []
    for file in FILES:  # and online
        assert package.hf_hub_download("someone/model", file) == str(folder / file)
    assert hub.fetched == []


def test_what_huggingface_hub_has_downloaded_is_found_here(
    hub: Hub, package: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, *_ = {Path(package.hf_hub_download("someone/model", file)).parent for file in FILES}
    hub.asked.clear()
    assert get() == folder
    assert hub.asked == ["GET /api/models/someone/model"]
    monkeypatch.setenv("NUMPYCLIP_OFFLINE", "1")
    assert get() == folder


def test_the_layout_is_the_same(hub: Hub, package: Any, tmp_path: Path) -> None:
    def tree(root: Path) -> dict[str, str]:
        paths = [path for path in (root / "models--someone--model").rglob("*") if not path.is_dir()]
        names = {path.relative_to(root).as_posix(): str(path.is_symlink() and path.readlink()) for path in paths}
        return {name: link for name, link in names.items() if "/trees/" not in name and "/.numpyclip/" not in name}

    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    obtain(f"{NAME}@v2", wanted, ours)
    for file in FILES:
        package.hf_hub_download("someone/model", file, revision="v2", cache_dir=theirs)
    assert tree(ours) == tree(theirs)
    info = package.scan_cache_dir(ours)
    assert [(repo.repo_id, repo.nb_files) for repo in info.repos] == [("someone/model", len(FILES))]
    assert not info.warnings


def test_a_blob_that_is_there_is_linked_and_not_fetched(hub: Hub, package: Any) -> None:
    package.hf_hub_download("someone/model", "model.safetensors")
    hub.commit = COMMIT[::-1]
    hub.asked.clear()
    assert (get() / "model.safetensors").read_bytes() == WEIGHTS
    assert "model.safetensors" not in hub.fetched


def test_a_file_that_huggingface_hub_downloads_at_the_moment_is_waited_for(
    hub: Hub, package: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal, began, go_on = Terminal(), threading.Event(), threading.Event()

    def slow(handler: Handler) -> bool:
        if "elsewhere" in handler.path:
            began.set()
            go_on.wait(30)
        return False

    hub.trouble = slow
    theirs = threading.Thread(target=package.hf_hub_download, args=("someone/model", "model.safetensors"))
    theirs.start()
    assert began.wait(30)
    monkeypatch.setattr(sys, "stderr", terminal)
    ours = threading.Thread(target=get)
    ours.start()
    while "another process" not in terminal.getvalue():
        assert terminal.written.wait(30)
        terminal.written.clear()
    go_on.set()
    ours.join()
    theirs.join()
    assert sum("elsewhere" in asked for asked in hub.asked) == 1


def test_two_processes_fetch_a_file_once(hub: Hub) -> None:
    both = threading.Barrier(2, timeout=30)

    def meet(handler: Handler) -> bool:
        if "/api/" in handler.path:
            both.wait()  # both have seen that nothing is there
        return False

    hub.trouble = meet
    imports = "from numpyclip.families.repository_files import wanted; from numpyclip.weights.hub import obtain"
    code = f"{imports}; print(obtain({NAME!r}, wanted))"
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", code]
    processes = [subprocess.Popen(command, env=child_environment(), **options) for _ in range(2)]
    told = {process.communicate(timeout=60)[0] for process in processes}
    assert len(told) == 1
    assert all(process.returncode == 0 for process in processes)
    assert sum("elsewhere" in asked for asked in hub.asked) == 1


# Links


def test_where_there_are_no_links_files_are_in_the_snapshot(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_DISABLE_SYMLINKS", "1")
    folder = get()
    assert all(path.is_file() and not path.is_symlink() for path in folder.iterdir())
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert not list((folder.parents[1] / "blobs").iterdir())
    hub.asked.clear()
    assert get() == folder
    assert hub.fetched == []


def test_a_blob_of_other_snapshots_stays_where_there_are_no_links(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    before = get()
    hub.commit = COMMIT[::-1]
    monkeypatch.setenv("HF_HUB_DISABLE_SYMLINKS", "1")
    assert (get() / "model.safetensors").read_bytes() == WEIGHTS == (before / "model.safetensors").read_bytes()


def test_files_in_folders_of_a_repository_are_linked(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.files = {"0_CLIPModel/model.safetensors": WEIGHTS, "config.json": b"{}"}

    def choose(names: Iterable[str], *, is_all: bool = True) -> list[str]:
        return sorted(name for name in names if "model" in name or "config" in name)

    folder = obtain(NAME, choose)
    assert (folder / "0_CLIPModel" / "model.safetensors").read_bytes() == WEIGHTS
    monkeypatch.setenv("NUMPYCLIP_OFFLINE", "1")
    assert obtain(NAME, choose) == folder


def test_what_a_download_leaves_is_blobs_links_a_reference_and_a_note(hub: Hub, tmp_path: Path) -> None:
    get()
    root = tmp_path / "home" / "hub"
    left = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir())
    assert [name for name in left if "/blobs/" not in name] == [
        f"models--someone--model/.numpyclip/{COMMIT}.json",
        "models--someone--model/refs/main",
        *(f"models--someone--model/snapshots/{COMMIT}/{file}" for file in sorted(FILES)),
    ]
    assert sum("/blobs/" in name for name in left) == len(FILES)


# Revisions


@pytest.mark.parametrize("revision", ["refs/pr/1", "feature/x-1", "v1.0"])
def test_revisions_may_have_slashes(hub: Hub, tmp_path: Path, revision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.revisions = (revision,)
    folder = get(f"{NAME}@{revision}")
    assert (tmp_path / "home/hub/models--someone--model/refs" / revision).read_text() == COMMIT
    monkeypatch.setenv("NUMPYCLIP_OFFLINE", "1")
    assert get(f"{NAME}@{revision}") == folder


@pytest.mark.parametrize("commit", ["f" * 64, "v1-2", "abc"])
def test_a_mirror_may_have_other_commits(
    hub: Hub, tmp_path: Path, commit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.commit = commit
    folder = get()
    assert folder.name == commit
    assert list(cached(hub, tmp_path).find(Copy(hub.repository, COMMIT, "model.safetensors")))
    monkeypatch.setenv("NUMPYCLIP_OFFLINE", "1")
    assert get() == folder


@pytest.mark.parametrize("content", [b"", b"../../../etc", b"\xff" * 40, b"a" * 1000, b"a b"])
def test_a_reference_that_is_no_commit_is_none(hub: Hub, tmp_path: Path, content: bytes) -> None:
    get()
    repository = cached(hub, tmp_path)
    (tmp_path / "home/hub/models--someone--model/refs/main").write_bytes(content)
    assert repository.commit_of("main") is None
    get()
    assert repository.commit_of("main") == COMMIT


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_cannot_be_written_is_enough_if_it_is_complete(hub: Hub, tmp_path: Path) -> None:
    folder = get()
    for path in (tmp_path / "home").rglob("*"):
        if path.is_dir():
            path.chmod(0o500)
    assert get() == folder


# Names


@pytest.mark.parametrize("name", ["a", "a/b.json", "0_CLIPModel/model.safetensors", "a b", "ä.txt", "..a/b..", "-x"])
def test_names_of_files(name: str) -> None:
    assert stays_inside(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "/a", "../a", "a/../b", "a/..", ".", "a//b", "a/", "./a"),
        *("C:/a", r"a\b", r"\\host\a", "a\0b", "a\nb", "a" * 1001),
    ],
)
def test_names_that_lead_elsewhere(name: str) -> None:
    assert not stays_inside(name)


# Copies of OpenAI's models


def test_copies_are_found_in_any_snapshot_the_pinned_one_first(hub: Hub, tmp_path: Path) -> None:
    repository = cached(hub, tmp_path)
    assert list(repository.find(Copy(hub.repository, "main", "model.safetensors"))) == []
    older = get() / "model.safetensors"
    hub.commit = COMMIT[::-1]
    hub.files["model.safetensors"] = b"other"
    newer = get() / "model.safetensors"
    assert list(repository.find(Copy(hub.repository, "main", "model.safetensors"))) == [newer, older]
    assert list(repository.find(Copy(hub.repository, COMMIT, "model.safetensors"))) == [older, newer]


def test_a_file_is_intact_if_its_sha256_is_the_name_of_its_blob(hub: Hub) -> None:
    path = get() / "model.safetensors"
    assert is_intact(path)
    path.resolve().write_bytes(bytes(len(WEIGHTS)))
    assert not is_intact(path)
    plain = path.with_name("plain")  # of which no hash is known
    plain.write_bytes(b"")
    assert is_intact(plain) is None


@pytest.mark.parametrize("head", [b"blob 2\0", b""])  # Git's, or that of a mirror
def test_a_small_file_is_intact_if_its_sha1_is_the_name_of_its_blob(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / hashlib.sha1(head + b"{}", usedforsecurity=False).hexdigest()
    path.write_bytes(b"{}")
    assert is_intact(path)
    path.write_bytes(b"[]")
    assert not is_intact(path)


def test_copies_whose_blob_is_another_file_are_not_found(hub: Hub, tmp_path: Path) -> None:
    path = get() / "model.safetensors"
    pinned = Copy(hub.repository, COMMIT, "model.safetensors", path.resolve().name)
    assert list(cached(hub, tmp_path).find(pinned)) == [path]
    other = Copy(hub.repository, COMMIT, "model.safetensors", "0" * 64)
    assert list(cached(hub, tmp_path).find(other)) == []
