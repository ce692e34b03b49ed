"""Parts of a few pictures, and a folder for what becomes of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from numpyclip.batch.job import Job
from numpyclip.sources.part import Part, ReadOptions

Read = Callable[[Path], dict[str, bytes]]


@pytest.fixture
def pictures(tmp_path: Path, emoji: dict[str, Image.Image]) -> Path:
    """A folder of 24 pictures."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, picture in enumerate(list(emoji.values())[:24]):
        picture.save(folder / f"{number:02}.png")
    return folder


@pytest.fixture
def parts(pictures: Path) -> list[Part]:
    """The pictures in six parts."""
    paths = sorted(map(str, pictures.iterdir()))
    return [Part(n, "files", str(pictures), paths=tuple(paths[4 * n : 4 * n + 4])) for n in range(6)]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job("tiny", (), ReadOptions("images"), str(tmp_path / "out"), batch_size=2, fingerprint="{}")


@pytest.fixture
def read_rows() -> Read:
    """What reads all parts of a folder: the bytes of an embedding by its key, of which none is there twice."""
    parquet = pytest.importorskip("pyarrow.parquet")

    def read(folder: Path) -> dict[str, bytes]:
        tables = [parquet.read_table(path) for path in sorted(folder.glob("*.parquet"))]
        keys = [key for table in tables for key in table["key"].to_pylist()]
        assert len(set(keys)) == len(keys)
        vectors = [np.float32(vector) for table in tables for vector in table["embedding"].to_pylist()]
        return {key: vector.tobytes() for key, vector in zip(keys, vectors, strict=True)}

    return read
