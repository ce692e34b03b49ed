"""Put small random faults into the source, one at a time, and report those that no test notices.

    python -m tools.put_faults model tasks/learning images/preprocess.py --faults 25 --seed 1 --log faults.jsonl

An area is a folder or module under `src/numpyclip`; without one, every folder and module there is. Each fault is one
change of a few characters: `<` for `<=`, a constant one off, a condition that always holds, two arguments exchanged.
The same seed puts the same faults into the same source. All happens in a copy of the checkout in a temporary folder.

The test files that mirror the module run first, then the others of their folder, then all others, those first that name
the module or are near it, until a test fails or does not end. A fault is seldom noticed late: `--near` leaves out all
but the test files of the folder.

A fault that survives is a test that is missing, or it is equivalent: it changes no behaviour, or only speed or words.
Say so in the log, `"result": "equivalent: WHY"` in place of `"SURVIVED"`, and it is counted apart. A second run with
the same log skips what is in it; `--again` tries those once more that survived, for instance after tests were written.
"""

import argparse
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path

from tools.faults import Fault, choose, put

ROOT = Path(__file__).parents[1]
PACKAGE = Path("src/numpyclip")
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=no")
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".nox", "__pycache__", "build", "dist", "*_cache")
AT_ONCE = 8  # test files of one run of pytest
OF_ALL = ("test_api.py", "test_defaults.py", "test_records.py")  # look at what was made at import
LIMIT = 300  # seconds of one run of pytest


class Trial:
    """A copy of the checkout, in which one module at a time has a fault."""

    def __init__(self, root: Path, near: bool) -> None:
        self.root = root
        self.near = near
        self.sound: set[str] = set()  # tests that pass without a fault
        self.clock = itertools.count(1_000_000_000)  # no two versions of a module look alike to Python's cache

    def write(self, module: Path, source: bytes) -> None:
        """Write another version of a module."""
        module.write_bytes(source)
        now = next(self.clock)
        os.utime(module, (now, now))

    def runs(self, module: Path) -> Iterator[list[str]]:
        """Yield the test files of one run of pytest after the other, the nearest first."""
        inner = module.relative_to(self.root / PACKAGE)
        folder = self.root / "tests" / inner.parent
        name = ".".join(("numpyclip", *inner.with_suffix("").parts))
        nearest = sorted(folder.glob(f"test_{module.stem}*.py"))  # of `ops.py` also `test_ops_of_pixels.py`
        nearest += [path for each in OF_ALL if (path := self.root / "tests" / each).exists()]
        others = set((self.root / "tests").rglob("test_*.py")).difference(nearest)
        near = sorted(file for file in others if file.parent == folder)
        far = sorted(others.difference(near), key=lambda file: (name not in file.read_text("utf-8"), file))
        for group in (nearest, near, *([] if self.near else itertools.zip_longest(*[iter(far)] * AT_ONCE))):
            if files := [str(file.relative_to(self.root)) for file in group if file]:
                yield files

    def caught_by(self, module: Path, fault: Fault) -> str:
        """Return the first test that fails with the fault, or nothing."""
        source = module.read_bytes()
        self.write(module, put(fault, source))
        try:
            failed = next((failed for tests in self.runs(module) if (failed := first_failure(self.root, tests))), "")
        finally:
            self.write(module, source)
        test = failed.partition("[")[0]
        if "::" in test and test not in self.sound and first_failure(self.root, [test]):
            raise SystemExit(f"{test} must pass without a fault.")
        self.sound.add(test)
        return failed


def environment(root: Path) -> dict[str, str]:
    """Return an environment in which Python imports the package, and the tests, from a copy."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join((f"{root / 'src'}", f"{root}", os.getenv("PYTHONPATH", "")))}


def first_failure(root: Path, tests: Sequence[str]) -> str:
    """Return the first of the tests that fails, or nothing."""
    command = [sys.executable, *PYTEST, "-x", *tests]
    with subprocess.Popen(
        command, cwd=root, env=environment(root), stdout=subprocess.PIPE, start_new_session=True, text=True
    ) as process:
        try:
            output, _ = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return f"no end in {LIMIT} s of {tests[0]}"
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
    return "" if process.returncode in (0, 5) else failed[1] if failed else f"pytest, status {process.returncode}"


def described(module: Path, source: bytes, fault: Fault) -> str:
    """Say in one line what a fault changes, and where; two faults never read the same."""
    line, column = source.count(b"\n", 0, fault.start) + 1, fault.start - source.rfind(b"\n", 0, fault.start)
    before, after = (" ".join(text.split()) for text in (source[fault.start : fault.stop].decode(), fault.after))
    return f"{module.as_posix()}:{line}:{column} {before:.60} -> {after:.60}"


def table(records: Iterable[dict[str, str]]) -> str:
    """Return how many faults of each area were caught."""
    lines = [f"{'area':24} faults caught equivalent survived  caught of those that change behaviour"]
    for area, results in itertools.groupby(
        sorted((each["area"], each["result"].split()[0]) for each in records), itemgetter(0)
    ):
        of = Counter(result for _, result in results)
        real = of["caught"] + of["SURVIVED"]
        share = f"{of['caught'] / real:.0%}" if real else "-"
        lines.append(f"{area:24} {of.total():6} {of['caught']:6} {of['equivalent:']:10} {of['SURVIVED']:8}  {share}")
    return "\n".join(lines)


def main() -> None:
    """Put faults into the areas that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("areas", nargs="*", metavar="AREA", help="folder or module under src/numpyclip")
    parser.add_argument("--faults", type=int, default=25, metavar="N", help="faults for each area (25)")
    parser.add_argument("--seed", default="1", help="which faults (1)")
    parser.add_argument(
        "--log", type=Path, default=Path("build/faults.jsonl"), help="what was found (build/faults.jsonl)"
    )
    parser.add_argument("--again", action="store_true", help="try those again that survived")
    parser.add_argument("--near", action="store_true", help="run only the test files of the module's folder")
    arguments = parser.parse_args()
    arguments.log.parent.mkdir(parents=True, exist_ok=True)
    lines = arguments.log.read_text("utf-8").splitlines() if arguments.log.exists() else []
    known = {record["fault"]: record for record in map(json.loads, lines)}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(shutil.copytree(ROOT, Path(folder, "checkout"), ignore=LEFT_OUT))
        trial, package = Trial(root, arguments.near), root / PACKAGE
        everything = sorted(path.name for path in package.iterdir() if path.suffix == ".py" or list(path.glob("*.py")))
        for area in arguments.areas or everything:
            modules = sorted((package / area).rglob("*.py")) or [package / area]
            for module, fault in choose(modules, f"{arguments.seed}/{area}", arguments.faults):
                name = f"seed {arguments.seed} {described(module.relative_to(root), module.read_bytes(), fault)}"
                if name in known and not (arguments.again and known[name]["result"] == "SURVIVED"):
                    continue
                failed = trial.caught_by(module, fault)
                known[name] = {"fault": name, "area": area, "result": f"caught by {failed}" if failed else "SURVIVED"}
                print(name, known[name]["result"], sep="  ", flush=True)
                with arguments.log.open("a", encoding="utf-8") as log:
                    log.write(json.dumps(known[name], ensure_ascii=False) + "\n")
    print(table(known.values()))


if __name__ == "__main__":
    main()
