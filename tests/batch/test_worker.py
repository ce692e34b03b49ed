"""One process, which is told by its standard input what to do."""

import pickle
import subprocess
import sys

import pytest

from numpyclip.batch import local_pool
from numpyclip.batch.job import Job
from numpyclip.sources.part import Part

PART = Part(0, "files", "photos", paths=tuple(f"{number}.jpg" for number in range(1000)))


def run(*requests: bytes) -> tuple[int, bytes]:
    """Start a process that is told so much; return its exit status, and what it says to stderr."""
    command, told = [sys.executable, "-c", local_pool._PROGRAM], b"".join(requests)
    done = subprocess.run(command, input=told, capture_output=True, check=False, timeout=60)
    return done.returncode, done.stderr


@pytest.mark.parametrize("cut", [0, 1, 100, 3000])
def test_it_ends_where_the_one_that_has_started_it_does_also_within_a_part(cut: int, job: Job) -> None:
    part = pickle.dumps(PART)
    assert cut < len(part)
    assert run(pickle.dumps(sys.path), pickle.dumps(job), part[:cut]) == (0, b"")
