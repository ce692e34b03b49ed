"""An index as files, and back; what `numpyclip embed` and clip-retrieval have written."""

import hashlib
import os
import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from numpyclip.batch import embed
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError, MissingPackageError, NumPyCLIPError
from numpyclip.index import Index

pytest.importorskip("pyarrow")

import pyarrow
from pyarrow import Table
from pyarrow.parquet import read_table, write_table

from numpyclip.destinations.manifest import Manifest, claim
from numpyclip.destinations.parquet_parts import write_parquet
from numpyclip.destinations.row import OutputRow
from numpyclip.destinations.write import open_destination
from numpyclip.images.exif import Exif
from numpyclip.images.find import FileState
from numpyclip.images.metadata import ImageMetadata
from numpyclip.index import exporting
from numpyclip.index.exporting import export_embeddings
from numpyclip.index.importing import import_embeddings
from numpyclip.index.migrate import migrate
from numpyclip.index.records import Changes, Filed, NewPicture
from tests.index.test_migrate import half_of_tiny
from tests.object_store import ObjectStore

URLS = Table.from_pydict({"url": ["a"] * 6})


def found(index: Index) -> list[tuple[Any, ...]]:
    """All that an index holds, but for numbers."""
    pictures = [(m.path, m.copies, m.date, m.exif, m.embedding.tobytes()) for m in index.store.everything("pictures")]
    texts = [(m.text, m.embedding.tobytes()) for m in index.store.everything("texts")]
    return sorted(pictures) + sorted(texts)


@pytest.fixture
def exported(index: Index, photos: Path, tmp_path: Path) -> Path:
    shutil.copy(photos / "bird.png" if (photos / "bird.png").exists() else next(photos.glob("*.png")), photos / "z.png")
    index.update([photos])
    index.add_texts(["a bird", "a house"])
    assert export_embeddings(index.store, tmp_path / "out") == 8
    return tmp_path / "out"


def test_all_comes_back_as_it_was(index: Index, exported: Path, tmp_path: Path, tiny: CLIP) -> None:
    with Index(tmp_path / "second", tiny, create=True) as second:
        assert import_embeddings(second, exported) == 8
        assert found(index) == found(second)
        assert import_embeddings(second, exported) == 0
        report = second.update([exported.parent / "photos"])
        assert (report.embedded, report.unchanged) == (0, 7)


def test_sizes_that_no_database_holds_are_not_taken(index: Index, exported: Path, tmp_path: Path, tiny: CLIP) -> None:
    file = exported / "metadata" / "metadata_0000.parquet"
    table, most = read_table(file), (1 << 64) - 1
    copies = [[most] * len(each) for each in table["copies"].to_pylist()]
    for name, values in (("size", [most] * len(table)), ("copies_size", copies)):
        column = pyarrow.array(values, pyarrow.list_(pyarrow.uint64()) if name == "copies_size" else pyarrow.uint64())
        table = table.set_column(table.schema.get_field_index(name), name, column)
    write_table(table, file)
    with Index(tmp_path / "second", tiny, create=True) as second:
        assert import_embeddings(second, exported) == 8
        assert found(index) == found(second)  # the images were read


def test_the_files_are_those_of_clip_retrieval(index: Index, exported: Path) -> None:
    embeddings = np.load(exported / "img_emb" / "img_emb_0000.npy")
    table = read_table(exported / "metadata" / "metadata_0000.parquet").to_pylist()
    matches = list(index.store.everything("pictures"))
    assert embeddings.dtype == np.float32
    np.testing.assert_array_equal(embeddings, np.stack([match.embedding for match in matches]))
    assert [row["image_path"] for row in table] == [match.path for match in matches]
    texts = read_table(exported / "texts" / "metadata" / "metadata_0000.parquet").to_pylist()
    assert sorted(row["caption"] for row in texts) == ["a bird", "a house"]


def test_the_reader_of_autofaiss_reads_them(exported: Path) -> None:
    module = pytest.importorskip("embedding_reader")
    reader = module.EmbeddingReader(
        embeddings_folder=str(exported / "img_emb"),
        metadata_folder=str(exported / "metadata"),
        meta_columns=["image_path"],
        file_format="parquet_npy",
    )
    ((embeddings, metadata),) = list(reader(batch_size=100, show_progress=False))
    np.testing.assert_array_equal(embeddings, np.load(exported / "img_emb" / "img_emb_0000.npy"))
    assert len(metadata["image_path"]) == 6


def test_large_indexes_are_many_files(
    index: Index, photos: Path, tmp_path: Path, tiny: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "_ROWS", 2)
    index.update([photos])
    export_embeddings(index.store, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out" / "img_emb").iterdir()) == [
        f"img_emb_000{n}.npy" for n in range(3)
    ]
    with Index(tmp_path / "second", tiny, create=True) as second:
        assert import_embeddings(second, tmp_path / "out") == 6


def to_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def clip_retrievals(folder: Path, paths: list[str], embeddings: np.ndarray, captions: list[str] | None = None) -> Path:
    """A folder as clip-retrieval writes it: float16, and nothing about the model."""
    columns = {"image_path": paths} | ({"caption": captions} if captions else {})
    for name in ("img_emb", "metadata"):
        (folder / name).mkdir(parents=True)
    np.save(folder / "img_emb" / "img_emb_0.npy", embeddings.astype(np.float16))
    write_table(Table.from_pydict(columns), folder / "metadata" / "metadata_0.parquet")
    return folder


def test_what_clip_retrieval_wrote_is_compared_and_taken(
    index: Index, photos: Path, tmp_path: Path, tiny: CLIP
) -> None:
    paths = [str(path) for path in sorted(photos.rglob("*.png"))]
    captions = [f"caption {n}" for n in range(6)]
    folder = clip_retrievals(tmp_path / "out", paths, 3 * tiny.embed_images(paths), captions)
    (folder / "text_emb").mkdir()
    np.save(folder / "text_emb" / "text_emb_0.npy", tiny.embed_texts(captions).astype(np.float16))
    assert import_embeddings(index, folder) == 12
    (match,) = index.search(tiny.embed_images(paths[2])[0], 1)
    assert match.path == paths[2]
    assert match.cosine == pytest.approx(1, abs=1e-3)  # float16
    assert np.linalg.norm(match.embedding) == pytest.approx(1, abs=1e-6)
    assert index.search("caption 3", 1, modality="texts")[0].text == "caption 3"


def test_rows_without_a_path_or_a_text_are_passed_over(index: Index, photos: Path, tmp_path: Path, tiny: CLIP) -> None:
    paths: list[Any] = [None, *map(str, sorted(photos.rglob("*.png")))]
    captions: list[Any] = ["caption", None, "", "another", None, None, None]
    embeddings = tiny.embed_texts([f"text {n}" for n in range(7)])
    embeddings[1:] = tiny.embed_images(paths[1:])
    folder = clip_retrievals(tmp_path / "out", paths, embeddings, captions)
    (folder / "text_emb").mkdir()
    np.save(folder / "text_emb" / "text_emb_0.npy", tiny.embed_texts(["caption"] * 7).astype(np.float16))
    told: list[str] = []
    assert import_embeddings(index, folder, report=told.append) == 6 + 2
    table = f"{folder}/metadata/metadata_0.parquet"
    assert told == [f"{table}: rows without a key or an embedding are left out: 1; expected both in each."]


@pytest.mark.parametrize("has_urls", [True, False])
def test_samples_of_a_webdataset_are_names_without_files(
    index: Index, photos: Path, tmp_path: Path, tiny: CLIP, has_urls: bool
) -> None:
    keys, captions = [f"0000{n}" for n in range(6)], [f"caption {n}" for n in range(6)]
    urls: list[Any] = [f"https://x.org/{n}.jpg" for n in range(4)] + [None, "javascript:alert(1)"]
    embeddings = tiny.embed_images(sorted(photos.rglob("*.png")))
    folder = clip_retrievals(tmp_path / "out", keys, embeddings, captions)
    table = folder / "metadata" / "metadata_0.parquet"
    if has_urls:  # as img2dataset has it in the JSON of each sample
        columns = {"image_path": keys, "caption": captions, "url": urls, "width": [64] * 6}
        write_table(Table.from_pydict(columns), table)
    (folder / "text_emb").mkdir()
    np.save(folder / "text_emb" / "text_emb_0.npy", tiny.embed_texts(captions).astype(np.float16))
    told: list[str] = []
    assert import_embeddings(index, folder, report=told.append) == 12
    assert told == []
    found = {match.path for match in index.search(embeddings[0], 6)}
    places = {f"{table}/{key}" for key in keys}
    assert found == ({*urls[:4], *(f"{table}/{key}" for key in keys[4:])} if has_urls else places)
    assert import_embeddings(index, folder) == 0
    index.update([photos])  # which removes none of them
    assert {match.path for match in index.search(embeddings[0], 100)} >= found


def test_keys_are_no_files_whatever_is_in_their_folders_or_here(
    index: Index, photos: Path, tmp_path: Path, tiny: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("000").write_bytes(b"of another")
    keys, embeddings = ["n01.440/1", "n01.440/2", "000"], tiny.embed_images(sorted(photos.rglob("*.png"))[:3])
    folder = clip_retrievals(tmp_path / "out", keys, embeddings)
    with pytest.raises(InputError, match=r"If it is this one, put there a numpyclip\.json"):
        import_embeddings(index, folder)
    (folder / "numpyclip.json").write_text(tiny.fingerprint.to_json())
    told: list[str] = []
    assert import_embeddings(index, folder, report=told.append) == 3
    assert told == []
    assert import_embeddings(index, folder.rename(tmp_path / "moved")) == 0


def test_embeddings_of_another_model_are_refused(index: Index, photos: Path, exported: Path, tiny: CLIP) -> None:
    paths = [str(path) for path in sorted(photos.rglob("*.png"))]
    others = np.random.default_rng(0).standard_normal((len(paths), 128))
    folder = clip_retrievals(exported.parent / "other", paths, others)
    with pytest.raises(InputError, match=r"of another model: the cosine with this one's is -?0\.\d+"):
        import_embeddings(index, folder)
    fingerprint = exported / "numpyclip.json"
    fingerprint.write_text(replace(tiny.fingerprint, weights="0" * 64, weights_float16="").to_json())
    with pytest.raises(InputError, match="its embeddings are of another model \\(weights: 0000"):
        import_embeddings(index, exported)
    fingerprint.unlink()
    shutil.rmtree(photos)
    shutil.rmtree(exported / "texts")
    with pytest.raises(InputError, match="the embeddings' model is not recorded"):
        import_embeddings(index, exported)


def test_embeddings_of_mixed_precisions_come_back_as_such(exported: Path, tmp_path: Path, tiny: CLIP) -> None:
    fingerprint = exported / "numpyclip.json"
    fingerprint.write_text(replace(tiny.fingerprint, precision="bfloat16 and float32").to_json())
    with Index(tmp_path / "new", tiny, create=True) as new:
        assert import_embeddings(new, exported) > 0
        assert new.store.fingerprint == replace(tiny.fingerprint, precision="bfloat16 and float32")
        new.add_texts("a house")
    with Index(tmp_path / "other", tiny, create=True) as other:
        other.add_texts("a house")
        with pytest.raises(InputError, match="computed in float32, new ones would be in bfloat16 and float32"):
            import_embeddings(other, exported)
    with Index(tmp_path / "other", tiny, mix_precisions=True) as other:
        assert import_embeddings(other, exported) > 0
        assert other.store.fingerprint == replace(tiny.fingerprint, precision="bfloat16 and float32")


def test_what_has_changed_since_is_noticed_by_the_next_update(
    index: Index, exported: Path, photos: Path, tmp_path: Path, tiny: CLIP
) -> None:
    (photos / "z.png").write_bytes(b"no picture any more")
    gone = next((photos / "more").iterdir())
    gone.unlink()
    problems: list[str] = []
    with Index(tmp_path / "second", tiny, create=True) as second:
        assert import_embeddings(second, exported, report=problems.append) == 8
        assert problems == []
        report = second.update([photos])
        assert (report.embedded, report.unchanged, report.unreadable, report.forgotten) == (0, 5, 1, 1)


def test_where_nothing_is_recorded_images_are_read_or_left_out(
    index: Index, photos: Path, tmp_path: Path, tiny: CLIP
) -> None:
    paths = [str(path) for path in sorted(photos.rglob("*.png"))]
    members = ["https://x.org/a.jpg", f"{photos}/0.tar/s/000", f"{photos}/none/b.parquet/7"]
    vectors = tiny.embed_texts([f"text {number}" for number in range(9)])
    out = parts(f"{tmp_path}/out", tiny, [*paths, *members], vectors)
    Path(paths[0]).write_bytes(b"no picture any more")
    Path(paths[1]).unlink()
    problems: list[str] = []
    assert import_embeddings(index, out, report=problems.append) == 7
    assert problems == [
        f"{paths[0]}: cannot be read as an image (not in a supported format).",
        f"{paths[1]}: cannot be read (No such file or directory).",
    ]
    assert sorted(str(match.path) for match in index.store.everything("pictures")) == sorted([*paths[2:], *members])
    assert {match.file for match in index.store.everything("pictures")} == {*paths[2:], None}


def test_keys_without_a_name_are_no_files(index: Index, tmp_path: Path, tiny: CLIP) -> None:
    nameless = ["s3://", "http:///", "/", ".", f"{tmp_path}/..", f"{tmp_path}/"]
    vectors, known = tiny.embed_texts([f"text {number}" for number in range(7)]), Exif(1, 1)
    rows = [
        OutputRow(key, vector, {}, None, ImageMetadata(hashlib.sha256(key.encode()).digest(), known, FileState(5, 6)))
        for key, vector in zip([*nameless, "https://x.org/a.jpg"], vectors, strict=True)
    ]
    write_parquet(str(tmp_path / "x.parquet"), rows, "float32", 128, tiny.fingerprint.to_json(), "images")
    told: list[str] = []
    assert import_embeddings(index, tmp_path / "x.parquet", report=told.append) == 1
    assert len(told) == 6
    assert all(line.endswith("is no path of a file.") for line in told)
    assert index.store.no_file() == "https://x.org/a.jpg"  # though a size is recorded


def test_an_embedding_is_filed_under_the_image_that_was_embedded(
    index: Index, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the import runs, there are other images of these names."""
    names = sorted(path.name for path in photos.glob("*.png"))
    (tmp_path / "other" / "photos").mkdir(parents=True)
    for name, other in zip(names, reversed(names), strict=True):
        shutil.copy(photos / name, tmp_path / "other" / "photos" / other)
    monkeypatch.chdir(tmp_path)
    embed("photos", "out", model="tiny", workers=1)
    monkeypatch.chdir("other")
    assert import_embeddings(index, tmp_path / "out") == 6
    assert all(str(match.path).startswith(str(photos)) for match in index.store.everything("pictures"))
    assert index.update([photos]).unchanged == 6
    shutil.copy(photos / names[0], photos / names[1])  # changed after it was embedded
    assert import_embeddings(index, tmp_path / "out") == 0
    assert index.update().recognised == 1
    digest = hashlib.sha256((photos / names[0]).read_bytes()).digest()
    assert index.store.paths_of([digest]) == {digest: {str(photos / name) for name in names[:2]}}


def test_an_import_replaces_nothing_that_is_newer(index: Index, photos: Path, tmp_path: Path) -> None:
    embed(str(photos), str(tmp_path / "out"), model="tiny", workers=1)
    changed, other, *_ = sorted(photos.glob("*.png"))
    Image.new("RGB", (50, 50), "red").save(changed)
    other.write_bytes(b"no picture any more")
    index.update([photos])
    before = found(index)
    assert import_embeddings(index, tmp_path / "out") == 2  # the embeddings, of no file
    assert found(index) == before
    assert [path for path, _ in index.store.problems()] == [str(other)]
    assert index.update().unchanged == 6


def test_files_of_another_machine_are_none_here(index: Index, photos: Path, tmp_path: Path, tiny: CLIP) -> None:
    embed(str(photos), str(tmp_path / "out"), model="tiny", workers=1)
    dates = {str(path): path.stat().st_mtime_ns for path in photos.rglob("*.png")}
    photos.rename(tmp_path / "not mounted")
    assert import_embeddings(index, tmp_path / "out") == 6
    other = half_of_tiny(tmp_path / "other.npz", shift=0)
    with index.store.writing(), pytest.raises(InputError, match=f"cannot be read again, such as {photos}/"):
        next(migrate(index.store, other))
    everything = list(index.store.everything("pictures"))
    assert {match.file for match in everything} == {None}
    assert {match.path: match.date for match in everything} == {
        path: datetime.fromtimestamp(mtime_ns // 10**9).isoformat() for path, mtime_ns in dates.items()
    }
    (tmp_path / "not mounted").rename(photos)
    assert index.update([photos]).recognised == 6
    assert {match.file for match in index.store.everything("pictures")} == dates.keys()


@pytest.mark.skipif(os.name == "nt", reason="names are text")
def test_names_that_are_no_text_survive(
    index: Index, tmp_path: Path, emoji: dict[str, Image.Image], tiny: CLIP
) -> None:
    (tmp_path / "photos").mkdir()
    path = str(tmp_path / "photos" / os.fsdecode(b"na\xffme.png"))
    emoji["bird"].save(path)
    index.update([tmp_path / "photos"])
    export_embeddings(index.store, tmp_path / "out")
    with Index(tmp_path / "second", tiny, create=True) as second:
        import_embeddings(second, tmp_path / "out")
        assert [match.path for match in second.store.everything("pictures")] == [path]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda out: shutil.rmtree(out / "img_emb"), r"has neither part-\*\.parquet nor img_emb"),
        (lambda out: (out / "metadata" / "metadata_0000.parquet").unlink(), "1 files in img_emb and 0 in metadata"),
        (lambda out: (out / "metadata" / "metadata_0000.parquet").write_bytes(b"PAR1"), "is not a parquet file"),
        (lambda out: (out / "img_emb" / "img_emb_0000.npy").write_bytes(b"\x93NUMPY"), "cannot be read"),
        (lambda out: np.save(out / "img_emb" / "img_emb_0000.npy", np.ones((6, 64), "f4")), "of 64 dimensions"),
        (lambda out: np.save(out / "img_emb" / "img_emb_0000.npy", np.ones((5, 128), "f4")), "has 6 rows, and .* 5"),
        (lambda out: np.save(out / "img_emb" / "img_emb_0000.npy", np.zeros((6, 128), "f4")), "zero or not finite"),
        (lambda out: np.save(out / "img_emb" / "img_emb_0000.npy", np.full((6, 128), np.nan, "f4")), "not finite"),
        (lambda out: np.save(out / "img_emb" / "img_emb_0000.npy", np.array([[{}] * 128] * 6)), "is object of shape"),
        (lambda out: write_table(URLS, out / "metadata" / "metadata_0000.parquet"), "no column image_path"),
        (lambda out: (out / "numpyclip.json").write_text("{}"), "is no fingerprint"),
        (lambda out: (out / "numpyclip.json").write_bytes(b"\xff"), "numpyclip.json: cannot be read"),
        (lambda out: to_fifo(out / "numpyclip.json"), "numpyclip.json: cannot be read"),
        (lambda out: to_fifo(out / "img_emb" / "img_emb_0000.npy"), "npy: cannot be read"),
        (lambda out: to_fifo(out / "metadata" / "metadata_0000.parquet"), "parquet: cannot be read .*named pipe"),
    ],
)  # fmt: skip
def test_damaged_folders_are_refused(exported: Path, tmp_path: Path, tiny: CLIP, spoil: Any, message: str) -> None:
    shutil.rmtree(exported / "texts")
    spoil(exported)
    with (
        Index(tmp_path / "second", tiny, create=True) as second,
        pytest.raises(InputError, match=message),
    ):
        import_embeddings(second, exported)


def test_an_export_appears_whole_or_not_at_all(
    index: Index, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="is there already"):
        export_embeddings(index.store, exported)

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NumPyCLIPError, match=r"third/img_emb/.*\.npy: cannot be written \(No space left on device\)"):
        export_embeddings(index.store, tmp_path / "third")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("third")]


def test_without_pyarrow_it_says_so(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match=r"numpyclip\[parquet\]"):
        export_embeddings(index.store, tmp_path / "out")


def parts(place: str, model: CLIP, paths: list[str], vectors: Any = None, **changed: Any) -> str:
    """Parts as `numpyclip embed` writes them, but for metadata, of two inputs each, with an error at the end."""
    values: dict[str, Any] = {"layout": "parquet", "kind": "images", "dtype": "float32", "embed_dim": 128, **changed}
    facts = {"fingerprint": model.fingerprint.to_json(), "options": {}, "parts": len(paths) // 2 + 1}
    manifest = Manifest(**{**facts, "parts_sha256": "", **values})
    claim(place, manifest)
    destination = open_destination(place, manifest.layout, manifest.dtype, manifest.embed_dim, manifest.kind)
    embeddings = model.embed_images(paths) if vectors is None else vectors
    rows = [OutputRow(path, vector, {"caption": "a"}, None) for path, vector in zip(paths, embeddings, strict=True)]
    rows.append(OutputRow(str(Path(paths[0]).with_name("damaged.png")), None, {}, "cannot be read"))
    for number in range(0, len(rows), 2):
        destination.write(number // 2, rows[number : number + 2])
    return place


@pytest.mark.parametrize("layout", ["parquet", "clip-retrieval"])
@pytest.mark.parametrize("folder", ["", "memory://bucket/"])
def test_parts_are_the_index_that_the_images_would_be(
    index: Index, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: CLIP, layout: str, folder: str
) -> None:
    if folder:
        ObjectStore(monkeypatch)
    paths = [str(path) for path in sorted(photos.rglob("*.png"))]
    out = parts((folder or f"{tmp_path}/") + "out", tiny, paths, layout=layout)
    told: list[str] = []
    assert import_embeddings(index, out, report=told.append) == 6
    assert import_embeddings(index, out, report=told.append) == 0
    assert told == []
    with Index(tmp_path / "second", tiny, create=True) as second:
        second.update([photos], draft=False, batch_size=6)
        assert found(index) == found(second)


def test_a_single_file_of_embeddings_is_imported(index: Index, photos: Path, tmp_path: Path, tiny: CLIP) -> None:
    paths = [str(path) for path in sorted(photos.rglob("*.png"))]
    rows = [OutputRow(path, tiny.embed_images(path)[0], {}, None) for path in paths]
    write_parquet(str(tmp_path / "x.parquet"), rows, "float32", 128, tiny.fingerprint.to_json(), "images")
    assert import_embeddings(index, tmp_path / "x.parquet") == 6
    write_parquet(str(tmp_path / "y.parquet"), rows, "float32", 128, "{}", "images")
    with pytest.raises(InputError, match=r"y\.parquet: the fingerprint of its model cannot be read"):
        import_embeddings(index, tmp_path / "y.parquet")


def test_texts_of_parts_are_imported(index: Index, tmp_path: Path, tiny: CLIP) -> None:
    texts = [f"text {n}" for n in range(600)]
    facts = {"layout": "parquet", "kind": "texts", "dtype": "float32", "embed_dim": 128, "options": {}}
    fingerprint = tiny.fingerprint.to_json()
    claim(str(tmp_path / "out"), Manifest(**facts, fingerprint=fingerprint, parts=1, parts_sha256=""))  # type: ignore[arg-type]
    embeddings = zip(texts, tiny.embed_texts(texts), strict=True)
    rows = (OutputRow(f"a.txt/{text}", vector, {"caption": text}, None) for text, vector in embeddings)
    open_destination(str(tmp_path / "out"), "parquet", "float32", 128, "texts").write(0, rows)
    assert import_embeddings(index, tmp_path / "out") == 600
    assert index.search("text 599", 1, modality="texts")[0].text == "text 599"


def test_parts_of_another_model_are_refused(index: Index, photos: Path, tmp_path: Path, tiny: CLIP) -> None:
    other = replace(tiny.fingerprint, weights="0" * 64, weights_float16="").to_json()
    parts(str(tmp_path / "out"), tiny, [str(next(photos.glob("*.png")))], fingerprint=other)
    with pytest.raises(InputError, match="its embeddings are of another model \\(weights: 0000"):
        import_embeddings(index, tmp_path / "out")
    (tmp_path / "out" / "_manifest.json").unlink()
    assert import_embeddings(index, tmp_path / "out") == 1  # compared with the image itself


def test_a_part_is_of_one_share_whatever_others_are_there(
    index: Index, photos: Path, tmp_path: Path, tiny: CLIP
) -> None:
    """Importers list the parts at different moments of a run that writes them."""
    paths = [str(path) for path in sorted(photos.rglob("*.png"))]
    out = tmp_path / "out"
    parts(str(out), tiny, paths)
    (out / "part-00000.parquet").rename(tmp_path / "in flight")
    assert import_embeddings(index, out, shard=(1, 2)) == 2
    (tmp_path / "in flight").rename(out / "part-00000.parquet")
    assert import_embeddings(index, out, shard=(0, 2)) == 4


def test_all_moments_of_videos_come_back(index: Index, tmp_path: Path, tiny: CLIP) -> None:
    moments = dict(zip(("0", "2.5", "1000"), tiny.embed_texts(["a bird", "a house", "a cat"]), strict=True))
    digest = hashlib.sha256(b"video").digest()
    filed = [Filed(f"/videos/{name}.mp4", FileState(1, 2), digest) for name in "ab"]
    with index.adding():
        index.begin()
        index.store.write(Changes(filed, {digest: NewPicture(Exif(4, 3, camera="C", duration=1001.5), moments)}))
    assert export_embeddings(index.store, tmp_path / "out") == 3
    with Index(tmp_path / "second", tiny, create=True) as second:
        assert import_embeddings(second, tmp_path / "out") == 1
        assert found(second) == found(index)
        assert [match.part for match in second.store.everything("pictures")] == ["0", "1000", "2.5"]
        assert import_embeddings(second, tmp_path / "out") == 0
        (match,) = second.search("a house")
        assert (match.seconds, len(match.moments)) == (2.5, 2)


def test_columns_of_other_programs_are_no_views(index: Index, photos: Path, tmp_path: Path, tiny: CLIP) -> None:
    paths = [str(path) for path in sorted(photos.rglob("*.png"))[:2]]
    embeddings = tiny.embed_images(paths).tolist()
    table = Table.from_pydict({"key": paths, "embedding": embeddings, "view": ["front", "3 m"]})
    write_table(table, tmp_path / "table.parquet")
    assert import_embeddings(index, tmp_path / "table.parquet") == 2
    assert {match.part for match in index.store.everything("pictures")} == {""}
