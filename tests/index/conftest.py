"""A folder of pictures, and an index of it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.index import Index


@pytest.fixture
def photos(tmp_path: Path, emoji: dict[str, Image.Image]) -> Path:
    """Six pictures in two folders."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for number, (name, picture) in enumerate(sorted(emoji.items())[:6]):
        picture.save(folder / ("more" if number % 2 else ".") / f"{name}.png")
    return folder


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with pgvector: that of $NUMPYCLIP_TEST_POSTGRES, or the one that the package pgserver brings."""
    pytest.importorskip("psycopg")
    if address := os.environ.get("NUMPYCLIP_TEST_POSTGRES"):
        yield address
        return
    pgserver = pytest.importorskip("pgserver")
    server = pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def empty_postgres(postgres: str) -> str:
    import psycopg

    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS numpyclip CASCADE")
    return postgres


@pytest.fixture(params=["folder", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an index may be, for tests that hold for all."""
    if request.param == "folder":
        return str(tmp_path / "index")
    address: str = request.getfixturevalue("empty_postgres")
    return address


@pytest.fixture
def index(place: str, tiny: CLIP) -> Iterator[Index]:
    with Index(place, tiny, create=True) as index:
        yield index
