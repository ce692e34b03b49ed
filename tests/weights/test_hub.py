"""Repositories of the hub, against a server on this machine that plays it."""

import json
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

from numpyclip.errors import DownloadError, ModelNotFoundError, OfflineError
from numpyclip.families.repository_files import wanted
from numpyclip.weights import hub_client
from numpyclip.weights.hub import obtain
from tests.weights.hub_server import COMMIT, Handler, Hub, Trouble, imported_anew, using

WEIGHTS = os.urandom(200_000)
HALF = len(WEIGHTS) // 2
FILES = {
    "README.md": b"about",
    "open_clip_config.json": b"{}",
    "tokenizer.json": b"{} ",
    "open_clip_model.safetensors": WEIGHTS,
    "model.safetensors": b"transformers'",
    "pytorch_model.bin": b"pickled",
}
NAME = "hf-hub:someone/model"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with using(dict(FILES), tmp_path / "home") as hub:
        yield hub


def get(name: str = NAME) -> Path:
    return obtain(name, wanted)


# What is fetched


def test_only_what_is_read_is_fetched_and_only_one_set_of_weights(hub: Hub) -> None:
    folder = get()
    assert hub.fetched == ["open_clip_config.json", "tokenizer.json", "open_clip_model.safetensors"]
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
        name: FILES[name] for name in ("open_clip_config.json", "tokenizer.json", "open_clip_model.safetensors")
    }


def test_what_is_there_is_not_fetched_again(hub: Hub) -> None:
    folder = get()
    hub.asked.clear()
    assert get() == folder
    assert hub.asked == ["GET /api/models/someone/model"]


def test_a_new_commit_is_fetched(hub: Hub) -> None:
    before = get()
    hub.commit = COMMIT[::-1]
    hub.files["open_clip_model.safetensors"] = b"better"
    after = get()
    assert after.name == hub.commit
    assert (after / "open_clip_model.safetensors").read_bytes() == b"better"
    assert (before / "open_clip_model.safetensors").read_bytes() == WEIGHTS


@pytest.mark.parametrize("revision", ["v2", COMMIT])
def test_a_revision_may_be_a_branch_a_tag_or_a_commit(hub: Hub, revision: str) -> None:
    assert get(f"{NAME}@{revision}").name == COMMIT
    assert all(
        f"/{revision}" in path or COMMIT in path or "elsewhere" in path for path in hub.asked if "someone" in path
    )


def test_shards_are_fetched_with_their_index(hub: Hub) -> None:
    shards = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    hub.files = dict.fromkeys(["config.json", "model.safetensors.index.json", *shards, "pytorch_model.bin"], b"{}")
    assert {file.name for file in get().iterdir()} == {"config.json", "model.safetensors.index.json", *shards}


def test_the_folder_for_downloads_is_the_cache(hub: Hub, tmp_path: Path) -> None:
    folder = obtain(NAME, wanted, tmp_path / "here")
    assert folder.is_relative_to(tmp_path / "here")
    assert not (tmp_path / "home" / "hub").exists()


# What cannot be had


def test_a_repository_that_is_not_there_is_not_found(hub: Hub) -> None:
    with pytest.raises(ModelNotFoundError, match=r"hf-hub:someone/else: not found at http.*/someone/else.*HF_TOKEN"):
        get("hf-hub:someone/else")


def test_a_revision_that_is_not_there_any_more_is_not_found_even_if_it_is_cached(hub: Hub) -> None:
    get(f"{NAME}@v2")
    hub.revisions = ("main",)
    with pytest.raises(ModelNotFoundError, match=r"model@v2: .* has no such revision"):
        get(f"{NAME}@v2")


@pytest.mark.parametrize("only", ["", "/resolve/"])
def test_a_gated_repository_says_to_accept_its_license(hub: Hub, only: str) -> None:
    """Its files are listed for everybody; the hub refuses when they are fetched."""
    hub.trouble = lambda handler: only in handler.path and handler.refuse(401, "GatedRepo")
    with pytest.raises(
        ModelNotFoundError, match=r"accepted its license. Accept it at http.*/someone/model.*\$HF_TOKEN"
    ):
        get()


def test_a_setting_against_tokens_is_named_where_one_is_needed(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    hub.trouble = lambda handler: handler.refuse(401, "GatedRepo")
    with pytest.raises(ModelNotFoundError, match=r"and unset \$HF_HUB_DISABLE_IMPLICIT_TOKEN, which") as caught:
        get()
    assert "$HF_TOKEN" not in str(caught.value)


@pytest.mark.parametrize("status", [401, 403])
def test_a_repository_that_is_closed_is_not_found(hub: Hub, status: int) -> None:
    hub.trouble = lambda handler: handler.refuse(status)
    with pytest.raises(ModelNotFoundError, match="or closed to you"):
        get()


def test_a_repository_without_weights_says_what_it_has(hub: Hub) -> None:
    hub.files = {"README.md": b"", "a.gguf": b""}
    with pytest.raises(ModelNotFoundError, match=r"has no weights that are read here.*'README.md', 'a.gguf'"):
        get()


@pytest.mark.parametrize(
    "name", ["a/b/c", "", "a b/c", "../../etc", "a/b@../../x", "a/b@v/../../../x", "a/b@/x", "a/b@", "a/..", r"a/b@\x"]
)
def test_a_name_that_none_can_have_is_refused(hub: Hub, name: str) -> None:
    with pytest.raises(ModelNotFoundError, match="names no repository"):
        get(f"hf-hub:{name}")
    assert not any("/models/" in path for path in hub.asked)


def test_without_the_package_public_repositories_are_downloaded(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert (get() / "open_clip_model.safetensors").read_bytes() == WEIGHTS


# A server that misbehaves


def elsewhere(handler: Handler) -> bool:
    return handler.command == "GET" and "elsewhere" in handler.path


def test_a_server_in_trouble_is_an_error(hub: Hub) -> None:
    hub.trouble = lambda handler: handler.refuse(500)
    with pytest.raises(DownloadError, match=r"could not be downloaded from .*500"):
        get()


def cut_once(hub: Hub, at: int, body: bytes = WEIGHTS) -> Trouble:
    """Close the connection in the middle of the weights, and be a good server from then on."""

    def trouble(handler: Handler) -> bool:
        if not elsewhere(handler) or hub.ranges:
            return False
        hub.ranges.append(None)
        handler.close_connection = True
        return handler.answer(200, body[:at], Content_Length=len(body))

    return trouble


def test_a_download_that_is_cut_off_is_resumed(hub: Hub) -> None:
    hub.trouble = cut_once(hub, HALF)
    assert (get() / "open_clip_model.safetensors").read_bytes() == WEIGHTS
    assert hub.ranges == [None, f"bytes={HALF}-"]


def test_a_file_of_the_wrong_size_is_refused_and_not_kept(hub: Hub) -> None:
    hub.trouble = lambda handler: elsewhere(handler) and handler.answer(200, WEIGHTS[:HALF])
    with pytest.raises(DownloadError, match="could not be downloaded"):
        get()
    hub.trouble = lambda handler: False
    assert (get() / "open_clip_model.safetensors").read_bytes() == WEIGHTS


def test_names_of_files_cannot_lead_out_of_the_folder(hub: Hub, tmp_path: Path) -> None:
    hub.files = {
        "../../../evil.safetensors": b"",
        "/tmp/evil.bin": b"",
        r"..\evil.pt": b"",
        "sub/model.safetensors": b"",
    }
    with pytest.raises(ModelNotFoundError, match="has no weights"):
        get()
    assert hub.fetched == []
    assert wanted(hub.files) == []


def test_a_commit_cannot_lead_out_of_the_cache(hub: Hub, tmp_path: Path) -> None:
    hub.commit = "../../../../../evil"
    with pytest.raises(DownloadError):
        get()
    assert not list(tmp_path.rglob("evil*"))


# Without a network


@pytest.mark.parametrize("setting", ["NUMPYCLIP_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_what_is_cached_is_found_and_nothing_is_asked(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    folder = get()
    monkeypatch.setenv(setting, "1")
    imported_anew(monkeypatch)
    hub.asked.clear()
    assert get() == folder
    assert hub.asked == []


@pytest.mark.parametrize("setting", ["NUMPYCLIP_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_what_is_missing_is_an_error_and_nothing_is_asked(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv(setting, "1")
    imported_anew(monkeypatch)
    with pytest.raises(OfflineError, match=rf"not completely in the cache.*{setting}"):
        get()
    assert hub.asked == []


def test_offline_a_cache_without_weights_is_not_enough(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    (get() / "open_clip_model.safetensors").unlink()
    monkeypatch.setenv("NUMPYCLIP_OFFLINE", "1")
    with pytest.raises(OfflineError):
        get()


@pytest.mark.parametrize("refusal", [(500, ""), (401, "GatedRepo"), (404, "RepoNotFound")])
def test_if_the_hub_refuses_what_is_cached_is_used(hub: Hub, refusal: tuple[int, str]) -> None:
    folder = get()
    hub.trouble = lambda handler: handler.refuse(*refusal)
    with pytest.warns(UserWarning, match=rf"HTTP {refusal[0]}.*{COMMIT} is used; with HF_HUB_OFFLINE=1"):
        assert get() == folder


# What other programs have cached


CLIP = {"config.json": b"{}", "model.safetensors": WEIGHTS}
PROCESSOR = {"preprocessor_config.json": b"{}", "tokenizer_config.json": b"{}", "vocab.json": b"{}"}


def cache(files: dict[str, bytes], tmp_path: Path, commit: str = COMMIT, is_main: bool = True) -> Path:
    """Put files into the cache as other programs do."""
    repository = tmp_path / "home/hub/models--someone--model"
    folder = repository / "snapshots" / commit
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (repository / "refs").mkdir(exist_ok=True)
    if is_main:
        (repository / "refs/main").write_text(commit)
    return folder


@pytest.mark.parametrize(
    "files",
    [
        CLIP,  # by transformers' CLIPModel
        {**CLIP, "vocab.json": b"{}", "tokenizer_config.json": b"{}"},
        {**CLIP, "preprocessor_config.json": b"{}"},
        {"open_clip_model.safetensors": WEIGHTS},  # by open_clip
        {"0_CLIPModel/config.json": b"{}"},
    ],
)
def test_a_snapshot_of_other_programs_that_may_not_be_complete_is_not_used(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]
) -> None:
    cache({name.replace("0_CLIPModel/", ""): data for name, data in files.items()}, tmp_path)
    hub.trouble = lambda handler: handler.refuse(503)
    with pytest.raises(DownloadError, match="503"):
        get()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OfflineError, match=r"not completely in the cache \(it has '.*\), and \$HF_HUB_OFFLINE"):
        get()


@pytest.mark.parametrize(
    "files", [{**CLIP, **PROCESSOR}, {"open_clip_config.json": b"{}", "open_clip_model.safetensors": WEIGHTS}]
)
def test_a_snapshot_of_other_programs_that_says_all_is_used(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]
) -> None:
    folder = cache(files, tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert get() == folder


def test_weights_alone_are_enough_where_a_table_has_the_config(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = cache({"open_clip_model.safetensors": WEIGHTS}, tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert obtain(NAME, partial(wanted, has_table=True)) == folder


def test_a_download_that_was_not_finished_is_not_complete(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (get() / "tokenizer.json").unlink()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OfflineError, match="not completely"):
        get()


@pytest.mark.parametrize("note", [b"", b"{}", b"[1]", b"[" * 100_000])
def test_a_note_that_is_none_is_left_alone(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, note: bytes
) -> None:
    folder = get()
    (folder.parents[1] / ".numpyclip" / f"{COMMIT}.json").write_bytes(note)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert get() == folder  # for it has an open_clip_config.json


def test_a_newer_commit_of_which_there_is_a_part_does_not_hide_a_complete_one(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = get()
    cache({"config.json": b"{}"}, tmp_path, COMMIT[::-1])
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert get() == folder
    with pytest.raises(OfflineError):
        get(f"{NAME}@main")


def test_a_commit_whose_files_cannot_be_fetched_does_not_hide_a_complete_one(hub: Hub) -> None:
    folder = get()
    hub.commit = COMMIT[::-1]
    hub.files["open_clip_model.safetensors"] = b"better"
    hub.trouble = lambda handler: "/resolve/" in handler.path and handler.refuse(503)
    with pytest.warns(UserWarning, match="HTTP 503.*is used"):
        assert get() == folder


def test_a_newer_commit_that_cannot_be_written_does_not_hide_a_complete_one(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = get()
    hub.commit = COMMIT[::-1]
    hub.files["open_clip_model.safetensors"] = b"better"
    monkeypatch.setattr(hub_client, "save", _refuse_to_write)
    with pytest.warns(UserWarning, match=r"cannot be written.*is used"):
        assert get() == folder


def _refuse_to_write(*_: object) -> NoReturn:
    raise DownloadError("blob: cannot be written")


@pytest.mark.parametrize("note", [b"", b'["config.json"]', b'["open_clip_model.safetensors", "gone.json"]'])
def test_a_wrong_note_is_corrected_by_the_hub(hub: Hub, note: bytes) -> None:
    folder = get()
    file = folder.parents[1] / ".numpyclip" / f"{COMMIT}.json"
    right = file.read_bytes()
    file.write_bytes(note)
    get()
    assert file.read_bytes() == right


def test_a_note_of_fewer_files_than_are_here_is_not_believed(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = get()
    note = folder.parents[1] / ".numpyclip" / f"{COMMIT}.json"
    note.write_bytes(b'["model.safetensors"]')
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert get() == folder  # for it has an open_clip_config.json
    (folder / "open_clip_model.safetensors").unlink()
    with pytest.raises(OfflineError, match="not completely"):
        get()


def test_a_hub_that_states_another_commit_than_it_lists_is_refused(hub: Hub) -> None:
    def other(handler: Handler) -> bool:
        if "/resolve/" not in handler.path:
            return handler.answer(
                200, json.dumps({"sha": "v1", "siblings": [{"rfilename": name} for name in hub.files]}).encode()
            )
        return False

    hub.trouble, hub.revisions = other, ("v1",)
    with pytest.raises(DownloadError, match=rf"lists files of commit 'v1', but sends .* of commit '{COMMIT}'"):
        get()
