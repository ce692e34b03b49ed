"""`numpyclip serve`: embeddings, search and a web page over HTTP."""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from numpyclip.cli.configuration import add_config_option
from numpyclip.cli.options import add_decoding_option, add_file_options, file_options, positive
from numpyclip.cli.outputs import say
from numpyclip.cli.serve_options import (
    access_settings,
    add_access_options,
    add_limits,
    add_log_options,
    is_loopback,
    limit_settings,
)
from numpyclip.cli.served_models import model_sources
from numpyclip.cli.stores import add_store_options, place_of
from numpyclip.cli.updates import background_updates
from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.interrupts import end_by

EXAMPLES = """\
  numpyclip serve                                     # the page: http://127.0.0.1:8000
  numpyclip serve --store pictures.index --port 9000
  numpyclip serve --no-index -m ViT-L/14              # embeddings only
  numpyclip serve -m ViT-B/32 -m ViT-L/14 --idle 30   # two models; in memory while they are used
  numpyclip serve --workers 4                         # processes, which SIGHUP replaces
  NUMPYCLIP_TOKEN=... numpyclip serve --host 0.0.0.0  # to phones and other machines, with a token

  curl http://127.0.0.1:8000/v1/embeddings -d '{"input": "a dog on a beach"}'
  curl -F image=@photo.jpg -F n=5 http://127.0.0.1:8000/search
  curl -F image=@photo.jpg -F labels=dog -F labels=cat -F "template=a photo of a {}" http://127.0.0.1:8000/classify

Each option is also a variable, NUMPYCLIP_SERVE_MAX_INPUTS for --max-inputs, and a key of the file of --config.
Compatible with OpenAI, vLLM, Infinity, Immich, clip-retrieval, Weaviate and clip-as-service; /docs lists all requests,
and /openapi.json describes them. Listens on loopback only, unless --host is given; fetches images only from hosts that
--fetch-host allows. Needs: pip install "numpyclip[server]"."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.usage = "numpyclip serve [OPTION ...]"  # all of them would hide an error below them
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    command.add_argument(
        "--port", type=_port, default=8000, help="port to listen on; 0: any that is free (default: %(default)s)"
    )
    command.add_argument(
        "--workers",
        type=positive,
        default=1,
        metavar="N",
        help="processes that answer requests, each with its share of the cores (default: %(default)s)",
    )
    command.add_argument(
        "--idle",
        type=_minutes,
        default=0,
        metavar="MINUTES",
        help="unload a model that no request has used for so long; 0: never (default: %(default)s)",
    )
    command.add_argument(
        "--model-name",
        action="append",
        default=[],
        metavar="NAME",
        help="another name of the model in requests; may be given several times",
    )
    command.add_argument(
        "--url-prefix",
        default="",
        metavar="PATH",
        help="path prefix under which a reverse proxy serves it, such as /photos",
    )
    command.add_argument(
        "--immich-forward", metavar="URL", help="Immich's own machine-learning server, for faces and texts in images"
    )
    add_config_option(command, "NUMPYCLIP_SERVE_")
    index = command.add_argument_group("index")
    index.add_argument("--no-index", action="store_true", help="serve embeddings only, no search")
    index.add_argument(
        "--update-every",
        type=_minutes,
        default=10,
        metavar="MINUTES",
        help="update the index at the start, and at this interval; 0: never (default: %(default)s)",
    )
    index.add_argument("--no-originals", action="store_true", help="send thumbnails only, without metadata")
    index.add_argument("--read-only", action="store_true", help="refuse favourites, ratings, tags and albums")
    add_log_options(command)
    add_access_options(command)
    add_limits(command)
    images = command.add_argument_group("images")
    images.add_argument(
        "--fetch-host",
        action="append",
        default=[],
        metavar="HOST",
        help="host from which images may be fetched; may be given several times",
    )
    images.add_argument(
        "--fetch-private",
        action="store_true",
        help="fetch from hosts of --fetch-host also where their names have no public address",
    )
    add_decoding_option(images)
    add_file_options(images)
    several = "; may be given several times: requests select one by `model`; all but the first are loaded on first use"
    add_store_options(command, several, index)


def run(arguments: argparse.Namespace) -> int:
    """Load the model, and serve until stopped."""
    from numpyclip.server import Settings, create_app
    from numpyclip.server.access.addresses import LOOPBACK
    from numpyclip.server.processes.uvicorn_server import listen, make_server
    from numpyclip.server.processes.worker_process import Worker

    worker = Worker.of_this_process()
    with worker.listener if worker else listen(arguments.host, arguments.port) as listener:
        arguments.host = listener.getsockname()[0]  # systemd may have opened it
        access = access_settings(arguments)
        if worker is None and arguments.workers > 1:
            return _supervise(arguments, listener)
        place = None if arguments.no_index else place_of(arguments)
        sources = model_sources(arguments, place)
        settings = Settings(
            model_names=sources[0].names,
            text_model=arguments.text_model,
            **access,
            url_prefix=arguments.url_prefix.rstrip("/"),
            originals=not arguments.no_originals,
            marks=not arguments.read_only,
            fetch_hosts=tuple(host.lower() for host in arguments.fetch_host),
            fetch_private=arguments.fetch_private,
            immich_forward=arguments.immich_forward,
            **limit_settings(arguments),
            draft=arguments.draft,
            **file_options(arguments),
            batch_size=arguments.batch_size,
            idle=60 * arguments.idle,
        )
        app = create_app(sources, store=place, settings=settings)
        model = app.state.service.first.on_demand
        model.load()  # here, where an error is a line, and before the address is announced
        addresses = " and ".join(f"http://{address}" for address in _addresses(*listener.getsockname()[:2]))
        is_first = worker is None or worker.number == 0
        for warning in _warnings(arguments, addresses, bool(app.state.tokens)) if is_first else ():
            say(warning, "warning")
        announcement = f"{', '.join(source.name for source in sources)} at {addresses} (Ctrl-C stops it)"
        announce = partial(worker.has_started if worker else say, announcement)
        proxies = arguments.proxy or LOOPBACK
        server = make_server(app, arguments.timeout, app.state.service.fetcher.stop, announce, proxies)
        if worker is not None:
            worker.on_stop(partial(setattr, server, "should_exit", True))
        updates = background_updates(arguments, place if is_first else None, model, 60 * arguments.update_every)
        with contextlib.suppress(KeyboardInterrupt), updates:  # the usual way to stop it
            server.run(sockets=[listener])
    if not server.started:
        raise NumPyCLIPError("the server did not start; see its messages above.")
    if worker is None:
        say("stopped.")
    if server.signal not in (0, signal.SIGINT):
        end_by(server.signal)
    if any(thread.name.startswith("numpyclip-") for thread in threading.enumerate()):
        os._exit(0)  # Python would wait for a thread that reads a file which hangs, say
    return 0


def _supervise(arguments: argparse.Namespace, listener: socket.socket) -> int:
    """Run the same command in several processes, which share the cores."""
    from numpyclip.engines.processor import cores
    from numpyclip.server.processes.workers import Supervisor

    for path in filter(None, (arguments.token_file, arguments.config)):
        if not Path(path).is_file():  # a pipe, such as <(...) of a shell, which can be read only once
            raise InputError(f"{path}: is no regular file; expected one, which all workers read, or --workers 1.")
    threads = max(1, cores() // arguments.workers)
    status = Supervisor(arguments.words, listener, arguments.workers, threads, say).run()
    if not status:
        say("stopped.")
    return status


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


def _warnings(arguments: argparse.Namespace, addresses: str, has_tokens: bool) -> Iterator[str]:
    """List what an operator may have meant otherwise: who needs no token, and a token that is not used."""
    if not has_tokens and not is_loopback(arguments):
        trusts = ", without which --trusted-address keeps nobody out" if arguments.trusted_address else ""
        open_to = f"no token is set: whoever reaches {addresses} may use this server"
        yield f"{open_to}; set NUMPYCLIP_TOKEN or --token-file{trusts}."
    if arguments.token_file is not None and os.environ.get("NUMPYCLIP_TOKEN"):
        yield "NUMPYCLIP_TOKEN is not used, since there is --token-file."


def _minutes(text: str) -> int:
    if not re.fullmatch(r"\d{1,6}", text):
        raise argparse.ArgumentTypeError(
            f"{text!r:.60} is no number of minutes; expected one such as 10, at most 999999, or 0 for never"
        )
    return int(text)


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"{text!r} is no port; expected 0 to 65535")
    return int(text)
