"""A server with an index of an album, on a real socket."""

import gzip
import http.client
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.images.exif import Exif
from numpyclip.index.index import Index
from numpyclip.index.records import WHOLE
from tests.index.filled import made_index

pytest.importorskip("starlette")
pytest.importorskip("prometheus_client")
pytest.importorskip("multipart")
pytest.importorskip("uvicorn")

from numpyclip.server import ModelSource, Settings, Tokens, create_app
from numpyclip.server.processes.listening import listen
from numpyclip.server.processes.uvicorn_server import make_server
from tests.server import conformity
from tests.server.browser import Open

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
PHOTOS = "photos.lan"  # a name as in a local network, of which browsers think otherwise than of 127.0.0.1
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
        """The message of an error, in the format of any API."""
        body = self.json
        found = body.get("error") or body.get("detail") or body.get("message")
        found = found[0]["msg"] if isinstance(found, list) else found
        message: str = found["message"] if isinstance(found, dict) else found
        return message


@dataclass
class Client:
    """Asks a server, over a connection of its own for each request; every answer must be as `/openapi.json` says."""

    port: int

    def __call__(self, method: str, path: str, body: bytes | None = None, /, **headers: str) -> Answer:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
            plain = gzip.decompress(answer.body) if response.getheader("Content-Encoding") == "gzip" else answer.body
            conformity.check(method, path, answer.status, response.getheader("Content-Type", ""), plain)
            return answer

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
def running(app: Any, timeout: float = 60.0, port: int = 0, **options: Any) -> Iterator[Client]:
    with listen("127.0.0.1", port) as listener:
        server = make_server(app, timeout, **options)
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
    bird, house = tiny.embed_texts(["a bird", "a house"])
    urls = {"https://x.org/a.jpg": bird, "s3://b/00000.tar/s/000": house}
    return made_index(
        str(tmp_path / "elsewhere"), tiny, {url: (Exif(0, 0), {"": embedding}) for url, embedding in urls.items()}
    )


SPOTS = {"berlin": (52.52, 13.4), "potsdam": (52.39, 13.06), "quito": (-0.18, -78.47), "nowhere": (None, None)}


@pytest.fixture(scope="session")
def atlas(tmp_path_factory: pytest.TempPathFactory, tiny: CLIP) -> str:
    """An index of a picture of each place, one month after the other; the first two are nearly the same."""
    rows = np.eye(len(SPOTS), tiny.config.embed_dim, dtype=np.float32)
    rows[1, :2] = 0.98, np.sqrt(1 - 0.98**2)
    pictures = {}
    for number, ((name, coordinates), row) in enumerate(zip(SPOTS.items(), rows, strict=True)):
        exif = Exif(4, 3, f"2024-{number + 1:02}-15T12:00:00", *coordinates, camera=f"Camera {number % 2}", lens="Lens")
        pictures[f"/photos/{name}.jpg"] = exif, {WHOLE: row}
    return made_index(str(tmp_path_factory.mktemp("atlas") / "store"), tiny, pictures)


@pytest.fixture
def own_atlas(atlas: str, tmp_path: Path) -> str:
    """A copy of it, to be changed."""
    return str(shutil.copytree(atlas, tmp_path / "atlas"))


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory, emoji: dict[str, Image.Image], tiny: CLIP) -> str:
    """An index of 150 pictures, of the days from 1 January 2024 on."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "photos").mkdir()
    for number in range(150):
        exif = Image.Exif()
        exif[0x0132] = f"2024:{1 + number // 28:02}:{1 + number % 28:02} 12:00:00"
        picture = emoji["house" if number % 3 else "bird"].convert("RGB")
        picture.putpixel((0, 0), (number, 0, 0))
        picture.resize((64 + number, 64)).save(folder / "photos" / f"{number:03}.jpg", exif=exif)
    with Index(folder / "store", tiny, create=True) as index:
        index.update([folder / "photos"])
    return str(folder / "store")


@pytest.fixture(scope="session")
def client(place: str, tiny: CLIP) -> Iterator[Client]:
    with running(create_app(tiny, "tiny", place)) as client:
        yield client


Serve = Callable[..., Client]
Png = Callable[[str], bytes]


@pytest.fixture
def serve(place: str, tiny: CLIP) -> Iterator[Serve]:
    """Start servers with other settings."""
    with ExitStack() as stack:

        def serve(
            model: Any = tiny,
            store: str | None = place,
            mounted: str = "",
            token: str | None = None,
            aliases: tuple[str, ...] = (),
            **settings: Any,
        ) -> Client:
            """Start a server; `mounted`: behind a proxy that takes this off the path of each request."""
            models = model if isinstance(model, list) else [ModelSource("tiny", lambda: model, aliases)]
            app = create_app(models, store=store, settings=Settings(tokens=Tokens(token), **settings))

            async def proxied(scope: Any, receive: Any, send: Any) -> None:
                if scope["type"] == "http":
                    assert scope["path"].startswith(f"{mounted}/"), scope["path"]
                    scope = {**scope, "path": scope["path"].removeprefix(mounted)}
                await app(scope, receive, send)

            return stack.enter_context(running(proxied if mounted else app))

        yield serve


@pytest.fixture(scope="session")
def png(emoji: dict[str, Image.Image]) -> Png:
    def png(name: str) -> bytes:
        stream = BytesIO()
        emoji[name].save(stream, "PNG")
        return stream.getvalue()

    return png


@pytest.fixture(scope="module")  # its event loop runs in this thread until it ends, where other modules run theirs
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", f"--host-resolver-rules=MAP {PHOTOS} 127.0.0.1"]
        )
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Any, serve: Serve) -> Iterator[Open]:
    """Open the page of a server; at the end nothing may have gone wrong in it, but for what a test expects.

    It is closed before servers stop, which it may still be loading images of.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(60_000)
    said: list[str] = []

    def open_page(client: Client, path: str = "/", expects: str = "", **options: Any) -> Any:
        page = context.new_page()
        if options:
            page.emulate_media(**options)
        page.on("pageerror", lambda error: said.append(str(error)))

        def heard(message: Any) -> None:
            if message.type in ("error", "warning") and not (expects and expects in message.text):
                said.append(message.text)

        page.on("console", heard)
        page.goto(path if ":" in path else f"http://127.0.0.1:{client.port}{path}")
        return page

    yield open_page
    context.close()
    assert not said
