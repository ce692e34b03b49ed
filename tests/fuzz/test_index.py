"""Indexes whose files are damaged: the same results as before, or StoreError."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("hypothesis")
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import StoreError
from numpyclip.index import Index, Where

PAGE = 4096
CORPUS = Path(__file__).parent / "corpus" / "index"  # databases of killed writers, without checksums: any error is ours
FILES = ("index.sqlite", "index.sqlite-checksum", "000000.float32", "000000.float32-checksums", "000000.int8")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, emoji: dict[str, Image.Image], tiny: CLIP) -> Path:
    """A folder of photos and their index."""
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "photos").mkdir()
    for name, picture in sorted(emoji.items())[:12]:
        picture.save(folder / "photos" / f"{name}.png")
    (folder / "photos" / "broken.png").write_bytes(b"no picture")
    with Index(folder / "index", tiny, create=True, vectors="int8") as index:
        index.update([folder / "photos"])
        index.add_texts(["a bird", "a house"])
    return folder


Ask = Callable[[Path], str]


@pytest.fixture(scope="module")
def ask(whole: Path, tiny: CLIP) -> Ask:
    """Return all that can be asked of an index; the model is no argument of tests, which are shown when one fails."""
    query, photos = tiny.embed_texts(["a bird"])[0], whole / "photos"

    def ask(place: Path) -> str:
        with Index(place, tiny) as index:
            found = [
                *index.search(query, 50),
                *index.search(query, 50, where=Where(folder=photos, after="2001")),
                *index.search(query, 50, modality="texts"),
            ]
            store = index.store
            facts = [store.counts(), list(store.problems()), store.folders(), sorted(store.files(str(photos)).items())]
            return repr([[match.to_dict() for match in found], facts, store.model_name])

    return ask


def damaged(data: bytes, kind: str, at: int, value: int) -> bytes:
    """Damage the content of a file."""
    at %= max(len(data), 1)
    page = at // PAGE * PAGE
    if kind == "byte":
        return data[:at] + bytes([value]) + data[at + 1 :]
    if kind == "cut":
        return data[:at]
    if kind == "zeros":
        return data[:page] + bytes(len(data[page : page + PAGE])) + data[page + PAGE :]
    if kind == "swap":
        other = value % (len(data) // PAGE + 1) * PAGE
        first, second = sorted((page, other))
        pages = data[first : first + PAGE], data[second : second + PAGE]
        return data[:first] + pages[1] + data[first + PAGE : second] + pages[0] + data[second + PAGE :]
    if kind == "nan":
        at -= at % 4
        return data[:at] + bytes([0, 0, 192, 127]) + data[at + 4 :]
    return data + bytes([value]) * (at + 1)


KINDS = st.sampled_from(["byte", "cut", "zeros", "swap", "nan", "longer"])
ANYWHERE, BYTE = st.integers(0, 1 << 20), st.integers(0, 255)


@pytest.fixture(scope="module")
def expected(whole: Path, ask: Ask) -> str:
    return ask(whole / "index")


@given(st.sampled_from(FILES), st.lists(st.tuples(KINDS, ANYWHERE, BYTE), min_size=1, max_size=3))
@example("index.sqlite", [("byte", 5000, 1)])
@example("000000.int8", [("zeros", 0, 0)])
def test_damage_is_noticed(
    whole: Path, expected: str, ask: Ask, name: str, damages: list[tuple[str, int, int]]
) -> None:
    place = whole / "damaged"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(whole / "index", place)
    (file,) = (file for file in place.rglob(name) if "texts" not in str(file))
    data = file.read_bytes()
    for damage in damages:
        data = damaged(data, *damage)
    file.write_bytes(data)
    try:
        found = ask(place)
    except StoreError as error:
        assert str(place) in str(error)
    else:
        assert found == expected


@given(st.lists(st.tuples(KINDS, ANYWHERE, BYTE), min_size=1, max_size=5))
def test_a_database_without_checksum_raises_no_other_error(
    whole: Path, ask: Ask, damages: list[tuple[str, int, int]]
) -> None:
    """As a killed writer leaves it: what SQLite cannot tell may be found, but nothing else is raised."""
    data = (whole / "index" / "index.sqlite").read_bytes()
    for damage in damages:
        data = damaged(data, *damage)
    _assert_only_ours(whole, ask, data)


@pytest.mark.parametrize("name", sorted(file.name for file in CORPUS.iterdir()))
def test_what_once_raised_another_error(whole: Path, ask: Ask, name: str) -> None:
    _assert_only_ours(whole, ask, (CORPUS / name).read_bytes())


def _assert_only_ours(whole: Path, ask: Ask, data: bytes) -> None:
    place = whole / "damaged"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(whole / "index", place)
    (place / "index.sqlite-checksum").unlink()
    (place / "index.sqlite").write_bytes(data)
    try:
        ask(place)
    except StoreError:
        pass
    except ValueError as error:
        assert "another model" in str(error)
