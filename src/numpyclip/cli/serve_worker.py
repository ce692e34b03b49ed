"""A process of `numpyclip serve --workers N`, which runs the same command line for the supervisor."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from functools import partial

# Not `python -m`, which would import from the current folder, and not from where the supervisor has imported.
_PROGRAM = "import sys; sys.path[:] = {path!r}; from numpyclip.cli import serve_worker; sys.exit(serve_worker.work())"


def worker_command(words: Sequence[str]) -> list[str]:
    """Return the command line that `Supervisor` starts workers by."""
    return [sys.executable, "-c", _PROGRAM.format(path=[*filter(None, sys.path)]), *words]


def work() -> int:
    """Run the command, whose words are followed by what the supervisor has for this worker; return the exit status."""
    from numpyclip.cli import main, serve
    from numpyclip.server.processes.worker_process import Worker

    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # which is the supervisor's, if it was sent to all processes
    *words, number, listener, control = sys.argv[1:]
    worker = Worker(int(number), int(listener), int(control))
    return main(words, partial(serve.serve, listener=worker.listener, worker=worker))
