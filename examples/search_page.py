"""Serve a web page that searches a folder of images, with the standard library alone, on this machine only.

Run `python examples/search_page.py photos/`. For many users, with an index, limits and an API: `numpyclip serve`.
"""

import argparse
from contextlib import suppress
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from mimetypes import guess_type
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpyclip

PAGE = '<!doctype html><title>Search</title><form><input name=q value="{}" autofocus></form>{}'


def create_server(folder: Path, model_name: str, port: int) -> ThreadingHTTPServer:
    model, _ = numpyclip.load(model_name)
    records = model.iter_embeddings(numpyclip.find_pictures(folder), draft=True, on_error=print)
    images = [(record.picture, record.embedding) for record in records if not record.error]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if not (number := url.path.removeprefix("/")):
                self.answer("text/html; charset=utf-8", page(parse_qs(url.query).get("q", [""])[0]).encode())
            elif number in map(str, range(len(images))):  # a number, never a path
                path = Path(str(images[int(number)][0]))
                self.answer(guess_type(path)[0] or "application/octet-stream", path.read_bytes())
            else:
                self.send_error(404)

        def answer(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

    def page(words: str) -> str:
        query = model.embed_texts(words)[0]
        best = sorted(range(len(images)), key=lambda n: -images[n][1] @ query if words else 0)[:12]
        return PAGE.format(escape(words), "".join(f'<img src="/{n}" width=200>' for n in best))

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="ViT-B/32")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args()
    if not given.folder.is_dir():
        parser.error(f"{given.folder}: no such folder")
    with suppress(KeyboardInterrupt), create_server(given.folder, given.model, given.port) as server:
        print(f"http://127.0.0.1:{server.server_port}")
        server.serve_forever()
