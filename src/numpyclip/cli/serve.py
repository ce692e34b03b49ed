"""`numpyclip serve`: embeddings, search and a web page over HTTP."""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import os
import signal
import socket
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from numpyclip.cli.outputs import say
from numpyclip.cli.serve_options import (
    add_access_options,
    add_general_options,
    add_image_options,
    add_index_options,
    add_limits,
    add_log_options,
    is_loopback,
    server_settings,
)
from numpyclip.cli.served_models import model_sources
from numpyclip.cli.stores import add_store_options, place_of
from numpyclip.cli.updates import background_updates
from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.interrupts import end_by

if TYPE_CHECKING:
    from numpyclip.server import Settings
    from numpyclip.server.processes.uvicorn_server import Server
    from numpyclip.server.processes.worker_process import Worker
    from numpyclip.server.service import Service

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
    add_general_options(command)
    index = add_index_options(command)
    add_log_options(command)
    add_access_options(command)
    add_limits(command)
    add_image_options(command)
    several = "; may be given several times: requests select one by `model`; all but the first are loaded on first use"
    add_store_options(command, several, index)


def run(arguments: argparse.Namespace) -> int:
    """Serve until stopped, in this process or in workers."""
    if arguments.workers > 1:
        return _supervise(arguments)
    from numpyclip.server.processes.listening import listen

    with listen(arguments.host, arguments.port) as listener:
        return serve(arguments, listener)


def serve(arguments: argparse.Namespace, listener: socket.socket, worker: Worker | None = None) -> int:
    """Load the models, and serve until stopped, by a signal or by the supervisor of a worker."""
    arguments.host = listener.getsockname()[0]  # systemd may have opened it
    server = _run_server(arguments, server_settings(arguments), listener, worker)
    if not server.started:
        raise NumPyCLIPError("the server did not start; see its messages above.")
    if worker is None:
        say("stopped.")
    if server.signal not in (0, signal.SIGINT):
        end_by(server.signal)
    if any(thread.name.startswith("numpyclip-") for thread in threading.enumerate()):
        os._exit(0)  # Python would wait for a thread that reads a file which hangs, say
    return 0


def _run_server(
    arguments: argparse.Namespace, settings: Settings, listener: socket.socket, worker: Worker | None
) -> Server:
    """Load the models, and answer requests until stopped; return the server that was."""
    from numpyclip.server import create_app
    from numpyclip.server.access.addresses import LOOPBACK
    from numpyclip.server.processes.uvicorn_server import make_server

    place = None if arguments.no_index else place_of(arguments)
    sources = model_sources(arguments, place)
    app = create_app(sources, store=place, settings=settings)
    service: Service = app.state.service
    model = service.first.on_demand
    model.load()  # here, where an error is a line, and before the address is announced
    addresses = " and ".join(f"http://{address}" for address in _addresses(*listener.getsockname()[:2]))
    is_first = worker is None or worker.number == 0
    for warning in _warnings(arguments, addresses, bool(settings.tokens)) if is_first else ():
        say(warning, "warning")
    announcement = f"{', '.join(source.name for source in sources)} at {addresses} (Ctrl-C stops it)"
    announce = partial(worker.announce if worker else _announce, announcement)
    server = make_server(app, settings.timeout, service.fetcher.stop, announce, arguments.proxy or LOOPBACK)
    if worker is not None:
        worker.on_stop(partial(setattr, server, "should_exit", True))
    updates = background_updates(arguments, place if is_first else None, model, 60 * arguments.update_every)
    with contextlib.suppress(KeyboardInterrupt), updates:  # the usual way to stop it
        server.run(sockets=[listener])
    return server


def _announce(announcement: str) -> None:
    """Announce the URL on stderr, and readiness to systemd."""
    from numpyclip.server.processes.systemd import notify_ready

    say(announcement)
    notify_ready()


def _supervise(arguments: argparse.Namespace) -> int:
    """Run the same command in several processes, which share the cores."""
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there are workers to replace, which read everything anew
    from numpyclip.cli.serve_worker import worker_command
    from numpyclip.engines.processor import cores
    from numpyclip.server.processes.listening import listen
    from numpyclip.server.processes.supervisor import Supervisor

    for path in filter(None, (arguments.token_file, arguments.config)):
        if not Path(path).is_file():  # a pipe, such as <(...) of a shell, which can be read only once
            raise InputError(f"{path}: is no regular file; expected one, which all workers read, or --workers 1.")
    threads = max(1, cores() // arguments.workers)
    with listen(arguments.host, arguments.port) as listener:
        arguments.host = listener.getsockname()[0]
        server_settings(arguments)  # an error in them is a line of this process, not of each worker
        command = worker_command(arguments.words)
        status = Supervisor(command, listener, arguments.workers, threads, say).run()
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
