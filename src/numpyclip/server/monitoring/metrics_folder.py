"""The folder of metrics files that the workers of a server share; each of them can return the sums."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

from numpyclip.errors import NumPyCLIPError

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # that names it, of a worker
_KINDS = ("counter", "histogram", "gauge_livesum")  # of files, those of `numpyclip.server.monitoring.prometheus`
_SIZE = 1 << 16  # bytes of a file, as prometheus_client makes it


class MetricsFolder:
    """The folder of a supervisor, readable by its user only, and removed at the end of the ``with`` block."""

    def __enter__(self) -> MetricsFolder:
        self._folders = ExitStack()
        self._path = ""
        return self

    def __exit__(self, *exc: object) -> None:
        self._folders.close()

    def environment(self) -> dict[str, str]:
        """Return the variables by which a worker that is started finds it; make it, if it is not there."""
        if not self._is_ours():
            self._path = self._folders.enter_context(tempfile.TemporaryDirectory(prefix="numpyclip-metrics-"))
        return {_VARIABLE: self._path}

    def mark_ended(self, process: int) -> None:
        """Count a worker's gauges no longer."""
        mark_process_dead(process, self._path)  # type: ignore[no-untyped-call]

    def _is_ours(self) -> bool:
        """Tell whether it is there: in /tmp, what is old may be deleted, and made by others then."""
        try:
            return os.stat(self._path).st_uid == os.geteuid()  # noqa: PTH116
        except FileNotFoundError:
            return False


def metrics_are_shared() -> bool:
    """Tell whether this process is a worker."""
    return _VARIABLE in os.environ


def allocate_metrics() -> None:
    """Write a worker's files, so that a full disk is an error now, and not SIGBUS when they are mapped.

    Raises
    ------
    NumPyCLIPError
        If they cannot be written.
    """
    folder = Path(os.environ[_VARIABLE])
    for kind in _KINDS:
        whole = folder / f"{kind}_{os.getpid()}.db"
        part = whole.with_suffix(".part")  # which is not read yet
        try:
            part.write_bytes(bytes(_SIZE))
            part.replace(whole)
        except OSError as error:
            raise NumPyCLIPError(
                f"{folder}: metrics cannot be written ({error.strerror or error}); TMPDIR may name another folder."
            ) from error


def remove_metrics() -> None:
    """Remove the folder, for a supervisor that was killed."""
    shutil.rmtree(os.environ[_VARIABLE], ignore_errors=True)
