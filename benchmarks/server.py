"""How many requests a second does the server answer, beside a plain server of FastAPI and ONNX Runtime.

    python benchmarks/prepare.py --models ViT-B/32
    VENV/bin/pip install fastapi uvicorn python-multipart prometheus_client starlette
    VENV/bin/python benchmarks/server.py [--rounds 5] [--seconds 6] [--kinds image]

ViT-B/32 in float32, and NumPyCLIP also with OpenVINO in bfloat16. 1, 8 and 32 clients, each of which sends its next
request when it has an answer: a short text, or a JPEG of 640 x 480 pixels, to OpenAI's /v1/embeddings. The plain server
is what one writes first: an endpoint that decodes, runs a session of ONNX Runtime, and answers; FastAPI calls it on
threads. Servers are processes of their own, and measured in turn; while one is asked the others wait. The clients are a
process, too, on the same cores.
"""

import argparse
import base64
import http.client
import io
import json
import os
import statistics
import subprocess
import sys
import threading
import time

from contest.arena import THREADS, Result
from contest.files import HOME, PYTHON, ROOT, Checkpoint
from contest.question import keep

PLAIN = "fastapi + onnxruntime"
SERVERS = {  # with the options of `numpyclip serve`
    "numpyclip": [],
    "numpyclip_openvino_bf16": ["--engine", "openvino", "--precision", "bfloat16"],
    PLAIN: None,
}
CLIENTS = (1, 8, 32)
KINDS = ("text", "image")


def plain(port: int) -> None:
    """Serve with FastAPI and ONNX Runtime."""
    import uvicorn
    from fastapi import Body, FastAPI

    from contest.contestants.onnxruntime import ONNXRuntime
    from contest.without_torch import pixels

    model = ONNXRuntime(Checkpoint("ViT-B/32"), THREADS)
    app = FastAPI()

    @app.post("/v1/embeddings")
    def embeddings(body: dict = Body()) -> dict:  # noqa: B008  as FastAPI wants it
        if body.get("modality") == "image":
            data = base64.b64decode(body["input"].partition(",")[2])
            rows = model.images(pixels(io.BytesIO(data), 224)[None])
        else:
            rows = model.texts([body["input"]])
        rows /= (rows**2).sum(axis=1, keepdims=True) ** 0.5
        encoded = base64.b64encode(rows[0].tobytes()).decode()
        return {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": encoded}]}

    uvicorn.run(app, port=port, log_level="error", access_log=False)


def requests(kind: str) -> list[bytes]:
    """Bodies of different requests, so that nothing can be kept."""
    if kind == "text":
        texts = [f"a photo of {number} dogs on a beach in the evening" for number in range(500)]
        return [json.dumps({"input": text, "encoding_format": "base64"}).encode() for text in texts]
    import numpy as np
    from PIL import Image

    bodies = []
    for seed in range(20):
        noise = np.random.default_rng(seed).integers(0, 255, (24, 32, 3), np.uint8)
        stream = io.BytesIO()
        Image.fromarray(noise).resize((640, 480)).save(stream, "JPEG", quality=90)
        uri = "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
        bodies.append(json.dumps({"input": uri, "modality": "image", "encoding_format": "base64"}).encode())
    return bodies


def ask(port: int, kind: str, clients: int, seconds: float) -> None:
    """Ask for some seconds; print answers a second, and the median and 95th percentile of milliseconds."""
    bodies = requests(kind)
    times: list[float] = []
    end = time.perf_counter() + seconds

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        turn = number
        while (begin := time.perf_counter()) < end:
            connection.request(
                "POST", "/v1/embeddings", bodies[turn % len(bodies)], {"Content-Type": "application/json"}
            )
            response = connection.getresponse()
            answer = response.read()
            assert response.status == 200, answer[:200]
            times.append(time.perf_counter() - begin)
            turn += clients

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = len(times) / (time.perf_counter() - begin)
    ordered = sorted(times)
    print(json.dumps([rate, 1000 * statistics.median(ordered), 1000 * ordered[int(0.95 * (len(ordered) - 1))]]))


def start(server: str, port: int) -> subprocess.Popen:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": str(THREADS), "OMP_NUM_THREADS": str(THREADS)}
    environment["PYTHONPATH"] = os.pathsep.join(str(ROOT / name) for name in ("benchmarks", "src"))
    environment["NUMPYCLIP_CACHE"] = str(HOME / "numpyclip-cache")
    for setting in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        environment.pop(setting, None)
    command = [sys.executable, __file__, "--plain", str(port)]
    if server != PLAIN:
        model = str(Checkpoint("ViT-B/32").openai)
        command = [sys.executable, "-m", "numpyclip", "serve", "--no-index", "-m", model, "--port", str(port)]
        command += ["--log-level", "warning", *(SERVERS[server] or [])]
    return subprocess.Popen(command, env=environment)


def until_ready(port: int) -> list[float]:
    """Wait for the first answers; return an embedding, to be compared."""
    for _ in range(600):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            connection.request("POST", "/v1/embeddings", requests("image")[0], {"Content-Type": "application/json"})
            row = json.loads(connection.getresponse().read())["data"][0]["embedding"]
            import numpy as np

            return np.frombuffer(base64.b64decode(row), "<f4").tolist()
        except OSError:
            time.sleep(0.2)
    raise SystemExit(f"the server at {port} does not answer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument(
        "--servers", nargs="+", default=list(SERVERS), choices=SERVERS, help="the last is the reference"
    )
    parser.add_argument("--plain", type=int, metavar="PORT", help=argparse.SUPPRESS)
    parser.add_argument("--ask", nargs=3, metavar=("PORT", "KIND", "CLIENTS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.plain:
        plain(given.plain)
        return
    if given.ask:
        ask(int(given.ask[0]), given.ask[1], int(given.ask[2]), given.seconds)
        return
    ports = {server: 8300 + number for number, server in enumerate(given.servers)}
    processes = {server: start(server, port) for server, port in ports.items()}
    try:
        rows = [until_ready(port) for port in ports.values()]
        cosine = min(sum(a * b for a, b in zip(row, rows[-1], strict=True)) for row in rows)
        assert cosine > 0.999, f"they answer different things: cosine {cosine}"
        print(f"Python at {PYTHON}; least cosine to {given.servers[-1]} {cosine:.6f}")
        for kind in given.kinds:
            for clients in CLIENTS:
                compare(ports, kind, clients, given)
    finally:
        for process in processes.values():
            process.terminate()
            process.wait()


def compare(ports: dict[str, int], kind: str, clients: int, given: argparse.Namespace) -> None:
    """Ask each server in turn, and print what came of it."""
    found: dict[str, list[list[float]]] = {server: [] for server in ports}
    for _ in range(given.rounds):
        for server, port in ports.items():
            command = [sys.executable, __file__, "--ask", str(port), kind, str(clients)]
            command += ["--seconds", str(given.seconds)]
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            found[server].append(json.loads(out))
    result = Result({server: [1 / rate for rate, *_ in rows] for server, rows in found.items()}, {}, {})
    keep(f"server_{kind}_{clients}", result, THREADS)
    print(f"{kind}, {clients} clients:")
    for server, rows in found.items():
        rate, median, late = (statistics.median(column) for column in zip(*rows, strict=True))
        speed = 1 / (result.ratio(server, given.servers[-1]) or 1)
        print(f"  {server:24} {rate:7.1f}/s {median:7.1f} ms (95 %: {late:7.1f}) {speed:.2f} times", flush=True)


if __name__ == "__main__":
    main()
