"""In a process of its own, for the setting stays."""

import subprocess
import sys

import pytest

FREED = """
import threading
from pathlib import Path
from numpyclip.server.memory import give_back_large_blocks

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

def use():
    bytearray(30 << 20)  # from then on glibc would keep blocks of this size
    blocks = [bytearray(16 << 20) for _ in range(8)]
    small = bytearray(1 << 10)  # at the end of the heap
    del blocks
    kept.append((resident(), small))

kept = []
give_back_large_blocks()
before = resident()
threads = [threading.Thread(target=use) for _ in range(2)]
for thread in threads:
    thread.start()
    thread.join()
print(resident() - before >> 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
def test_memory_is_given_back() -> None:
    result = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    assert int(result.stdout) < 16
