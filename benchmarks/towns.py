"""How much CPU time and memory does it take to find towns by name, and to name places. On Linux.

    pip install "numpyclip[places]"
    python benchmarks/towns.py

Each call is the first one of a process of its own: it reads the lists of towns, which stay in memory. Memory is the
peak of the process above what it had before.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable

from contest import report
from contest.own_memory import reset_peak, resident
from numpyclip.towns import find_towns, place_name

CALLS: dict[str, Callable[[], object]] = {
    "`find_towns`, of 15,000 inhabitants or more": lambda: find_towns("Zürich"),
    "`find_towns`, of fewer": lambda: find_towns("Appenzell"),
    "`place_name`": lambda: place_name(47.4, 8.5),
}


def measure(name: str) -> None:
    before, start = reset_peak(), time.process_time()
    CALLS[name]()
    print(json.dumps([time.process_time() - start, (resident("VmHWM") - before) / 1e6]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--here", choices=CALLS, help=argparse.SUPPRESS)  # in this process
    given = parser.parse_args()
    if given.here:
        measure(given.here)
        return
    rows = []
    for name in CALLS:
        seconds, megabytes = json.loads(subprocess.check_output([sys.executable, __file__, "--here", name]))
        rows.append([name, f"{seconds:.1f}", f"{megabytes:.0f}"])
    print(report.table(("the first call", "CPU seconds", "MB"), rows), report.machine(None, False), sep="\n\n")


if __name__ == "__main__":
    main()
