"""The road to OpenAI's models: the disk, a mirror, OpenAI, and copies on a hub on this machine."""

import errno
import hashlib
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

from numpyclip.errors import CheckpointError, ChecksumError, DownloadError, OfflineError
from numpyclip.weights import sources
from numpyclip.weights.catalogue import DOWNLOADABLE, Copy, KnownModel
from numpyclip.weights.sources import Check, Weights
from tests.weights.downloads import BODY, HALF, SHA256, accept, dead_port, left_in
from tests.weights.hub_server import COMMIT, Handler, Hub, using
from tests.weights.scripted_server import answer, drop_after, serving

COPY = b"of another library" * 1000
COPY_SHA256 = hashlib.sha256(COPY).hexdigest()
FILE = "open_clip_model.safetensors"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("CLIP_DIR", str(tmp_path / "clip"))
    with using({FILE: COPY}, tmp_path / "home") as hub:
        yield hub


def toy(*urls: str, sha256: str | None = COPY_SHA256, revision: str = COMMIT, copies: int = 1) -> KnownModel:
    """A model that OpenAI does not have any more, unless URLs are passed."""
    copy = Copy("someone/model", revision, FILE, sha256)
    return KnownModel("Toy/1", "toy.pt", SHA256, urls or (f"http://127.0.0.1:{dead_port()}/toy.pt",), (copy,) * copies)


def obtain(model: KnownModel, folder: Path | None = None, check: Check = accept) -> Weights:
    return sources.obtain(model, folder, check)


def snapshot(tmp_path: Path, commit: str = COMMIT) -> Path:
    return tmp_path / "home/hub/models--someone--model/snapshots" / commit / FILE


def refuse(path: Path) -> None:
    raise CheckpointError(f"{path}: is not Toy/1")


# Which source


def test_openais_file_comes_before_the_hub(hub: Hub, tmp_path: Path) -> None:
    with serving(BODY) as openai:
        assert obtain(toy(f"{openai.url}/toy.pt"), tmp_path / "here") == Weights(tmp_path / "here/toy.pt", False)
    assert hub.asked == []


def test_the_mirror_comes_before_openai_and_the_hub_after_both(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(BODY, answer(403)) as mirror, serving(BODY, answer(404)) as openai:
        monkeypatch.setenv("NUMPYCLIP_MIRROR", mirror.url)
        assert obtain(toy(f"{openai.url}/toy.pt")) == Weights(snapshot(tmp_path), True)
    assert mirror.paths == ["/toy.pt", f"/{SHA256}/toy.pt"]
    assert openai.paths == ["/toy.pt"]


def test_a_copy_is_in_the_cache_of_the_hub_and_found_there_again(hub: Hub, tmp_path: Path) -> None:
    first = obtain(toy())
    assert first == Weights(snapshot(tmp_path), True)
    assert first.path.read_bytes() == COPY
    hub.asked.clear()
    with serving(BODY) as openai:
        assert obtain(toy(f"{openai.url}/toy.pt")) == first
    assert (hub.asked, openai.asked) == ([], [])
    assert left_in(tmp_path / "clip") == set()


def test_a_copy_is_found_without_a_network(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = obtain(toy())
    monkeypatch.setenv("NUMPYCLIP_OFFLINE", "1")
    assert obtain(toy()) == first
    first.path.unlink()
    with pytest.raises(OfflineError, match=r"toy.pt: is missing"):
        obtain(toy())


def test_many_threads_download_a_copy_once(hub: Hub, tmp_path: Path) -> None:
    model, found = toy(), []
    threads = [threading.Thread(target=lambda: found.append(obtain(model))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [Weights(snapshot(tmp_path), True)] * 8
    assert hub.fetched == [FILE]


def test_a_copy_that_is_damaged_is_downloaded_again(hub: Hub) -> None:
    path = obtain(toy()).path

    def check(path: Path) -> None:
        if path.read_bytes() != COPY:
            raise CheckpointError("damaged")

    for damaged in (COPY[:-1], COPY[::-1]):
        path.resolve().write_bytes(damaged)
        assert obtain(toy(), None, check).path == path
        assert path.read_bytes() == COPY
    assert hub.fetched == [FILE] * 3


def test_a_copy_that_is_cut_off_is_resumed_by_the_next_run(hub: Hub, tmp_path: Path) -> None:
    def cut(handler: Handler) -> bool:
        if "elsewhere" not in handler.path:
            return False
        handler.close_connection = True
        return handler.answer(200, COPY[:1000], Content_Length=len(COPY)) if "Range" not in handler.headers else True

    hub.trouble = cut
    with pytest.raises(DownloadError, match="no answer"):
        obtain(toy())
    hub.trouble = lambda handler: False
    hub.ranges.clear()
    assert obtain(toy()).path.read_bytes() == COPY
    assert hub.ranges == ["bytes=1000-"]


def test_a_folder_for_downloads_is_also_that_of_copies(hub: Hub, tmp_path: Path) -> None:
    path = obtain(toy(), tmp_path / "here").path
    assert path.is_relative_to(tmp_path / "here" / "models--someone--model")
    assert obtain(toy(), tmp_path / "here").path == path
    other = obtain(toy()).path
    path.unlink()
    assert obtain(toy(), tmp_path / "here").path == other  # the cache of the hub is looked at, too


def test_openais_file_is_found_in_its_usual_folder_whichever_is_passed(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIP_DIR", str(tmp_path / "usual"))
    (tmp_path / "usual").mkdir()
    (tmp_path / "usual" / "toy.pt").write_bytes(BODY)
    assert obtain(toy(), tmp_path / "here") == Weights(tmp_path / "usual" / "toy.pt", False)
    assert hub.asked == []


def test_a_file_in_its_usual_folder_that_cannot_be_read_is_passed_over(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIP_DIR", str(tmp_path / "usual"))
    (tmp_path / "usual" / "toy.pt").mkdir(parents=True)
    with serving(BODY) as openai:
        assert obtain(toy(f"{openai.url}/toy.pt"), tmp_path / "here") == Weights(tmp_path / "here" / "toy.pt", False)


def test_a_revision_that_is_no_commit_is_resolved_by_the_hub(hub: Hub, tmp_path: Path) -> None:
    assert obtain(toy(revision="main", sha256=None)) == Weights(snapshot(tmp_path), True)
    assert (tmp_path / "home/hub/models--someone--model/refs/main").read_text() == COMMIT  # for huggingface_hub


def test_a_part_of_openais_file_is_removed_once_there_is_a_copy(hub: Hub, tmp_path: Path) -> None:
    with serving(BODY, drop_after(HALF), answer(500)) as openai:
        obtain(toy(f"{openai.url}/toy.pt"), tmp_path / "here")
    assert left_in(tmp_path / "here") == {"models--someone--model", ".locks"}


# Which copy


def test_a_copy_that_is_not_the_model_is_left_for_the_next_source(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=rf"{FILE}: .*{FILE}: is not Toy/1") as caught:
        obtain(toy(), None, refuse)
    assert str(caught.value).count(f"{hub.url}/someone/model/resolve/") == 1
    with serving(BODY) as openai:  # nor is it taken from the cache
        assert obtain(toy(f"{openai.url}/toy.pt"), None, refuse).is_copy is False


def test_a_copy_with_another_hash_is_refused_before_it_is_downloaded(hub: Hub, tmp_path: Path) -> None:
    other = "0" * 64
    with pytest.raises(DownloadError, match=f"has another file, with SHA-256 {COPY_SHA256}; expected {other}"):
        obtain(toy(sha256=other))
    assert hub.fetched == []


def test_a_copy_with_another_hash_is_refused_whatever_is_stated(hub: Hub, tmp_path: Path) -> None:
    other = COPY[::-1]
    facts = {"X_Linked_Etag": f'"{COPY_SHA256}"', "X_Linked_Size": len(COPY), "X_Repo_Commit": COMMIT}
    hub.trouble = lambda handler: handler.answer(200, other, **facts)
    with pytest.raises(ChecksumError, match=hashlib.sha256(other).hexdigest()):
        obtain(toy())
    assert not snapshot(tmp_path).exists()


def test_with_a_known_hash_a_plain_web_server_is_enough(hub: Hub, tmp_path: Path) -> None:
    hub.trouble = lambda handler: "/resolve/" in handler.path and handler.answer(200, COPY)
    path = obtain(toy()).path
    assert (path.read_bytes(), path.resolve().name) == (COPY, COPY_SHA256)


def test_a_web_page_in_place_of_a_copy_is_named(hub: Hub) -> None:
    hub.trouble = lambda handler: handler.answer(200, b"<html>Please log in</html>")
    with pytest.raises(ChecksumError, match="looks like a web page"):
        obtain(toy())
    with pytest.raises(DownloadError, match="is no hub: its commit is ''"):
        obtain(toy(sha256=None, revision="main"))


def test_a_file_that_huggingface_hub_has_is_a_copy(hub: Hub, tmp_path: Path) -> None:
    package = pytest.importorskip("huggingface_hub")
    theirs = package.hf_hub_download("someone/model", FILE)
    assert obtain(toy(revision="f" * 40)) == Weights(Path(theirs), True)


# When all fail


def test_the_error_lists_what_was_tried_and_what_helps(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.files.clear()
    with serving(BODY, answer(404)) as mirror, serving(BODY, answer(403)) as openai:
        monkeypatch.setenv("NUMPYCLIP_MIRROR", mirror.url)
        with pytest.raises(DownloadError) as caught:
            obtain(toy(f"{openai.url}/toy.pt"), tmp_path / "here")
    told = str(caught.value)
    for line in (
        f"{mirror.url}/toy.pt: HTTP 404, Not Found",
        f"{openai.url}/toy.pt: HTTP 403, Forbidden",
        f"{hub.url}/someone/model/resolve/{COMMIT}/{FILE}: HTTP 404, Not Found",
        f"Put toy.pt (SHA-256 {SHA256}) into {tmp_path / 'here'} by hand",  # not from where it is not
        f"put https://huggingface.co/someone/model/resolve/{COMMIT}/{FILE} into {tmp_path / 'here'}/models--someone--",
        "numpyclip models download hf-hub:someone/model on another machine",
        "--model hf-hub:someone/model",
        "--model tiny",
    ):
        assert line in told
    assert "Try again" not in told
    assert len(told.splitlines()) == 10
    copy = next(line for line in told.splitlines() if "put https" in line).split(" into ")[1].removesuffix(" by hand.")
    Path(copy).mkdir(parents=True)
    (Path(copy) / FILE).write_bytes(COPY)
    assert obtain(toy(), tmp_path / "here") == Weights(Path(copy) / FILE, True)


def test_a_host_that_does_not_answer_is_not_asked_again(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = f"http://127.0.0.1:{dead_port()}"
    monkeypatch.setenv("NUMPYCLIP_MIRROR", dead)
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{dead_port()}")
    with pytest.raises(DownloadError) as caught:
        obtain(toy(f"{dead}/toy.pt", copies=3))
    assert str(caught.value).count("could not connect") == 2
    assert str(caught.value).count("did not answer") == 4


def test_where_the_hub_is_forbidden_that_is_said(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DownloadError, match=rf"{FILE}: \$HF_HUB_OFFLINE forbids it"):
        obtain(toy())
    assert hub.asked == []


def test_a_setting_that_is_wrong_does_not_hide_what_was_tried(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://me:secret@example.org")
    with serving(BODY, answer(404)) as openai, pytest.raises(DownloadError) as caught:
        obtain(toy(f"{openai.url}/toy.pt"))
    assert f"{openai.url}/toy.pt: HTTP 404" in str(caught.value)
    assert "$HF_ENDPOINT" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_mirror_that_is_no_url_is_no_reason_against_openai(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMPYCLIP_MIRROR", "http://user:secret@x/")
    with serving(BODY, answer(404)) as openai:
        hub.files.clear()
        with pytest.raises(DownloadError) as caught:
            obtain(toy(f"{openai.url}/toy.pt"))
    assert f"{openai.url}/toy.pt: HTTP 404" in str(caught.value)
    assert "toy.pt: $NUMPYCLIP_MIRROR: is no URL" in str(caught.value)
    with serving(BODY) as openai:
        assert not obtain(toy(f"{openai.url}/toy.pt")).is_copy


def test_a_copy_is_fetched_without_a_token_unless_the_hub_wants_one(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    seen = []

    def look(handler: Handler) -> bool:
        seen.append(handler.headers.get("Authorization"))
        return False

    hub.trouble = look
    obtain(toy())
    assert set(seen) == {None}


def test_a_folder_that_cannot_be_made_is_no_reason_against_a_copy(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "no folder").write_bytes(b"")
    monkeypatch.setenv("CLIP_DIR", str(tmp_path / "no folder"))
    assert obtain(toy()) == Weights(snapshot(tmp_path), True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    snapshot(tmp_path).unlink()
    with pytest.raises(DownloadError, match=r"no folder: cannot be made a folder.*CLIP_DIR"):
        obtain(toy())


def test_a_full_disk_is_not_blamed_on_the_hub(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    with serving(BODY) as openai, pytest.raises(DownloadError, match="the disk is full"):
        obtain(toy(f"{openai.url}/toy.pt"))
    assert hub.asked == []


def test_a_file_in_place_of_the_cache_is_not_blamed_on_the_hub(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "hub").write_bytes(b"no folder")
    with serving(BODY, answer(404)) as openai, pytest.raises(DownloadError) as caught:
        obtain(toy(f"{openai.url}/toy.pt"))
    assert re.search(r"cannot be made a folder .*HF_HOME", str(caught.value))
    assert f"{openai.url}/toy.pt: HTTP 404" in str(caught.value)


def test_a_damaged_copy_that_cannot_be_replaced_stays(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    path = obtain(toy()).path
    path.resolve().write_bytes(b"damaged")

    def refuse_to_change(*_: object) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied")

    def check(path: Path) -> None:
        if path.read_bytes() != COPY:
            raise CheckpointError("damaged")

    monkeypatch.setattr(Path, "unlink", refuse_to_change)
    monkeypatch.setattr(Path, "replace", refuse_to_change)
    with pytest.raises(DownloadError, match=r"could not be downloaded[^~]*cannot be written \(Permission denied\)"):
        obtain(toy(), None, check)
    assert path.read_bytes() == b"damaged"


# The catalogue


def test_each_of_openais_models_has_a_copy() -> None:
    for model in DOWNLOADABLE.values():
        assert model.copies
        for copy in model.copies:
            assert copy.repository.startswith(("timm/", "openai/"))
            assert (copy.revision == "main") == (copy.sha256 is None)
