"""Check what would be uploaded to PyPI.

`nox -s release-check` does it, or, with the packages build, twine and cyclonedx-bom,

    python tools/check_release.py FOLDER [EXTRA ...]

builds the wheel and the sdist into FOLDER, twice, since the builds must be equal, checks sizes, contents, metadata and
the long description, writes an SBOM beside them (CycloneDX, of the wheel and what it pulls in), and installs each extra
(or those that are named) alone into an empty environment, in which its smoke test runs.
"""

import argparse
import email
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST = {".whl": 20_000_000, ".gz": 25_000_000}  # bytes
PURE = "numpyclip classify {root}/docs/pictures/house.png 'a house' 'a bird' --model tiny"
INDEX = "numpyclip index {root}/docs/pictures/album --model tiny --store index"

# What shows that an extra has what it needs; `{root}` is the checkout.
SMOKE_TESTS = {
    "": PURE,
    "hub": "python -c 'from numpyclip.weights import hub_client; import huggingface_hub'",
    "tokenizers": "python -c 'import numpyclip; model, _ = numpyclip.load(\"{root}/tests/golden/families/"
    'open_clip-siglip_text"); print(model.tokenize("a house"))\'',
    "graph": f"{INDEX} && numpyclip index --graph --store index",
    "onnx": "numpyclip export tiny graphs",
    "openvino": f"{PURE} --engine openvino",
    "onnxruntime": f"{PURE} --engine onnxruntime",
    "heif": "python -c 'import numpyclip, pillow_heif; from PIL import Image; pillow_heif.register_heif_opener(); "
    'Image.new("RGB", (64, 64)).save("a.heic"); print(numpyclip.load("tiny")[0].embed_images("a.heic").shape)\'',
    "raw": "python -c 'from numpyclip.images import raw; import rawpy'",
    "parquet": "numpyclip embed images {root}/docs/pictures/album --model tiny -o a.parquet",
    "places": "python -c 'from numpyclip.towns import find_towns; assert find_towns(\"Zurich\")'",
    "remote": "numpyclip embed images file://{root}/docs/pictures/album --model tiny -o album.npy",
    "ray": "python -c 'import ray; ray.init(num_cpus=1); ray.shutdown()'",
    "postgres": "python -c 'import psycopg; print(psycopg.pq.version())'",
    "watch": "python -c 'from numpyclip.index.watching import watcher; watcher()'",
    "server": "python -c 'from numpyclip.server import Settings, create_app'",
    "mcp": "numpyclip mcp --model tiny --store index < /dev/null",
    "video": "python -c 'import av; from numpyclip.videos import embed_video'",
    "chroma": "python -c 'from numpyclip.integrations.chroma import CLIPEmbeddingFunction; "
    'assert CLIPEmbeddingFunction("tiny")(["a house"])[0].shape == (128,)\'',
    "langchain": "python -c 'from numpyclip.integrations.langchain import CLIPEmbeddings; "
    'assert len(CLIPEmbeddings("tiny").embed_query("a house")) == 128\'',
    "llama-index": "python -c 'from numpyclip.integrations.llama_index import CLIPEmbedding; "
    'assert len(CLIPEmbedding(model="tiny").get_text_embedding("a house")) == 128\'',
    "llm": "llm embed -m clip/tiny --binary -i {root}/docs/pictures/house.png",
    "sklearn": "python -c 'from numpyclip.integrations.sklearn import TextEmbedder; "
    'assert TextEmbedder("tiny").fit_transform(["a house"]).shape == (1, 128)\'',
}


def run(*command: object, folder: Path = ROOT, shell: bool = False) -> str:
    """Run a command, and end with its output if it fails."""
    settings = {**os.environ, "SOURCE_DATE_EPOCH": "1577836800", "PIP_NO_CACHE_DIR": "1"}
    line = str(command[0]) if shell else [str(word) for word in command]
    done = subprocess.run(line, cwd=folder, shell=shell, env=settings, text=True, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}:\n{done.stdout}{done.stderr}")
    return done.stdout


def build(folder: Path) -> list[Path]:
    """Build both, twice; return the wheel and the sdist."""
    with tempfile.TemporaryDirectory() as again:
        for place in (folder, Path(again)):
            run(sys.executable, "-m", "build", "--outdir", place, ".")
        kinds = ("*.whl", "*.tar.gz")  # the folder may have other versions
        found = [folder / path.name for kind in kinds for path in Path(again).glob(kind)]
        for path in found:
            if path.read_bytes() != Path(again, path.name).read_bytes():
                sys.exit(f"{path.name}: two builds differ; expected the same bytes.")
    return found


def faults(wheel: Path, sdist: Path) -> Iterator[str]:
    """Yield what is wrong with their sizes, contents and metadata."""
    for path in (wheel, sdist):
        if path.stat().st_size > MOST[path.suffix]:
            yield f"{path.name} has {path.stat().st_size:,} bytes; expected {MOST[path.suffix]:,} at most"
    with zipfile.ZipFile(wheel) as archive:
        names = {info.filename for info in archive.infolist()}
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
    top = {name.partition("/")[0] for name in names}
    if len(top) != 2 or "numpyclip" not in top:
        yield f"the wheel has {', '.join(sorted(top))}; expected numpyclip and its dist-info alone"
    with tarfile.open(sdist) as archive:
        members = {member.name.partition("/")[2]: member.size for member in archive.getmembers() if member.isfile()}
    tracked = set(run("git", "ls-files").splitlines())
    sources = {name.removeprefix("src/") for name in tracked if name.startswith("src/")}
    if wrong := sources ^ {name for name in names if name.startswith("numpyclip/")}:
        yield f"the wheel and the checkout differ in {', '.join(sorted(wrong)[:10])}"
    if wrong := members.keys() - tracked - {"PKG-INFO"}:
        yield f"the sdist has {', '.join(sorted(wrong)[:10])}, which are not in the checkout"
    for needed in ("LICENSE", "NOTICE", "README.md", "docs/reference/api.md", "src/numpyclip/py.typed"):
        if needed not in members:
            yield f"the sdist has no {needed}"
    yield from metadata_faults(metadata, names)


def metadata_faults(metadata: str, names: set[str]) -> Iterator[str]:
    """Yield what is wrong with the metadata."""
    told = email.message_from_string(metadata)
    for licence in told.get_all("License-File", []):
        if not any(name.endswith(f".dist-info/licenses/{licence}") for name in names):
            yield f"the wheel has no {licence}, which its metadata names"
    if extras := set(told.get_all("Provides-Extra", [])) - {"test", "docs", "dev"} ^ SMOKE_TESTS.keys() - {""}:
        yield f"there are no smoke tests, or no extras, {', '.join(sorted(extras))}"
    if links := sorted(set(re.findall(r"\]\((?!https?://|#)([^)]+)\)", str(told.get_payload())))):
        yield f"the long description links to {', '.join(links[:5])}, which no index has; expected URLs"


def smoke_test(wheel: Path, extra: str, bom: Path | None) -> None:
    """Install the wheel with one extra into an empty environment, and run its smoke test there."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        interpreter = folder / "env/bin/python"
        run(sys.executable, "-m", "venv", "--without-pip", folder / "env")  # which the SBOM would list
        install = (sys.executable, "-m", "pip", "--python", interpreter, "install", "--quiet", "--no-compile")
        run(*install, f"{wheel}[{extra}]" if extra else wheel)
        if bom:
            made_by = (sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible")
            run(*made_by, "--pyproject", "pyproject.toml", "--output-file", bom, interpreter)
            bom.write_text(bom.read_text("utf-8").replace(f"{wheel.parent.as_uri()}/", ""), "utf-8")
        path = f"PATH={folder / 'env/bin'}:$PATH NUMPYCLIP_OFFLINE=1 HOME={folder}"
        run(f"export {path}; {SMOKE_TESTS[extra].format(root=ROOT)}", folder=folder, shell=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("extras", nargs="*", metavar="EXTRA", help=", ".join(filter(None, SMOKE_TESTS)))
    given = parser.parse_args(arguments)
    wheel, sdist = build(given.folder.resolve())
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
    found = list(faults(wheel, sdist))
    print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
    for path in (wheel, sdist):
        print(f"{path.name}: {path.stat().st_size:,} bytes")
    for extra in ["", *(given.extras or filter(None, SMOKE_TESTS))]:
        smoke_test(wheel, extra, None if extra else wheel.with_suffix(".cdx.json"))
        print(f"{extra or 'no extra'}: works", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
