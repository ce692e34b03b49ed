"""Compare NumPyCLIP on other processors, where PyTorch and ONNX Runtime do not run, with this one.

    python tools/check_processors.py armhf riscv64 s390x

makes, one after the other, a folder of Debian's python3, python3-numpy and python3-pil for each processor, in which
qemu-user runs this file. It needs root (for chroot), a checkout, and

    apt-get install mmdebstrap qemu-user-static

On both sides the checkpoints of tests/golden are loaded in each format, texts are tokenized, an image is classified
with `tiny`, a model is saved, and images are indexed and searched, also in the other side's index. One line per
processor, for docs/explanations/processors.md, and one to stderr for each answer that differs.
"""

import argparse
import gzip
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

PROCESSORS = {  # Debian's names: qemu's, and that of the folder of libraries
    "amd64": ("x86_64", "x86_64-linux-gnu"),
    "arm64": ("aarch64", "aarch64-linux-gnu"),
    "armel": ("arm", "arm-linux-gnueabi"),
    "armhf": ("arm", "arm-linux-gnueabihf"),
    "i386": ("i386", "i386-linux-gnu"),
    "ppc64el": ("ppc64le", "powerpc64le-linux-gnu"),
    "riscv64": ("riscv64", "riscv64-linux-gnu"),
    "s390x": ("s390x", "s390x-linux-gnu"),
}
WHEELS = ["ftfy", "wcwidth", "threadpoolctl", "tqdm"]  # pure Python
WITHIN = 2e-6  # of the largest value: float32, as tests/model/golden.py argues
WITHIN_IMAGES = 2e-3  # where versions of Pillow differ, which round differently when they resize


def answers(theirs: Path | None, ours: Path) -> Iterator[tuple[str, float, object]]:
    """Yield names, tolerances (0: equal) and values of what must be the same everywhere; `ours` becomes an index."""
    import numpy as np
    import PIL

    import numpyclip

    about = {
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "pillow": PIL.__version__,
        "order": sys.byteorder,
    }
    yield from ((name, -1, value) for name, value in {**about, "bits": sys.maxsize.bit_length() + 1}.items())
    golden = ROOT / "tests" / "golden" / "checkpoints"
    for file in sorted(path for path in golden.iterdir() if path.name.startswith(("vit", "resnet", "open_clip"))):
        if file.suffix != ".npz":
            model, _ = numpyclip.load(file)
            with np.load(golden / f"{file.name}.npz") as recorded:
                yield f"images by {file.name}", WITHIN, model.encode_image(recorded["image"]).ravel().tolist()
                yield f"texts by {file.name}", WITHIN, model.encode_text(recorded["text"]).ravel().tolist()
            yield f"fingerprint of {file.name}", 0, str(model.fingerprint)
    with tempfile.TemporaryDirectory() as folder:
        numpyclip.save(model, Path(folder, "saved"), dtype="float16")
        saved = sorted(Path(folder, "saved").glob("*.safetensors"))
        yield "a saved model", 0, [hashlib.sha256(path.read_bytes()).hexdigest() for path in saved]
    texts = json.loads(gzip.decompress((ROOT / "tests" / "golden" / "tokens.json.gz").read_bytes()))
    texts = [text for text in sorted(_strings(texts)) if text][:500]
    tokens = numpyclip.tokenize(texts, truncate=True).astype("<i4")
    yield f"tokens of {len(texts)} texts", 0, hashlib.sha256(tokens.tobytes()).hexdigest()
    pictures = ROOT / "docs" / "pictures"
    tiny, _ = numpyclip.load("tiny")
    yield "tiny's fingerprint", 0, str(tiny.fingerprint)
    house = tiny.classify([pictures / "house.png"], ["a house", "a castle", "a bird"])
    yield "probabilities by tiny", WITHIN_IMAGES, house.ravel().tolist()
    with numpyclip.Index(ours, tiny, create=True) as index:
        index.update([pictures / "album"])
    for side, path in (("ours", ours), ("theirs", theirs)):
        if path is not None:
            with numpyclip.Index(path, tiny) as index:
                for query in ("a house", "a dog", "fruit"):
                    found = list(index.search(query, n=3))
                    yield f"{query!r} in {side}", 0, [Path(match.path or "").name for match in found]
                    yield f"cosines of {query!r} in {side}", WITHIN_IMAGES, [float(match.cosine) for match in found]


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each)


def answered(theirs: Path | None, ours: Path) -> dict[str, tuple[float, object]]:
    """Return the answers of this process, with the seconds that they took."""
    start = time.perf_counter()
    found: dict[str, tuple[float, object]] = {}
    for name, within, value in answers(theirs, ours):
        found[name] = (within, value)
        print(f"{time.perf_counter() - start:.0f} s: {name}", file=sys.stderr)  # emulated, it takes minutes
    return found | {"seconds": (-1, round(time.perf_counter() - start))}


def differences(here: dict[str, tuple[float, object]], there: dict[str, tuple[float, object]]) -> Iterator[str]:
    """Yield what differs, by more than rounding."""
    for name, (within, value) in here.items():
        found = there.get(name, (0, None))[1]
        if isinstance(value, list) and isinstance(found, list) and within > 0 and len(value) == len(found):
            largest = max(map(abs, value))
            errors = [abs(a - b) / largest for a, b in zip(value, found, strict=True)]
            if not all(error <= within for error in errors):  # NaN is not
                yield f"{name}: {max(errors):.1e} of the largest value, expected at most {within:.0e}"
        elif within >= 0 and value != found:
            yield f"{name}: {found}, expected {value}"


def searches(found: dict[str, tuple[float, object]], index: str = "ours") -> dict[str, tuple[float, object]]:
    """Return what was found in an index, the one that was made on the same side or on the other."""
    end = f" in {index}"
    return {f"{name.removesuffix(end)} in one index": one for name, one in found.items() if name.endswith(end)}


def make_system(folder: Path, processor: str, given: argparse.Namespace) -> None:
    """Unpack Debian's packages into a folder, without running their scripts, and a copy of the checkout."""
    packages = ["--include=python3,python3-numpy,python3-pil", *(f"--aptopt={option}" for option in given.aptopt)]
    skip = "--skip=check/qemu,check/empty"  # nothing is run yet, so binfmt_misc is not needed
    kind = ["--variant=extract", f"--architectures={processor}"]
    subprocess.run(["mmdebstrap", "--quiet", *kind, skip, *packages, given.suite, folder, given.mirror], check=True)
    for name in ("bin", "lib"):  # which the script of a package would have made
        if not (folder / name).exists():
            (folder / name).symlink_to(f"usr/{name}")
    shutil.copy(f"/usr/bin/qemu-{PROCESSORS[processor][0]}-static", folder / "qemu")
    wheels = ["--no-deps", "--only-binary=:all:", "--platform=any", "--quiet", "--target"]
    subprocess.run([sys.executable, "-m", "pip", "install", *wheels, folder / "wheels", *WHEELS], check=True)
    for name in ("src", "docs/pictures", "tests/golden", "tools"):
        shutil.copytree(ROOT / name, folder / "checkout" / name, ignore=shutil.ignore_patterns("__pycache__"))


def run(folder: Path, processor: str) -> dict[str, tuple[float, object]]:
    """Run this file in the folder."""
    libraries = f"/usr/lib/{PROCESSORS[processor][1]}"  # where libblas and liblapack have folders of their own
    values = {"LD_LIBRARY_PATH": f"{libraries}/blas:{libraries}/lapack", "PYTHONPATH": "/wheels:/checkout/src"}
    values |= {"HOME": "/tmp", "LC_ALL": "C.UTF-8"}
    setting = [word for name, value in values.items() for word in ("-E", f"{name}={value}")]
    command = ["/usr/bin/python3", "/checkout/tools/check_processors.py", "--here", "/theirs", "/ours"]
    result = subprocess.run(["chroot", folder, "/qemu", *setting, *command], stdout=subprocess.PIPE, check=True)
    found: dict[str, tuple[float, object]] = json.loads(result.stdout)
    return found


def check(processor: str, given: argparse.Namespace) -> int:
    """Print a line about a processor; return the exit status, 0 if all is equal."""
    folder = Path(tempfile.mkdtemp(prefix=f"{processor}-"))
    try:
        make_system(folder, processor, given)
        here = answered(None, folder / "theirs")
        there = run(folder, processor)
        back = answered(folder / "ours", folder / "again")  # the index that was made there, searched here
        about = [str(there[name][1]) for name in ("bits", "order", "python", "numpy", "pillow", "seconds")]
        found = [*differences(here, there), *differences(searches(here), searches(there, "theirs"))]
        found += differences(searches(there), searches(back, "theirs"))
        result = "different" if found else "equal"
        print(" | ".join([processor, *about, str(here["seconds"][1]), result]), flush=True)
        print("\n".join(found), end="\n" if found else "", file=sys.stderr)
        return int(bool(found))
    finally:
        shutil.rmtree(folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("processors", nargs="*", metavar="PROCESSOR", help=", ".join(PROCESSORS))
    parser.add_argument("--suite", default="trixie", help="Debian's release (default: trixie)")
    parser.add_argument("--mirror", default="http://deb.debian.org/debian", help="where Debian's packages are")
    parser.add_argument("--aptopt", action="append", default=[], help="an option of apt, as mmdebstrap takes it")
    parser.add_argument("--here", nargs=2, type=Path, help=argparse.SUPPRESS)  # what runs in the folder
    given = parser.parse_args()
    if given.here:
        json.dump(answered(*given.here), sys.stdout)
        return 0
    if unknown := set(given.processors) - PROCESSORS.keys():
        parser.error(f"{', '.join(sorted(unknown))}: unknown; expected {', '.join(PROCESSORS)}")
    print("processor | bits | byte order | Python | NumPy | Pillow | seconds | here | answers")
    return max((check(processor, given) for processor in given.processors), default=0)


if __name__ == "__main__":
    sys.exit(main())
