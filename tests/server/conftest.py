"""A server with an index of an album, on a real socket."""

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.images.exif import Exif
from numpyclip.images.find import NO_FILE
from numpyclip.index.index import Index
from numpyclip.index.records import Changes, Filed, NewPicture

pytest.importorskip("starlette")
pytest.importorskip("prometheus_client")
pytest.importorskip("multipart")
pytest.importorskip("uvicorn")

from numpyclip.server import Settings, create_app
from numpyclip.server.uvicorn_server import listen, make_server

NAMES = ("bird", "house", "camera", "bomb", "butterfly", "motor boat", "cookie", "ring buoy")


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        message: str = self.json["error"]["message"]
        return message


@dataclass
class Client:
    """Asks a server, over a connection of its own for each request."""

    port: int

    def __call__(self, method: str, path: str, body: bytes | None = None, /, **headers: str) -> Answer:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def get(self, path: str, **headers: str) -> Answer:
        return self("GET", path, None, **headers)

    def post(self, path: str, values: object, **headers: str) -> Answer:
        return self("POST", path, json.dumps(values).encode(), **headers)

    def form(self, path: str, fields: list[tuple[str, str | bytes]], **headers: str) -> Answer:
        """Send texts as fields and bytes as files."""
        mark = uuid4().hex
        body = b""
        for name, value in fields:
            file = '; filename="file"' if isinstance(value, bytes) else ""
            data = value if isinstance(value, bytes) else value.encode()
            body += f'--{mark}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + data + b"\r\n"
        body += f"--{mark}--\r\n".encode()
        return self("POST", path, body, Content_Type=f"multipart/form-data; boundary={mark}", **headers)


@pytest.fixture(autouse=True)
def _word_lists_are_embedded_once(shared_cache: None) -> None: ...


@contextmanager
def running(app: Any, timeout: float = 60.0) -> Iterator[Client]:
    with listen("127.0.0.1", 0) as listener:
        server = make_server(app, timeout)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield Client(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="session")
def drawings(tmp_path_factory: pytest.TempPathFactory, emoji: dict[str, Image.Image]) -> Path:
    """Pictures in two folders, one of them with EXIF data, a copy, and one with a name that is no text."""
    folder = tmp_path_factory.mktemp("drawings")
    (folder / "more").mkdir()
    for number, name in enumerate(NAMES):
        exif = Image.Exif()
        exif[0x0132] = f"{2020 + number}:05:01 12:00:00"  # DateTime
        exif[0x010E] = "a secret of the owner"
        emoji[name].save(folder / ("more" if number % 2 else ".") / f"{name}.jpg", exif=exif, quality=95)
    emoji["bird"].save(folder / b"na\xffme.png".decode("utf-8", "surrogateescape"))
    return folder


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory, drawings: Path, tiny: CLIP) -> str:
    """An index of them, and of a few texts."""
    place = str(tmp_path_factory.mktemp("index") / "store")
    with Index(place, tiny, create=True) as index:
        index.update([drawings])
        index.add_texts(["a bird", "a house", "a butterfly"])
    return place


@pytest.fixture
def elsewhere(tmp_path: Path, tiny: CLIP) -> str:
    """An index of two images that are no files here."""
    places = {"https://x.org/a.jpg": b"a" * 32, "s3://b/00000.tar/s/000": b"b" * 32}
    with Index(tmp_path / "elsewhere", tiny, create=True) as index, index.adding():
        index.begin()
        embeddings = zip(places.values(), tiny.embed_texts(["a bird", "a house"]), strict=True)
        pictures = {digest: NewPicture(Exif(0, 0), {"": embedding}) for digest, embedding in embeddings}
        index.store.write(Changes([Filed(place, NO_FILE, digest) for place, digest in places.items()], pictures))
    return str(tmp_path / "elsewhere")


@pytest.fixture(scope="session")
def client(place: str, tiny: CLIP) -> Iterator[Client]:
    with running(create_app(tiny, "tiny", place, Settings(model_names=("tiny",)))) as client:
        yield client


Serve = Callable[..., Client]
Png = Callable[[str], bytes]


@pytest.fixture
def serve(place: str, tiny: CLIP) -> Iterator[Serve]:
    """Start servers with other settings."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def serve(model: Any = tiny, store: str | None = place, **settings: Any) -> Client:
            return stack.enter_context(running(create_app(model, "tiny", store, Settings(**settings))))

        yield serve


@pytest.fixture(scope="session")
def png(emoji: dict[str, Image.Image]) -> Png:
    def png(name: str) -> bytes:
        stream = BytesIO()
        emoji[name].save(stream, "PNG")
        return stream.getvalue()

    return png
