"""What C libraries print, and what Python does."""

import subprocess
import sys

import pytest

from numpyclip.images import c_stderr

SAID = """
import ctypes, os, sys
from numpyclip.images.c_stderr import quiet_c_stderr
library = ctypes.CDLL(None)
def say(text):
    library.fputs(text, ctypes.c_void_p.in_dll(library, "stderr"))
say(b"before ")
with quiet_c_stderr():
    with quiet_c_stderr():
        say(b"INNER ")
    say(b"OUTER ")
    print("ours", end=" ", file=sys.stderr, flush=True)
    os.write(2, b"written ")
say(b"after")
"""


@pytest.mark.skipif(c_stderr._streams() is None, reason="the C library is not glibc")
def test_only_what_c_prints_meanwhile_is_dropped() -> None:
    done = subprocess.run([sys.executable, "-c", SAID], capture_output=True, text=True, check=True)
    assert done.stderr == "before ours written after"


def test_elsewhere_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(c_stderr, "_streams", lambda: None)
    with c_stderr.quiet_c_stderr():
        assert c_stderr._within == 0
