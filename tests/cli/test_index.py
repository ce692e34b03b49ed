"""`numpyclip index`: what remains unreadable, damage and its repair, graphs."""

import json
import shutil
import sys
import tarfile
import warnings
from pathlib import Path

import pytest
from PIL import Image

from numpyclip.index import decoders
from numpyclip.index.vectors import Recall, hnsw
from tests.cli.conftest import Run


def test_each_run_says_how_many_files_cannot_be_read(run: Run, store: Path) -> None:
    status, _, err = run("index", "--store", store)
    assert status == 0
    assert "4 unchanged" in err
    assert "1 file cannot be read: numpyclip index --problems" in err
    assert json.loads(run("index", "--store", store, "--json").out)["remaining"] == 1


def test_what_could_not_be_read_is_tried_again_with_other_decoders(
    run: Run, store: Path, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "1 unreadable" not in run("index", "--store", store).err
    monkeypatch.setattr("numpyclip.index.update.decoders", lambda: "another")
    assert "3 unchanged, 1 unreadable" in run("index", "--store", store).err
    assert "1 unreadable" not in run("index", "--store", store).err
    assert "1 unreadable" in run("index", "--store", store, "--strict-files").err
    assert "1 unreadable" in run("index", "--store", store, "--max-pixels", "1000000").err


def test_heic_is_tried_again_when_its_decoder_is_there(
    run: Run, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    shutil.copy(Path(__file__).parents[1] / "data" / "red.heic", album)
    place = tmp_path / "album.index"
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pillow_heif", None)
        patch.delitem(Image.OPEN, "HEIF")
        decoders.decoders.cache_clear()
        assert "2 unreadable" in run("index", album, "--store", place, "-m", "tiny").err
    decoders.decoders.cache_clear()
    assert "3 unchanged, 1 embedded, 1 unreadable" in run("index", "--store", place).err


def test_videos_that_are_left_out_come_with_what_reads_them(
    run: Run, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("numpyclip.index.update", "numpyclip.videos.container"):
        monkeypatch.setattr(f"{module}.can_read_videos", lambda: False)
    (album / "clip.MOV").touch()
    err = run("index", album, "-m", "tiny", "--store", tmp_path / "new.index").err
    assert err.endswith('1 video left out: pip install "numpyclip[video]"\n')


def test_what_was_forbidden_is_tried_again(run: Run, store: Path, album: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = album / "bird.png"
    picture.write_bytes(picture.read_bytes() + b"more")

    def forbidden(path: object) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr("numpyclip.images.open.open_regular", forbidden)
        assert "1 unreadable" in run("index", "--store", store).err
    assert "3 unchanged, 1 embedded" in run("index", "--store", store).err


def test_damage_is_found_and_repaired(run: Run, store: Path, album: Path) -> None:
    assert run("index", "--check", "--store", store) == (0, "", "numpyclip: nothing is damaged\n")
    shard = store / "pictures-1" / "000000.float32"
    shard.write_bytes(bytes(shard.stat().st_size))
    status, out, err = run("search", "a bird", "--store", store)
    assert (status, out) == (2, "")
    assert "numpyclip index --check" in err
    status, out, _ = run("index", "--check", "--store", store, "--json")
    assert status == 1
    assert json.loads(out)["problems"] == [
        "damaged embeddings of pictures: 3",
        "images without a sound embedding: 3; `numpyclip index` embeds them again, or --import adds them",
    ]
    assert "3 embedded" in run("index", "--store", store).err
    assert run("index", "--check", "--store", store).status == 0
    assert run("search", "a bird", "--store", store, "--paths").out.splitlines()[0] == str(album / "bird.png")


def test_a_damaged_database_is_repaired_with_its_folders_and_its_model(run: Run, store: Path, album: Path) -> None:
    database = store / "index.sqlite"
    data = bytearray(database.read_bytes())
    data[-100:] = bytes(100)
    data[5000] ^= 1
    database.write_bytes(data)
    for words in (("index",), ("search", "a bird"), ("index", "--list")):
        status, _, err = run(*words, "--store", store)
        assert status != 0
        assert "index --check" in err
    assert run("index", "--check", "--store", store).status == 1
    assert "4 unchanged" in run("index", "--store", store).err
    assert run("search", "a bird", "--store", store, "--paths").out.splitlines()[0] == str(album / "bird.png")


def test_a_folder_cannot_be_checked(run: Run, store: Path, album: Path) -> None:
    assert "cannot be combined" in run("index", album, "--check", "--store", store).err
    assert "holds no index" in run("index", "--check", "--store", store / "other").err


def test_a_graph_says_both_recalls_and_is_refused_if_one_is_low(
    run: Run, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("usearch")
    status, _, err = run("index", "--graph", "--store", store)
    said = "recall@10 100.0% for images, 100.0% for texts, on 1 of each, with 256 candidates: too few images to tell"
    assert (status, err) == (0, f"numpyclip: {said}\n")
    monkeypatch.setattr(hnsw, "measure", lambda *args: Recall(0.98, 0.42, 200, 10, 4096))
    status, _, err = run("index", "--graph", "--store", store)
    assert status == 1
    assert (
        "98.0% for images, 42.0% for texts, on 200 of each, with 4,096 candidates; below 90%, so there is no graph"
        in err
    )
    assert not list(store.glob("*.usearch"))
    record = json.loads(run("index", "--graph", "--store", store, "--json").out)
    assert record == {
        "recall": 0.98,
        "recall_of_texts": 0.42,
        "n": 10,
        "queries": 200,
        "candidates": 4096,
        "used": False,
    }


def _listed(run: Run, store: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(run("index", "--list", "--json", "--store", store).out)
    return found


def test_a_text_model_is_recorded_listed_and_taken_back(run: Run, store: Path) -> None:
    assert run("index", "--store", store, "--text-model", "tiny").status == 0
    assert "album.index: model tiny, text-model tiny, 3 files" in run("index", "--list", "--store", store).out
    assert run("index", "--store", store).status == 0
    assert _listed(run, store)["text_model"] == "tiny"
    assert run("index", "--store", store, "-m", "tiny").status == 0
    assert _listed(run, store)["text_model"] is None


def test_the_dimensions_of_an_index_are_recorded_until_it_is_migrated(run: Run, album: Path, tmp_path: Path) -> None:
    store = tmp_path / "small.index"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Matryoshka")  # once; else it is an error here
        assert run("index", album / "sub", "--store", store, "-m", "tiny", "--truncate-dim", "64").status == 0
    assert _listed(run, store)["truncate_dim"] == 64
    for words in (("index",), ("index", "-m", "tiny"), ("search", "a bird", "--all"), ("search", "a", "-m", "tiny")):
        assert run(*words, "--store", store).status in (0, 1)
    err = run("search", "a bird", "--store", store, "--truncate-dim", "128").err
    assert "holds embeddings of 64 dimensions, not 128; pass truncate_dim=64 (--truncate-dim 64)" in err
    assert "1 re-embedded" in run("index", "--migrate", "-m", "tiny", "--store", store).err
    assert _listed(run, store)["truncate_dim"] is None


def test_the_model_of_an_imported_mix_is_remembered(run: Run, store: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    exported, imported = tmp_path / "exported", tmp_path / "imported.index"
    assert run("index", "--export", exported, "--store", store).status == 0
    fingerprint = json.loads((exported / "numpyclip.json").read_text("utf-8"))
    mixed = json.dumps({**fingerprint, "precision": "bfloat16 and float32"})
    (exported / "numpyclip.json").write_text(mixed, "utf-8")
    assert run("index", "--import", exported, "--store", imported, "-m", "tiny").status == 0
    assert (_listed(run, imported)["model"], _listed(run, imported)["precision"]) == ("tiny", "bfloat16 and float32")
    assert run("search", "a bird", "--store", imported).status == 0


def test_samples_of_archives_are_searched_and_forgotten(run: Run, album: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    shard, store = tmp_path / "0.tar", tmp_path / "tar.index"
    with tarfile.open(shard, "w") as archive:
        archive.add(album / "house.PNG", "s/000.png")
        archive.add(album / "bird.png", "s/001.png")
    run("embed", "images", shard, "-o", f"{tmp_path}/out/", "-m", "tiny", "--workers", 1)
    words = ["index", "--import", f"{tmp_path}/out", "--store", store, "-m", "tiny"]
    assert (run(*words, "--shard", "1/2").err, run(*words, "--shard", "0/2").err) == (
        "numpyclip: 0 new; what the index has already stays as it is\n",
        "numpyclip: 2 new; what the index has already stays as it is\n",
    )
    assert "--shard: is only for --import" in run("index", "--shard", "0/2", "--store", store).err
    found = run("search", "a", "house", "--store", store, "--preview", "kitty", "--all", "--folder", shard)
    assert [line.split("\t")[1] for line in found.out.splitlines()] == [f"{shard}/s/000", f"{shard}/s/001"]
    assert run("search", "a house", "--store", store, "--sheet", tmp_path / "sheet.png").status == 0
    assert run("index", "--forget", shard, "--store", store).err == "numpyclip: 2 files removed from the index\n"


def test_parts_that_are_missing_are_no_images(run: Run, album: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    for number, name in enumerate(("house.PNG", "bird.png")):
        with tarfile.open(tmp_path / f"{number}.tar", "w") as archive:
            archive.add(album / name, name)
    run("embed", "images", tmp_path / "0.tar", tmp_path / "1.tar", "-o", f"{tmp_path}/out/", "-m", "tiny")
    (tmp_path / "out" / "part-00000.parquet").unlink()
    status, out, err = run(
        "index", "--import", f"{tmp_path}/out", "--store", tmp_path / "second", "-m", "tiny", "--json"
    )
    assert (status, json.loads(out)) == (3, {"imported": 1, "unreadable": 0, "missing_parts": 1})
    assert f"{tmp_path}/out: 1 of its parts are not there yet; what is there is imported." in err


@pytest.mark.parametrize("output", ["out/", "out.parquet"])
def test_what_embed_wrote_is_imported(run: Run, album: Path, tmp_path: Path, output: str) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "lines.txt").write_text("a dog\na cat\n")
    for kind, source, new in (("images", album, 3), ("texts", tmp_path / "lines.txt", 2)):
        place = f"{tmp_path}/{kind}-{output}"
        assert run("embed", kind, source, "-o", place, "-m", "tiny").status in (0, 3)
        status, out, _ = run("index", "--import", place, "--store", tmp_path / "second", "-m", "tiny", "--json")
        assert (status, json.loads(out)) == (0, {"imported": new, "unreadable": 0, "missing_parts": 0})
    assert "3 pictures, 2 texts" in run("index", "--list", "--store", tmp_path / "second").out
