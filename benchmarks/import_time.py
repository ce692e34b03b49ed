"""How long `import numpyclip`, and the first use of it, take, compared with `import numpy`."""

import statistics
import subprocess
import sys
import time

ROUNDS = 15


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def main() -> None:
    codes = {
        "nothing": "pass",
        "numpy": "import numpy",
        "numpyclip": "import numpyclip",
        "names": "import numpyclip; numpyclip.load, numpyclip.tokenize, numpyclip.softmax, numpyclip.CLIP",
    }
    times: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(ROUNDS):
        for name, code in codes.items():
            times[name].append(seconds(code))
    start, numpy, *ours = (statistics.median(times[name]) for name in codes)
    print(f"Python alone {start:.3f} s, with numpy {numpy:.3f} s")
    for code, seconds_taken in zip(list(codes.values())[2:], ours, strict=True):
        print(f"{code}: {(seconds_taken - start) / (numpy - start):.2f} times as long as import numpy")


if __name__ == "__main__":
    main()
