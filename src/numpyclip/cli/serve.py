"""`numpyclip serve`: embeddings, search and a web page over HTTP."""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import os
import socket
import threading
from typing import Any

from numpyclip.cli.configuration import add_config_option
from numpyclip.cli.options import add_decoding_option, add_file_options, file_options, load_model, model_name
from numpyclip.cli.outputs import say
from numpyclip.cli.serve_options import (
    access_settings,
    add_access_options,
    add_limits,
    add_log_options,
    is_loopback,
    limit_settings,
)
from numpyclip.cli.stores import add_store_options, load_for_requests, place_of
from numpyclip.cli.updates import background_updates
from numpyclip.errors import NumPyCLIPError

EXAMPLES = """\
  numpyclip serve                                     # the page: http://127.0.0.1:8000
  numpyclip serve --store pictures.index --port 9000
  numpyclip serve --no-index -m ViT-L/14              # embeddings only
  NUMPYCLIP_TOKEN=... numpyclip serve --host 0.0.0.0  # to phones and other machines, with a token

  curl http://127.0.0.1:8000/v1/embeddings -d '{"input": "a dog on a beach"}'
  curl -F image=@photo.jpg -F n=5 http://127.0.0.1:8000/search
  curl -F image=@photo.jpg -F labels=dog -F labels=cat -F "template=a photo of a {}" http://127.0.0.1:8000/classify

Speaks OpenAI's /v1/embeddings (with "modality": "image" for images, as Infinity, and "messages", as vLLM), Immich's
/predict and /ping, clip-retrieval's /knn-service, and /search, /classify, /healthz and /metrics of its own.
Listens on loopback only, unless --host is given; fetches images only from hosts that --fetch-host allows. Needs:
pip install "numpyclip[server]"."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.add_argument("--host", default="127.0.0.1", help="address to listen at (default: %(default)s)")
    command.add_argument("--port", type=_port, default=8000, help="0: any free port (default: %(default)s)")
    command.add_argument("--no-index", action="store_true", help="serve no search")
    command.add_argument(
        "--model-name", action="append", default=[], metavar="NAME", help="another name of the model in requests"
    )
    command.add_argument(
        "--url-prefix", default="", metavar="PATH", help="path below which a reverse proxy shows it, such as /photos"
    )
    command.add_argument("--no-originals", action="store_true", help="send thumbnails only, without metadata")
    command.add_argument("--read-only", action="store_true", help="refuse favourites, ratings, tags and albums")
    command.add_argument(
        "--fetch-host", action="append", default=[], metavar="HOST", help="a host from which images may be fetched"
    )
    command.add_argument(
        "--fetch-private", action="store_true", help="fetch from them also where a name has no public address"
    )
    command.add_argument(
        "--update-every",
        type=_minutes,
        default=10,
        metavar="MINUTES",
        help="update the index at the start, and at this interval; 0: never (default: %(default)s)",
    )
    add_config_option(command, "NUMPYCLIP_SERVE_")
    add_log_options(command)
    add_access_options(command)
    add_limits(command)
    add_decoding_option(command)
    add_file_options(command)
    add_store_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Load the model, and serve until stopped."""
    from numpyclip.server import Settings, create_app
    from numpyclip.server.uvicorn_server import LOOPBACK, listen, make_server

    access = access_settings(arguments)
    with listen(arguments.host, arguments.port) as listener:
        place = None if arguments.no_index else place_of(arguments)
        model = _load(arguments, place)
        name = model_name(arguments)
        settings = Settings(
            model_names=tuple(dict.fromkeys([name, *_other_names(name, arguments.text_model), *arguments.model_name])),
            text_model=arguments.text_model,
            **access,
            url_prefix=arguments.url_prefix.rstrip("/"),
            originals=not arguments.no_originals,
            marks=not arguments.read_only,
            fetch_hosts=tuple(host.lower() for host in arguments.fetch_host),
            fetch_private=arguments.fetch_private,
            **limit_settings(arguments),
            draft=arguments.draft,
            **file_options(arguments),
            batch_size=arguments.batch_size,
        )
        app = create_app(model, name, place, settings)
        app.state.service.warm_up()  # here, where an error is a line, and before the address is announced
        server = make_server(app, arguments.timeout, app.state.service.fetcher.stop, arguments.proxy or LOOPBACK)
        addresses = " and ".join(f"http://{address}" for address in _addresses(*listener.getsockname()[:2]))
        if not app.state.tokens and not is_loopback(arguments):
            more = ", mark them" * settings.marks + ", copy the originals" * settings.originals
            say(f"whoever reaches {addresses} may search these images{more}; set NUMPYCLIP_TOKEN.", "warning")
        say(f"{name} at {addresses} (Ctrl-C stops it)")
        updates = background_updates(arguments, place, model, 60 * arguments.update_every)
        with contextlib.suppress(KeyboardInterrupt), updates:  # the usual way to stop it
            server.run(sockets=[listener])
    if not server.started:
        raise NumPyCLIPError("the server did not start; see its messages above.")
    say("stopped.")
    if any(thread.name.startswith("numpyclip-") for thread in threading.enumerate()):
        os._exit(0)  # Python would wait for a thread that reads a file which hangs, say
    return 0


def _addresses(host: str, port: int) -> list[str]:
    """Return where others reach a listener: of one at all interfaces, the address of this machine in its network."""
    hosts = [host]
    if ipaddress.ip_address(host).is_unspecified:
        hosts = []
        for family, other in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))[: 1 + (host == "::")]:
            with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as route:
                route.connect((other, 9))  # of a datagram, which sends nothing, but asks by which way it would go
                hosts.append(route.getsockname()[0])
        hosts = hosts or [socket.gethostname()]  # without a network
    return [f"[{each}]:{port}" if ":" in each else f"{each}:{port}" for each in hosts]


def _load(arguments: argparse.Namespace, place: str | None) -> Any:
    """Load the model that was asked for, else the index's, if there is one."""
    if place is not None:
        return load_for_requests(arguments)
    arguments.model = arguments.model or arguments.usual_model
    return load_model(arguments)


def _other_names(name: str, text_model: str | None) -> list[str]:
    """Name the model as Immich does: architecture and tag with two underscores between them, or a text tower's name."""
    from numpyclip.weights.catalogue import DOWNLOADABLE
    from numpyclip.weights.hub import repository_of
    from numpyclip.weights.published import published_as

    if text_model is not None:
        return _other_names(name, None) + _other_names(text_model, None)
    if name in DOWNLOADABLE and (published := published_as(name)):
        return ["__".join(published)]
    if repository_of(name):
        return [name.rpartition("/")[2]]
    architecture, _, tag = name.partition(":")
    return [f"{architecture}__{tag}"] if tag else []


def _minutes(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes; expected one such as 10, or 0 for never")
    return int(text)


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text!r} is no port; expected 0 to 65535")
    return int(text)
