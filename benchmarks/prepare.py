"""Make what the benchmarks need, outside the project in `$NUMPYCLIP_BENCHMARKS`: the peers, models and pictures.

Takes about 18 GB of disk, 12 GB of memory and half an hour. What is there already is kept.
"""

import argparse
import json
import os
import subprocess
import venv
from collections.abc import Sequence

from contest.files import HOME, PYTHON, ROOT, Checkpoint

MODELS = ("ViT-B/32", "RN50", "ViT-L/14@336px", "ViT-B-16-SigLIP", "convnext_base", "MobileCLIP2-S0")
WITH_TEXTS = ("ViT-B/32",)  # of the others only the vision tower is measured
PACKAGES = (
    "torch==2.14.1",
    "torchvision==0.29.1",
    "openai-clip==1.0.1",
    "open_clip_torch==3.3.0",
    "transformers==5.23.0",
    "onnxruntime==1.32.0",
    "openvino==2026.4.1",
    "onnx",
    "onnxscript",
    "matplotlib",
    "ray==2.60.0",
    "pyarrow",
    "webdataset==1.0.2",
    "braceexpand",
    "fire",
    "fsspec",
    "pandas",
    "setuptools<81",  # openai-clip imports pkg_resources
)
ALONE = ("clip-retrieval==2.45.0", "all_clip==1.3.0")  # they ask for older versions of the others


def make_environment() -> None:
    HOME.mkdir(parents=True, exist_ok=True)
    if not PYTHON.exists():
        venv.create(PYTHON.parents[1], with_pip=True)
        subprocess.run([PYTHON, "-m", "pip", "install", *PACKAGES, "-e", str(ROOT)], check=True)
        subprocess.run([PYTHON, "-m", "pip", "install", "--no-deps", *ALONE], check=True)


def make_models(models: Sequence[str]) -> None:
    missing = [model for model in models if not Checkpoint(model).images.exists()]
    if missing:
        run("contest.checkpoints", json.dumps(WITH_TEXTS), *missing)


def run(module: str, *arguments: str) -> None:
    folders = [ROOT / "benchmarks", ROOT / "tools", ROOT / "src"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))}
    subprocess.run([PYTHON, "-m", module, *arguments], env=env, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="*", default=MODELS, choices=MODELS, help="make these only")
    given = parser.parse_args()
    make_environment()
    make_models(given.models)
    run("contest.inputs")
    print(f"Ready. Run the questions with {PYTHON}")


if __name__ == "__main__":
    main()
