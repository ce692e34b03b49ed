"""The process as a whole: `numpyclip serve` under a flood, stopped and killed."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.index.index import Index
from numpyclip.server import create_app
from numpyclip.server.inference import served_model
from numpyclip.server.processes import connections, uvicorn_server
from numpyclip.server.processes.listening import listen
from numpyclip.server.processes.uvicorn_server import make_server
from tests.server.conftest import Client, Serve, running


@contextmanager
def process(
    *words: str, command: list[str] | None = None, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], Client]]:
    """A server of its own, once it listens."""
    command = command or [sys.executable, "-m", "numpyclip", "serve", "--port", "0", *words]
    started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})
    try:
        assert started.stderr is not None
        line = ""
        while "(Ctrl-C stops it)" not in line:
            line = started.stderr.readline()
            assert line, "the server did not start"
        match = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        assert match is not None
        yield started, Client(int(match[1]))
    finally:
        started.kill()
        started.communicate()


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("kind", ["SIGTERM", "SIGINT"])
def test_a_signal_stops_it_cleanly(place: str, kind: str) -> None:
    with process("--store", place, "-m", "tiny") as (server, client):
        assert client.get("/search?q=a+house").status == 200
        server.send_signal(signal.Signals[kind])
        _, said = server.communicate(timeout=60)
        assert server.returncode == (0 if kind == "SIGINT" else -signal.SIGTERM)
        lines = said.splitlines()
        assert lines.pop(0).rpartition(" id=")[0].split()[2:6] == ["127.0.0.1", "GET", "/search", "200"]
        assert [line.partition(" ")[2] for line in lines] == ["info: stopped."]


_UPDATES_UNTIL_IT_IS_STOPPED = """
import sys
from numpyclip.cli import main, outputs, updates
def update(arguments, place, model, is_over, tell):
    outputs.say("the update begins.")
    assert is_over.__self__.wait(60)
    outputs.say("the update has ended.")
updates._update_unless_in_use = update
sys.exit(main(["serve", "--port", "0", *sys.argv[1:]]))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("kind", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_an_update_ends_where_it_can_when_it_is_stopped(place: str, kind: str) -> None:
    words = [sys.executable, "-c", _UPDATES_UNTIL_IT_IS_STOPPED, "--store", place, "-m", "tiny"]
    with process(command=words) as (server, _):
        server.send_signal(signal.Signals[kind])
        _, said = server.communicate(timeout=60)
        assert server.returncode == (0 if kind == "SIGINT" else -signal.Signals[kind])
        lines = [line.partition(" ")[2] for line in said.splitlines()]
        assert lines[-2:] == ["info: the update has ended.", "info: stopped."]


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("kind", ["SIGTERM", "SIGHUP"])
def test_requests_in_work_are_finished_when_it_is_stopped(place: str, kind: str) -> None:
    body = json.dumps({"input": [f"a picture of {n} dogs" for n in range(256)]}).encode()
    head = f"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with process("--store", place, "-m", "tiny") as (server, client):
        assert client.get("/healthz").status == 200
        with socket.create_connection(("127.0.0.1", client.port), timeout=60) as connection:
            connection.sendall(head)
            assert client.get("/healthz").status == 200  # by now the first one's head was read
            server.send_signal(signal.Signals[kind])
            connection.sendall(body)
            answer = b""
            while piece := connection.recv(1 << 16):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert len(json.loads(answer.partition(b"\r\n\r\n")[2])["data"]) == 256


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_after_a_kill_the_next_one_has_all(place: str) -> None:
    with process("--store", place, "-m", "tiny") as (server, client):
        expected = client.get("/search?q=a+house").json
        server.kill()
    with process("--store", place, "-m", "tiny") as (_, client):
        assert client.get("/search?q=a+house").json == expected


def test_a_flood_is_answered_or_sent_away(serve: Serve) -> None:
    client = serve(max_waiting=8, batch_size=4, max_requests=40)
    body = {"input": [f"text {n}" for n in range(4)], "encoding_format": "base64"}
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda _: client.post("/v1/embeddings", body), range(300)))
    statuses = Counter(answer.status for answer in answers)
    assert set(statuses) <= {200, 429, 503}
    assert statuses[200] >= 8
    assert statuses[429] + statuses[503] > 0
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers if answer.status != 200)
    assert client.post("/v1/embeddings", body).status == 200
    assert "numpyclip_waiting 0.0" in client.get("/metrics").body.decode()


def test_requests_over_open_connections_are_answered_when_it_stops(monkeypatch: pytest.MonkeyPatch, tiny: CLIP) -> None:
    monkeypatch.setattr(connections, "_LAST_REQUEST", 60.0)
    with listen("127.0.0.1", 0) as listener:
        port, server = listener.getsockname()[1], make_server(create_app(tiny, "tiny"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        used, new = (http.client.HTTPConnection("127.0.0.1", port, timeout=60) for _ in range(2))
        for connection in (used, new):
            connection.connect()
        used.request("GET", "/healthz")
        assert used.getresponse().read()
        server.should_exit = True
        with suppress(ConnectionError):
            while True:  # until it has stopped to accept others
                socket.create_connection(("127.0.0.1", port)).close()
        for connection in (used, new):
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            assert (answer.status, answer.headers["Connection"]) == (200, "close")
            connection.close()
        thread.join()


@pytest.mark.skipif(os.name == "nt", reason="ulimit")
def test_a_burst_of_connections_leaves_descriptors_for_others() -> None:
    words = [sys.executable, "-m", "numpyclip", "serve", "--port", "0", "--no-index", "-m", "tiny"]
    burst = [socket.socket() for _ in range(500)]
    try:
        with process(command=["sh", "-c", 'ulimit -n 256; exec "$@"', "sh", *words]) as (server, client):
            for connection in burst:
                connection.setblocking(False)
                connection.connect_ex(("127.0.0.1", client.port))
            assert client.get("/healthz").status == 200
            server.terminate()
            said = server.communicate(timeout=60)[1]
            rest = [line for line in said.splitlines() if " info: 127.0.0.1 " not in line]
            assert [line.partition(" ")[2] for line in rest] == ["info: stopped."]  # and no descriptor was missed
    finally:
        for connection in burst:
            connection.close()


def test_requests_of_many_kinds_at_once(client: Client, drawings: Path) -> None:
    data = (drawings / "bird.jpg").read_bytes()
    kinds: list[Any] = [
        lambda: client.get("/search?q=a+house").json["matches"][0]["name"],
        lambda: client.form("/search", [("image", data)]).json["matches"][0]["name"],
        lambda: client.form("/classify", [("image", data), ("labels", "bird"), ("labels", "car")]).status,
        lambda: client.post("/v1/embeddings", {"input": ["a"]}).status,
        lambda: client.get("/thumbnails/1").status,
    ]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: kinds[n % 5](), range(100)))
    assert answers == ["house.jpg", "bird.jpg", 200, 200, 200] * 20


def test_searches_do_not_wait_for_decoders(monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def decode(text: str, name: str) -> bytes:
        begun.set()
        goes_on.wait(60)
        return b""

    monkeypatch.setattr(served_model, "decode_base64", decode)
    with ThreadPoolExecutor(1) as pool:
        upload = pool.submit(client.post, "/v1/embeddings", {"modality": "image", "input": ["aGk="] * 256})
        assert begun.wait(60)
        assert client.get("/search?q=a+house").status == 200
        assert not upload.done()
        goes_on.set()
        assert upload.result().status == 400


def test_pictures_of_more_memory_than_there_is_are_refused(client: Client) -> None:
    stream = BytesIO()
    Image.new("1", (12_000, 12_000)).save(stream, "PNG")
    answer = client.form("/search", [("image", stream.getvalue())])
    assert answer.message == "image: needs 1152000000 bytes to be decoded; expected at most 1073741824 here."
    assert answer.status == 400


def test_threads_end_with_the_server(tiny: CLIP) -> None:
    before = set(threading.enumerate())
    with running(create_app(tiny, "tiny")) as client:
        assert client.post("/v1/embeddings", {"input": "a"}).status == 200
        assert any(thread.name.startswith("numpyclip-batches") for thread in set(threading.enumerate()) - before)
    begun = {thread for thread in set(threading.enumerate()) - before if thread.name.startswith("numpyclip-")}
    assert not begun


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_pictures_that_have_become_something_else_hold_up_nobody(
    tmp_path: Path, tiny: CLIP, emoji: dict[str, Image.Image]
) -> None:
    folder = tmp_path / "album"
    folder.mkdir()
    for number, name in enumerate(sorted(emoji)[:10]):
        emoji[name].save(folder / f"{number}.png")
    store = str(tmp_path / "store")
    with Index(store, tiny, create=True) as index:
        index.update([folder])
    for number, path in enumerate(sorted(folder.iterdir())):
        path.unlink()
        if number < 8:
            os.mkfifo(path)
        elif number == 8:
            path.symlink_to("/dev/zero")
        else:
            path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with process("--store", store, "-m", "tiny", "--update-every", "0") as (server, client):
        found = client.get("/search?q=a&n=20").json["matches"]
        assert len(found) == 10
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda match: client.get("/" + match["thumbnail"]), found))
        assert {answer.status for answer in answers} == {400}
        assert all("cannot be read" in answer.message for answer in answers)
        shown = client.post("/knn-service", {"text": "a", "num_images": 10}).json
        assert len(shown) == 10 and not any("image" in row for row in shown)
        server.terminate()
        server.communicate(timeout=60)
        assert server.returncode == -signal.SIGTERM


HUNG = """
import sys, time
from numpyclip.server.inference import served_model
def hang(*_):
    print("hung", file=sys.stderr, flush=True)
    time.sleep(1000)
served_model.decode_base64 = hang
from numpyclip.cli import main
sys.exit(main(["serve", "--port", "0", "--no-index", "-m", "tiny"]))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("kind", ["SIGTERM", "SIGINT"])
def test_the_second_signal_ends_it_at_once(kind: str) -> None:
    body = json.dumps({"modality": "image", "input": "aGk="}).encode()
    with (
        process(command=[sys.executable, "-c", HUNG]) as (server, client),
        socket.create_connection(("127.0.0.1", client.port), timeout=60) as connection,
    ):
        head = f"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        assert server.stderr is not None and server.stderr.readline() == "hung\n"
        server.send_signal(signal.Signals[kind])
        while True:  # until the first one is being obeyed
            try:
                client.get("/healthz")
            except OSError:
                break
        server.send_signal(signal.Signals[kind])
        server.communicate(timeout=60)
        assert server.returncode == -signal.Signals[kind]


def test_a_signal_to_a_server_that_stops_already_is_its_first(monkeypatch: pytest.MonkeyPatch, tiny: CLIP) -> None:
    ends: list[int] = []
    monkeypatch.setattr(uvicorn_server, "end_by", ends.append)
    server = make_server(create_app(tiny, "tiny"))
    server.should_exit = True  # by a supervisor, to which a manager of services has sent the signal, too
    server.handle_exit(signal.SIGTERM, None)
    assert (ends, server.signal) == ([], signal.SIGTERM)
    server.handle_exit(signal.SIGINT, None)
    assert ends == [signal.SIGINT]


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_clients_that_leave_are_not_in_the_log(place: str) -> None:
    heads = (
        b"POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n",
        b"GET /search?q=%0aa%1b[31m HTTP/1.1\r\nHost: localhost\r\nX: \x1b[31m\r\n\r\n",
        b"POST /search HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n",
        b"\x16\x03\x01",
    )
    with process("--store", place, "-m", "tiny") as (server, client):
        for head in heads * 3:
            with socket.create_connection(("127.0.0.1", client.port), timeout=60) as connection:
                connection.sendall(head)
                assert client.get("/healthz").status == 200
        server.terminate()
        _, said = server.communicate(timeout=60)
        lines = said.splitlines()
        assert len([line for line in lines if "GET /search 499" in line or "GET /search 200" in line]) == 3
        rest = {line.partition(" ")[2] for line in lines if " info: 127.0.0.1 " not in line}
        assert rest == {"info: stopped."}
        assert "\x1b" not in said and "%0a" not in said.lower()
