"""Serve a web page that searches a folder of images, with the standard library alone, on this machine only.

    python examples/search_page.py photos/

`numpyclip serve` is the same for many users, with an index, limits and an API. This is how little it takes.
"""

import argparse
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from mimetypes import guess_type
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpyclip

PAGE = '<!doctype html><title>Search</title><form><input name=q value="{}" autofocus></form>{}'


def create_server(folder: Path, model_name: str, port: int) -> ThreadingHTTPServer:
    model, _ = numpyclip.load(model_name)
    paths = list(numpyclip.find_pictures(folder))
    images = model.embed_images(paths, draft=True)  # (n, e)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            number = url.path.removeprefix("/")
            if not number:
                self.answer("text/html; charset=utf-8", page(parse_qs(url.query).get("q", [""])[0]).encode())
            elif number in map(str, range(len(paths))):  # a number, never a path
                path = Path(paths[int(number)])
                self.answer(guess_type(path)[0] or "application/octet-stream", path.read_bytes())
            else:
                self.send_error(404)

        def answer(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

    def page(words: str) -> str:
        best = (-images @ model.embed_texts(words)[0]).argsort()[:12] if words else range(len(paths))[:12]
        return PAGE.format(escape(words), "".join(f'<img src="/{n}" width=200>' for n in best))

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="ViT-B/32")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args()
    server = create_server(given.folder, given.model, given.port)
    print(f"http://127.0.0.1:{server.server_port}")
    server.serve_forever()
