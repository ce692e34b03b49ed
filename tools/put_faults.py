"""Put small random faults into the source, one at a time, and report those that no test notices.

    python -m tools.put_faults model tasks/learning images/preprocess.py --faults 25 --seed 1 --log faults.jsonl

An area is a folder or module under `src/numpyclip`; without one, every folder and module there is. Each fault is one
change of a few characters: `<` for `<=`, a constant one off, a condition that always holds, two arguments exchanged.
The same seed puts the same faults into the same source. All happens in a copy of the checkout in a temporary folder.

The test files that mirror the module run first, then the tests that run the changed line, the nearest first, until one
fails or does not end; of more than 200 every second, or third, and so on. Which tests run which line is measured in a
first run of all tests, with the library coverage, and kept in `--map`: remove that file when tests have moved or are
new outside of the mirror files.

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

from coverage import CoverageData
from tools.faults import Fault, choose, put

ROOT = Path(__file__).parents[1]
PACKAGE = Path("src/numpyclip")
PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=no")
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".nox", "__pycache__", "build", "dist", "*_cache")
SETTINGS = """[run]
relative_files = true
source = src/numpyclip
dynamic_context = test_function
"""
AT_ONCE = 40  # tests of one run of pytest
MOST = 200  # tests of a line, beside those of the mirror files
OF_ALL = ("tests/test_api.py", "tests/test_defaults.py", "tests/test_records.py")  # look at what was made at import
LIMIT = 180  # seconds of one run of pytest


class Trial:
    """A copy of the checkout, in which one module at a time has a fault."""

    def __init__(self, root: Path, coverage: CoverageData) -> None:
        self.root = root
        self.coverage = coverage
        self.clock = itertools.count(1_000_000_000)  # no two versions of a module look alike to Python's cache

    def write(self, module: Path, source: bytes) -> None:
        """Write another version of a module."""
        module.write_bytes(source)
        now = next(self.clock)
        os.utime(module, (now, now))

    def mirror(self, module: Path) -> list[str]:
        """Return the test files of the module's name: of `ops.py` also `test_ops_of_pixels.py`."""
        found = self.root / "tests" / module.relative_to(self.root / PACKAGE).with_name(f"test_{module.stem}.py")
        return [str(path.relative_to(self.root)) for path in sorted(found.parent.glob(f"{found.stem}*.py"))]

    def covering(self, module: Path, line: int) -> list[str]:
        """Return the tests that run a line, or else its module, or else all; those of the same folder first."""
        name = str(module.relative_to(self.root))
        by_line = self.coverage.contexts_by_lineno(name)
        some = (by_line.get(line, ()), itertools.chain(*by_line.values()), self.coverage.measured_contexts())
        contexts = next((found for each in some if (found := set(each) - {""})), set())
        tests = list((self.root / "tests").rglob("test_*.py"))
        found = set()
        for file, _, test in (context.rpartition(".") for context in contexts):
            ending = "/" + file.replace(".", "/") + ".py"
            found.update(f"{path.relative_to(self.root)}::{test}" for path in tests if str(path).endswith(ending))
        inner = module.relative_to(self.root / PACKAGE).parent
        return sorted(found, key=lambda test: (-len(os.path.commonprefix((test, f"tests/{inner}/"))), test))

    def runs(self, module: Path, line: int) -> Iterator[list[str]]:
        """Yield the tests of one run of pytest after the other, the nearest first."""
        nearest = [*self.mirror(module), *(test for test in OF_ALL if (self.root / test).exists())]
        yield nearest
        others = [test for test in self.covering(module, line) if test.partition("::")[0] not in nearest]
        chosen = others[:: -(-len(others) // MOST) or 1]
        yield from (chosen[start : start + AT_ONCE] for start in range(0, len(chosen), AT_ONCE))

    def caught_by(self, module: Path, fault: Fault) -> str:
        """Return the first test that fails with the fault, or nothing."""
        source = module.read_bytes()
        self.write(module, put(fault, source))
        try:
            runs = self.runs(module, source.count(b"\n", 0, fault.start) + 1)
            return next((failed for tests in runs if (failed := first_failure(self.root, tests))), "")
        finally:
            self.write(module, source)


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


def measure(root: Path, tests: Sequence[str], file: Path) -> None:
    """Write which tests run which line."""
    (root / "coverage.ini").write_text(SETTINGS)
    command = [sys.executable, "-m", "coverage", "run", "--rcfile=coverage.ini", f"--data-file={file}", *PYTEST, *tests]
    if subprocess.run(command, cwd=root, env=environment(root)).returncode:
        file.unlink(missing_ok=True)
        raise SystemExit("The tests must pass without a fault.")


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
    parser.add_argument("--map", type=Path, default=Path("build/faults.coverage"), help="which tests run which line")
    parser.add_argument("--tests", nargs="+", default=["tests"], metavar="PATH", help="for the map; all by default")
    arguments = parser.parse_args()
    arguments.log.parent.mkdir(parents=True, exist_ok=True)
    lines = arguments.log.read_text("utf-8").splitlines() if arguments.log.exists() else []
    known = {record["fault"]: record for record in map(json.loads, lines)}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(shutil.copytree(ROOT, Path(folder, "checkout"), ignore=LEFT_OUT))
        if not arguments.map.exists():
            measure(root, arguments.tests, arguments.map.resolve())
        coverage = CoverageData(str(arguments.map))
        coverage.read()
        trial, package = Trial(root, coverage), root / PACKAGE
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
