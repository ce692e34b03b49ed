"""What an index costs as it grows: disk, time to add, to look for what has changed, to search, and to browse.

    python benchmarks/index_growth.py [--files 10000 100000 1000000] [--width 512]

Files and embeddings are made up, 1,000 in each folder; the index is a real one, in a folder. What embedding costs is
measured by the other scripts: it is added to this.
"""

import argparse
import hashlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

for setting in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(setting, None)

import numpy as np  # noqa: E402

from contest import report  # noqa: E402
from numpyclip import Fingerprint  # noqa: E402
from numpyclip.images.exif import Exif  # noqa: E402
from numpyclip.images.find import FileState  # noqa: E402
from numpyclip.index.open_store import open_store  # noqa: E402
from numpyclip.index.records import Changes, Filed, NewPicture  # noqa: E402
from numpyclip.index.store import Store  # noqa: E402
from numpyclip.index.where import EVERYWHERE, Where  # noqa: E402

_BATCH = 1000
_SEARCH = """
import resource, sys, time
begin = time.perf_counter()
import numpy as np
from numpyclip.index.open_store import open_store
store = open_store(sys.argv[1])
query = np.random.default_rng(1).standard_normal((1, int(sys.argv[2])), np.float32)
store.search("pictures", query / np.linalg.norm(query), 20)
print(time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def fill(store: Store, start: int, end: int, width: int) -> float:
    """Add files to an index; return how many seconds that took."""
    rng = np.random.default_rng(start)
    taken = 0.0
    for first in range(start, end, _BATCH):
        vectors = rng.standard_normal((_BATCH, width), np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        changes = Changes()
        for number, vector in enumerate(vectors, start=first):
            digest = hashlib.sha256(str(number).encode()).digest()
            state = FileState(3_000_000 + number, 1_600_000_000 * 10**9 + number * 10**11)
            changes.filed.append(Filed(f"/home/someone/photos/{first // _BATCH:05}/IMG_{number:08}.jpg", state, digest))
            date = f"{2000 + number // 37 % 25}-{1 + number % 12:02}-{1 + number % 28:02}T12:30:00"
            exif = Exif(4000, 3000, date, number % 170 - 85, number % 350 - 175, camera=f"Camera {number % 20}")
            changes.pictures[digest] = NewPicture(exif, {"": vector})
        begin = time.perf_counter()
        store.write(changes)
        taken += time.perf_counter() - begin
        store.mark([*changes.pictures][::50], "rating", "4")
    return taken


def cpu_ms(call: Callable[[], object]) -> float:
    """Return the median processor time of a call, in milliseconds."""
    times = []
    for _ in range(5):
        begin = time.process_time()
        call()
        times.append(time.process_time() - begin)
    return 1000 * statistics.median(times)


def measure(store: Store, files: int, width: int) -> None:
    """Print what an index of this size costs."""
    size = {path.suffix: path.stat().st_size for path in Path(store.place).rglob("*") if path.is_file()}
    vectors = sum(path.stat().st_size for path in Path(store.place).rglob("*.float32"))
    query = np.random.default_rng(1).standard_normal((1, width), np.float32)
    query /= np.linalg.norm(query)

    def seconds(where: Where) -> float:
        times = []
        for _ in range(5):
            begin = time.perf_counter()
            store.search("pictures", query, 20, where)
            times.append(time.perf_counter() - begin)
        return statistics.median(times)

    begin = time.perf_counter()
    for directory in store.directories("/home/someone/photos"):
        store.files(directory)
    looked = time.perf_counter() - begin
    fresh = subprocess.run(
        [sys.executable, "-c", _SEARCH, store.place, str(width)], capture_output=True, text=True, check=True
    ).stdout.split()
    print(f"  disk: {vectors / files:.0f} bytes of embeddings and {size['.sqlite'] / files:.0f} of database a picture")
    print(f"  search: {seconds(EVERYWHERE):.3f} s; one folder of {files // _BATCH}: ", end="")
    print(f"{seconds(Where(folder='/home/someone/photos/00003')):.3f} s; after a date, all: ", end="")
    print(f"{seconds(Where(after='2000')):.3f} s")
    browsed = {
        "all": EVERYWHERE,
        "a camera": Where(camera="Camera 7"),
        "a rating": Where(rating=3),
        "a folder": Where(folder="/home/someone/photos/00003"),
    }
    for name, where in browsed.items():
        print(f"  the newest 60 of {name}: {cpu_ms(lambda where=where: store.browse(where, 60)):.1f} ms of CPU")
    print(f"  timeline: {cpu_ms(store.timeline):.0f} ms of CPU; places: {cpu_ms(store.places):.0f}")
    print(f"  what is known of all files, read: {looked:.2f} s")
    print(f"  a new process: {float(fresh[0]):.2f} s, {fresh[1]} MiB resident, mapped pages and all")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--width", type=int, default=512)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "index", create=True)
        done = 0
        for files in arguments.files:
            with store.writing():
                if not done:
                    store.begin(Fingerprint("0" * 64, "", "", "", "float32"), arguments.width)
                taken = fill(store, done, files, arguments.width)
            print(f"{files} files: {1e6 * taken / (files - done):.0f} microseconds to add one, ", end="")
            print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB resident at most")
            measure(store, files, arguments.width)
            done = files
    print(report.machine(None, False))


if __name__ == "__main__":
    main()
