"""What is left after a process is killed, or its disk is full: an index that is whole."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked to be killed")

# A child is killed at the n-th line that the index's own modules run; its parent looks at what is left, and goes on.
PROGRAM = """
import os, resource, shutil, signal, sys
from pathlib import Path
import numpy as np
import numpyclip
from numpyclip.errors import StoreError
from numpyclip.index import Index

work, mode = Path(sys.argv[1]), sys.argv[2]
photos, place = work / "photos", work / "killed"
model, _ = numpyclip.load("tiny")
expected = {str(path): model.embed_images(path)[0] for path in sorted(photos.rglob("*.png"))}

def check(whole):
    index = Index(place, model, create=True)
    matches = index.search("a bird", n=100)
    counts = index.store.counts()
    assert len(matches) == counts.pictures == counts.files, (len(matches), counts)
    assert not whole or counts.files == len(expected)
    for match in matches:
        assert abs(match.embedding - expected[match.path]).max() < 2e-6, match.path
    return counts.files

def killed_at(line):
    lines = 0
    def trace(frame, event, argument):
        nonlocal lines
        if "numpyclip/index/" not in frame.f_code.co_filename.replace(os.sep, "/"):
            return None
        if event == "line":
            lines += 1
            if lines == line:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace
    sys.settrace(trace)
    try:
        Index(place, model, create=True).update([photos], batch_size=2)
    finally:
        sys.settrace(None)
    return lines

def short_of(size):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        Index(place, model, create=True).update([photos], batch_size=2)
    except StoreError as error:
        os._exit(0 if str(error).startswith(str(place)) else 1)
    os._exit(2)

def in_child(function, argument):
    child = os.fork()
    if not child:
        try:
            function(argument)
        finally:
            os._exit(3)
    return os.waitpid(child, 0)[1]

kept = set()
if mode == "kill":
    killed_at(0)  # fills caches
    shutil.rmtree(place)
    points = killed_at(0)
    for line in [int(x) for x in np.linspace(1, points, int(sys.argv[3]))]:
        shutil.rmtree(place, ignore_errors=True)
        status = in_child(killed_at, line)
        assert os.WIFSIGNALED(status), status
        kept.add(check(False))
        Index(place, model, create=True).update([photos], batch_size=2)
        check(True)
else:
    for size in [int(x) for x in sys.argv[3].split()]:
        shutil.rmtree(place, ignore_errors=True)
        status = in_child(short_of, size)
        assert os.WIFEXITED(status) and os.WEXITSTATUS(status) in (0, 2), (size, status)
        kept.add(os.WEXITSTATUS(status))
        check(False)
        Index(place, model, create=True).update([photos], batch_size=2)
        check(True)
print(sorted(kept))
"""


@pytest.mark.parametrize(
    ("mode", "points", "seen"),
    [
        ("kill", "2", {0, 6}),
        pytest.param("kill", "60", {0, 2, 4, 6}, marks=pytest.mark.exhaustive),
        ("full", "16384", {0}),
        pytest.param("full", "100 1200 4096 16384 40000 50000 60000", {0}, marks=pytest.mark.exhaustive),
    ],
)
def test_an_index_is_whole_after_any_end(photos: Path, mode: str, points: str, seen: set[int]) -> None:
    program = [sys.executable, "-c", PROGRAM, str(photos.parent), mode, points]
    done = subprocess.run(program, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert seen <= set(eval(done.stdout))
