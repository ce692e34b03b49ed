"""Delay of /healthz and memory of the server while hostile requests run.

    python benchmarks/attacks.py [--store INDEX] [--only WORD]

Starts `numpyclip serve -m tiny` anew for each attack, sends it, and asks for /healthz every 10 ms meanwhile. Printed
are the status of the attack's answer (of an honest request among a crowd), its seconds, the longest delay of /healthz,
and by how much the server's memory grew at its peak beyond the bytes that were sent.
"""

import argparse
import contextlib
import http.client
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from io import BytesIO
from pathlib import Path

from PIL import Image

MIB = 1 << 20
LARGE = 31 * MIB
JSON = {"Content-Type": "application/json"}
URLENCODED = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}
FILE = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
PART = b'--x\r\nContent-Disposition: form-data; name="q"\r\n\r\n'


def filled(start: bytes, piece: bytes, end: bytes, size: int = LARGE) -> bytes:
    return start + piece * ((size - len(start) - len(end)) // len(piece)) + end


def chunked(body: bytes, size: int) -> bytes:
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def picture(kind: str, **options: bool) -> bytes:
    stream = BytesIO()
    Image.effect_noise((64, 64), 99).save(stream, kind, **options)
    return stream.getvalue()


def scans_without_end() -> bytes:
    """Make a progressive JPEG of one scan, and segments that are full of what looks like others."""
    data = picture("JPEG", progressive=True)
    first = data.index(b"\xff\xda")
    segment = b"\xff\xef\xff\xfd" + b"\xff\xda" * 32_765 + b"\0"
    return FILE + data[: data.index(b"\xff", first + 14)] + segment * 16 + b"\r\n--x--\r\n"


def empty_chunks() -> bytes:
    data = picture("PNG")
    broken = struct.pack(">I4sI", 0, b"tEXt", zlib.crc32(b"tEXt") ^ 1)
    empty = struct.pack(">I4sI", 0, b"IDAT", zlib.crc32(b"IDAT"))
    return filled(FILE + data[:33] + broken, empty, data[33:] + b"\r\n--x--\r\n", LARGE // 2)


ATTACKS: dict[str, tuple[str, dict[str, str], Callable[[], bytes]]] = {
    "a query of many terms": ("/search", JSON, lambda: filled(b'{"query": "a', b" + a", b'"}')),
    "lists of empty lists": ("/search", JSON, lambda: filled(b'{"query": [', b"[],", b"[]]}")),
    "objects in lists": ("/search", JSON, lambda: filled(b'{"query": [', b'{"a":0},', b"0]}")),
    "many keys": ("/search", JSON, lambda: b"{" + b",".join(b'"%d":0' % n for n in range(2_500_000)) + b"}"),
    "many numbers": ("/metadata", JSON, lambda: filled(b'{"ids": [', b"1,", b"1]}")),
    "deep nesting": ("/search", JSON, lambda: filled(b'{"query": ', b"[", b"")),
    "a number of many digits": ("/search", JSON, lambda: filled(b'{"n": ', b"9", b"}")),
    "a fraction of many digits": ("/search", JSON, lambda: filled(b'{"n": 0.', b"9", b"}")),
    "escapes in a string": ("/search", JSON, lambda: filled(b'{"query": "', b"\\u00e9", b'"}')),
    "a wide letter": ("/search", JSON, lambda: filled(b'{"query": "', b"a", "\U0001f600".encode() + b'"}')),
    "blanks": ("/search", JSON, lambda: filled(b"{", b" ", b"}")),
    "UTF-16": ("/search", JSON, lambda: filled(b'{"query": "', b"a", b'"}', LARGE // 2).decode().encode("utf-16")),
    "nothing but no JSON": ("/search", JSON, lambda: filled(b'"', b"\\", b"x")),
    "a long wrong value": ("/search", JSON, lambda: filled(b'{"n": "', b"\\u0000", b'"}')),
    "a text to truncate": ("/v1/embeddings", JSON, lambda: filled(b'{"truncate": true, "input": "', b"a", b'"}')),
    "words to truncate": ("/v1/embeddings", JSON, lambda: filled(b'{"truncate": true, "input": "', b"dog ", b'"}')),
    "many texts": ("/v1/embeddings", JSON, lambda: filled(b'{"truncate": true, "input": [', b'"a",', b'"a"]}')),
    "256 texts": (
        "/v1/embeddings",
        JSON,
        lambda: json.dumps({"truncate": True, "input": ["a dog's " * 16_000] * 250}).encode(),
    ),
    "base64 that is no picture": (
        "/v1/embeddings",
        JSON,
        lambda: filled(b'{"modality": "image", "input": "', b"AAAA", b'"}'),
    ),
    "a template of many braces": (
        "/classify",
        JSON,
        lambda: json.dumps({"image": "aGk=", "labels": ["a" * 9000] * 99, "template": "{}" * 9000}).encode(),
    ),
    "an embedding of many numbers": ("/knn-service", JSON, lambda: filled(b'{"embedding_input": [', b"1,", b"1]}")),
    "a form of %41": ("/search", URLENCODED, lambda: filled(b"q=", b"%41", b"")),
    "a form of many fields": ("/search", URLENCODED, lambda: filled(b"", b"a&", b"a")),
    "parts": ("/search", MULTIPART, lambda: filled(b"", PART + b"\r\n", b"--x--\r\n")),
    "a part of almost-boundaries": ("/search", MULTIPART, lambda: filled(PART, b"\r\n--", b"\r\n--x--\r\n")),
    "a file of almost-boundaries": (
        "/search",
        MULTIPART,
        lambda: filled(PART.replace(b'"q"', b'"q"; filename="a"'), b"\r\n--", b"\r\n--x--\r\n"),
    ),
    "headers of a part": ("/search", MULTIPART, lambda: filled(b"--x\r\n", b"a: b\r\n", b"\r\n\r\n--x--\r\n")),
    "one header of a part": ("/search", MULTIPART, lambda: filled(b"--x\r\nA: ", b"b", b"\r\n\r\n\r\n--x--\r\n")),
    "entries of Immich": (
        "/predict",
        MULTIPART,
        lambda: filled(PART.replace(b'"q"', b'"entries"') + b"[", b"[],", b"[]]\r\n--x--\r\n"),
    ),
    "chunks of a byte": (
        "/search",
        {**JSON, "Transfer-Encoding": "chunked"},
        lambda: chunked(b" " * (3 * MIB), 1),
    ),
    "lines of two bytes in a chunk": (
        "/search",
        {**JSON, "Transfer-Encoding": "chunked"},
        lambda: chunked(b"\r\n" * 100_000 + b"{}", 1 << 20),
    ),
    "a body of GET": ("GET /search?q=a", {}, lambda: b"x"),
    "a picture of scans without an end": ("/search", MULTIPART, scans_without_end),
    "a picture of empty chunks": ("/search", MULTIPART, empty_chunks),
    "many headers": ("GET /healthz", {f"a{n}": "" for n in range(9000)}, lambda: b""),
    "a header of semicolons": ("/search", {"Content-Type": 'multipart/form-data; "' + ";" * 60_000}, lambda: b"x"),
    "a cookie of backslashes": ("GET /index", {"Cookie": 'a="' + "\\" * 60_000 + '"'}, lambda: b""),
    "a query string of names": ("GET /search?" + "&".join(f"{n:x}=" for n in range(10_000)), {}, lambda: b""),
}


@contextmanager
def crowd(port: int, count: int, head: bytes, body: bytes) -> Iterator[int]:
    """Connect so many clients, which begin a request and then stall; yield how many bytes they have sent."""
    sent = 0
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.socket()) for _ in range(count)]
        for client in clients:
            client.setblocking(bool(head))  # a burst waits for nobody
            client.connect_ex(("127.0.0.1", port))
        for client in clients if head else ():
            client.sendall(head + body)
            sent += len(head + body)
        yield sent


CROWDS: dict[str, Callable[[int], AbstractContextManager[int]]] = {
    "a burst of connections": lambda port: crowd(port, 900, b"", b""),
    "bodies that stall": lambda port: crowd(
        port,
        8,
        b"POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (32 * MIB),
        b'{"a":"' + b"a" * (32 * MIB - 1024),
    ),
    "bodies of GET that stall": lambda port: crowd(
        port, 300, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n", b""
    ),
}
HONEST = json.dumps({"truncate": True, "input": "a dog " * 10_000}).encode()


def memory(pid: int, field: str = "VmHWM") -> int:
    """Return the resident memory of a process in bytes; by default its peak."""
    match = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert match is not None
    return int(match[1]) << 10


def start(words: list[str]) -> tuple[subprocess.Popen[str], int]:
    """Start a server; return it and its port."""
    command = [sys.executable, "-m", "numpyclip", "serve", "-m", "tiny", "--port", "0", *words]
    environment = {**os.environ, "NUMPYCLIP_TOKEN": os.environ.get("NUMPYCLIP_TOKEN", "")}
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert server.stderr is not None
    for line in server.stderr:
        if match := re.search(r"http://127\.0\.0\.1:(\d+)", line):
            return server, int(match[1])
    raise SystemExit("the server did not start")


def ask(port: int, method: str, path: str, body: bytes, headers: dict[str, str]) -> int:
    """Return the status of an answer; 0 if the connection was closed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.putrequest(method, path)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body and "Transfer-Encoding" not in headers:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        with contextlib.suppress(OSError):  # it was refused before all of it was read
            connection.send(body)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def attacked(name: str, words: list[str]) -> str:
    """Carry out one attack; return a line of figures."""
    path, headers, make = ATTACKS.get(name, ("/v1/embeddings", JSON, lambda: HONEST))
    method, path = path.split(" ") if " " in path else ("POST", path)
    body, enter = make(), CROWDS.get(name, lambda port: contextlib.nullcontext(0))
    server, port = start(words)
    delays: list[float] = []
    done = threading.Event()

    def poll() -> None:
        while not done.is_set():
            begin = time.perf_counter()
            ask(port, "GET", "/healthz", b"", {})
            delays.append(time.perf_counter() - begin)
            time.sleep(0.01)

    poller = threading.Thread(target=poll)
    try:
        ask(port, method, path, b"{}", headers if len(headers) < 2 else {})  # what is made at the first request
        before = memory(server.pid)
        poller.start()
        with enter(port) as sent:
            if name in CROWDS:
                time.sleep(2)  # while they stall
            begin = time.perf_counter()
            status = ask(port, method, path, body, headers)
            seconds = time.perf_counter() - begin
            time.sleep(1)  # work that goes on
        done.set()
        poller.join()
        grown = (memory(server.pid) - before - len(body) - sent) / MIB
        return f"{name:33} {status:3} {seconds:6.2f} s  /healthz {1000 * max(delays):6.0f} ms  {grown:+7.0f} MiB"
    finally:
        done.set()
        server.kill()
        server.communicate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", help="an index, without which there is no search")
    parser.add_argument("--only", default="", metavar="WORD", help="only the attacks whose name has this in it")
    given = parser.parse_args()
    words = ["--store", given.store] if given.store else ["--no-index"]
    for name in (*ATTACKS, *CROWDS):
        if given.only in name:
            print(attacked(name, words), flush=True)


if __name__ == "__main__":
    main()
