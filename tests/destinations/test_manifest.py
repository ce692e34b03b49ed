"""The manifest of a destination: equal for all machines, and a second run that does not fit is refused."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from numpyclip.destinations.manifest import NAME, Manifest, claim, digest_of, read_manifest
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.sources.part import Part
from tests.object_store import ObjectStore

PARTS = [Part(0, "webdataset", "00000.tar"), Part(1, "files", "photos", paths=("a.jpg", "b\udcff.jpg"))]
MANIFEST = Manifest(
    layout="parquet",
    kind="images",
    dtype="float32",
    embed_dim=128,
    fingerprint=json.dumps({"weights": "0a", "precision": "float32", "file_dtype": "float16"}),
    options={"batch_size": 32, "reading": {"columns": ("caption", "url"), "limit": None}},
    parts=2,
    parts_sha256=digest_of(PARTS),
)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    place = str(tmp_path / "out")
    assert read_manifest(place) is None
    claim(place, MANIFEST)
    found = read_manifest(place)
    assert found is not None
    assert list(found.differences(MANIFEST)) == []
    assert found.to_json() == MANIFEST.to_json() == (tmp_path / "out" / NAME).read_text()
    claim(place, MANIFEST)
    assert names(tmp_path / "out") == [NAME]


def test_the_fingerprint_of_a_model_survives(tmp_path: Path, tiny: CLIP) -> None:
    claim(str(tmp_path), replace(MANIFEST, fingerprint=tiny.fingerprint.to_json()))
    found = read_manifest(str(tmp_path))
    assert found is not None
    assert type(tiny.fingerprint).from_json(found.fingerprint) == tiny.fingerprint


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"dtype": "float16"}, 'dtype: found "float32", expected "float16"'),
        ({"fingerprint": '{"weights": "0b", "precision": "float32"}'}, r'model\.weights: found "0a", expected "0b"'),
        ({"options": {"batch_size": 32}}, r'options\.reading\.columns: found \["caption", "url"\], expected nothing'),
        ({"parts": 3, "dtype": "float16"}, r"inputs\.parts: found 2, expected 3"),
    ],
)  # fmt: skip
def test_a_run_that_does_not_fit_is_refused(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    claim(str(tmp_path), MANIFEST)
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(InputError, match=rf"was started with other settings \(.*{message}.*or choose another dest"):
        claim(str(tmp_path), replace(MANIFEST, **changed))
    assert (tmp_path / NAME).read_bytes() == before


@pytest.mark.parametrize(("parts", "digest"), [(3, MANIFEST.parts_sha256), (2, digest_of(PARTS[::-1]))])
def test_a_run_whose_sources_have_changed_is_refused(tmp_path: Path, parts: int, digest: str) -> None:
    claim(str(tmp_path), MANIFEST)
    changed = f"the sources have changed since this run began: 2 parts then, {parts} now .* into another destination"
    with pytest.raises(InputError, match=changed):
        claim(str(tmp_path), replace(MANIFEST, parts=parts, parts_sha256=digest))


def test_equal_weights_in_another_file_fit(tmp_path: Path) -> None:
    claim(str(tmp_path), MANIFEST)
    claim(str(tmp_path), replace(MANIFEST, fingerprint='{"weights": "0a", "precision": "float32"}'))


def outcome(place: str, manifest: Manifest) -> str | None:
    try:
        claim(place, manifest)
    except InputError as error:
        return str(error)
    return None


def test_equal_runs_that_start_together_all_go_on(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: outcome(str(tmp_path / "out"), MANIFEST), range(32)))
    assert found == [None] * 32
    assert names(tmp_path / "out") == [NAME]


def test_of_different_runs_that_start_together_one_goes_on(tmp_path: Path) -> None:
    runs = [replace(MANIFEST, parts=number) for number in range(16)]
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda run: outcome(str(tmp_path / "out"), run), runs))
    assert found.count(None) == 1
    first = read_manifest(str(tmp_path / "out"))
    assert first is not None
    assert first.parts == found.index(None)


def test_a_folder_with_other_files_is_no_destination(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(InputError, match=r"has files, such as 'photo\.jpg', but no _manifest\.json; expected a new or"):
        claim(str(tmp_path), MANIFEST)
    assert names(tmp_path) == ["photo.jpg"]


def test_a_hidden_file_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "._manifest.json.1-00000000.part").touch()  # of another that is about to write
    claim(str(tmp_path), MANIFEST)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[]", "is not a manifest of embeddings"),
        (b'{"name": "web app"}', "is not a manifest of embeddings"),
        (b'{"format": "numpyclip-embeddings", "version": 2}', "is of version 2; expected 1. Update NumPyCLIP"),
        (b'{"format": "numpyclip-embeddings", "version": 1}', "is damaged"),
        (MANIFEST.to_json().replace("128", '"128"').encode(), "is damaged"),
        (MANIFEST.to_json().replace('"parquet"', "[]").encode(), "is damaged"),
        (MANIFEST.to_json().replace('"parts": 2', '"parts": true').encode(), "is damaged"),
        (b" " * (1 << 21), "has more than"),
    ],
)
def test_a_damaged_manifest_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(InputError, match=message):
        claim(str(tmp_path), MANIFEST)


def test_a_destination_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "no" / "out"):
        with pytest.raises(NumPyCLIPError, match=f"{place}: cannot be"):
            claim(str(place), MANIFEST)


def test_an_object_store_has_one_manifest_too(store: ObjectStore) -> None:
    place = "memory://bucket/out"
    claim(place, MANIFEST)
    claim(place, MANIFEST)
    assert store.get(f"{place}/{NAME}") == MANIFEST.to_json().encode()
    with pytest.raises(InputError, match="was started with other settings"):
        claim(place, replace(MANIFEST, kind="texts"))
    store.put("memory://bucket/other/a.jpg", b"")
    with pytest.raises(InputError, match="has files, such as"):
        claim("memory://bucket/other", MANIFEST)


def test_a_store_with_folders_of_other_files_is_no_destination(store: ObjectStore) -> None:
    store.put("memory://bucket/theirs/img_emb/img_emb_0.npy", b"")
    with pytest.raises(InputError, match=r"has files, such as 'img_emb', but no _manifest\.json"):
        claim("memory://bucket/theirs", MANIFEST)


@pytest.mark.parametrize("kind", ["file", "sftp", "hdfs"])
def test_a_url_where_half_a_part_could_stay_is_no_destination(tmp_path: Path, kind: str) -> None:
    with pytest.raises(InputError, match="cannot be written atomically"):
        claim(f"{kind}://{tmp_path.as_posix()}/out", MANIFEST)
    assert names(tmp_path) == []


def test_inputs_are_told_apart_by_each_of_their_parts() -> None:
    others = [PARTS[:1], PARTS[::-1], [replace(PARTS[0], limit=3), PARTS[1]], [PARTS[0], replace(PARTS[1], paths=())]]
    assert len({digest_of(parts) for parts in (PARTS, *others)}) == 5
