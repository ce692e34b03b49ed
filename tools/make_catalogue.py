"""Make src/numpyclip/data/open_clip.json: OpenCLIP's published models, and its descriptions of architectures.

    python tools/make_catalogue.py PATH_TO_ITS_GIT_REPOSITORY

Needs open_clip 3.3.0, whose tables are read, and its repository (a bare one will do), for the measurements in docs/.
"""

import argparse
import csv
import json
import subprocess
import sys
from importlib import resources
from pathlib import Path

import open_clip
from open_clip import pretrained

VERSION = "3.3.0"
TARGET = Path(__file__).parents[1] / "src" / "numpyclip" / "data" / "open_clip.json"
QUICK = "-quickgelu"

NORMALISATIONS = {  # names for the pairs of mean and standard deviation
    "openai": (open_clip.constants.OPENAI_DATASET_MEAN, open_clip.constants.OPENAI_DATASET_STD),
    "imagenet": (open_clip.constants.IMAGENET_MEAN, open_clip.constants.IMAGENET_STD),
    "inception": (open_clip.constants.INCEPTION_MEAN, open_clip.constants.INCEPTION_STD),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}

# Options of its descriptions that matter to training only.
TRAINING = ("timm_model_pretrained", "timm_drop", "timm_drop_path", "output_tokens", "patch_dropout")

OPENAI = {"ViT-L-14-336": "ViT-L/14@336px"}  # names of openai/CLIP that do not come from a slash for a hyphen

# Architectures with an image tower or a decoder that NumPyCLIP does not have, and no published weights.
UNSUPPORTED = ("coca_roberta-ViT-B-32", "swin_base_patch4_window7_224", "vit_relpos_medium_patch16_cls_224")

# Accuracies that its README.md alone has, with one digit.
README = {
    ("ViT-L-14", "dfn2b_s39b"): 0.822,
    ("ViT-L-16-SigLIP2-256", "webli"): 0.825,
    ("ViT-SO400M-16-SigLIP2-384", "webli"): 0.841,
    ("ViT-gopt-16-SigLIP2-384", "webli"): 0.850,
    ("PE-Core-L-14-336", "meta"): 0.835,
    ("PE-Core-bigG-14-448", "meta"): 0.854,
}

# OpenCLIP's table has the repository of the epoch before.  timm 1.0.31 knows this one (vision_transformer.py).
REPAIRED = {("ViT-B-16-plus-240", "laion400m_e32"): "timm/vit_base_patch16_plus_clip_240.laion400m_e32"}


def licence(name: str, tag: str) -> str | None:
    """Return what docs/PRETRAINED.md says of the models it names; of LAION's, OpenAI's and later ones, nothing."""
    if name.startswith("EVA"):
        return "MIT"
    if "CLIPA" in name or ("SigLIP" in name and "SigLIP2" not in name):
        return "Apache-2.0"
    if tag.startswith("metaclip_") or (name.startswith("nllb-clip") and tag == "v1"):
        return "CC-BY-NC"
    return "Apple's own" if tag in ("dfn2b", "dfn5b") else None


def read_csv(repository: str, file: str) -> list[dict[str, str]]:
    command = ["git", f"--git-dir={repository}", "show", f"v{VERSION}:docs/{file}"]
    return list(csv.DictReader(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()))


def without_training(options: dict) -> dict:
    return {
        name: without_training(value) if isinstance(value, dict) else value
        for name, value in options.items()
        if name not in TRAINING
    }


def preprocessing(entry: dict) -> list[str] | None:
    normalisation = next(
        name for name, pair in NORMALISATIONS.items() if pair == (tuple(entry["mean"]), tuple(entry["std"]))
    )
    found = [normalisation, entry["interpolation"], entry["resize_mode"]]
    return None if found == ["openai", "bicubic", "shortest"] else found


def published(name: str, tag: str, entry: dict, top1: dict[tuple[str, str], str]) -> dict[str, object]:
    quick = entry.get("quick_gelu", False)
    # What was measured under the plain name was partly measured with the wrong activation.
    accuracy = (quick and top1.get((name + QUICK, tag))) or top1.get((name, tag)) or README.get((name, tag))
    repository, _, _ = entry["hf_hub"].rpartition("/")
    facts = {
        "hub": REPAIRED.get((name, tag), repository),
        "openai": OPENAI.get(name, name.replace("ViT-B-", "ViT-B/").replace("ViT-L-", "ViT-L/"))
        if tag == "openai"
        else None,
        "quick_gelu": quick or None,
        "preprocess": preprocessing(entry),
        "top1": round(100 * float(accuracy), 2) if accuracy else None,
        "licence": licence(name, tag),
    }
    return {fact: value for fact, value in facts.items() if value is not None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", help="a clone of open_clip's git repository")
    given = parser.parse_args()
    if open_clip.__version__ != VERSION:
        sys.exit(f"open_clip is {open_clip.__version__}; expected {VERSION}.")
    results, profile = (read_csv(given.repository, file) for file in ("openclip_results.csv", "model_profile.csv"))
    top1 = {(row["name"], row["pretrained"]): row["ImageNet 1k"] for row in results}
    parameters = {row["model"]: row["mparams"] for row in profile} | {row["name"]: row["params (M)"] for row in results}
    files = (resources.files("open_clip") / "model_configs").iterdir()
    configs = {file.name.removesuffix(".json"): json.loads(file.read_text("utf-8")) for file in files}
    lines = []
    for name in sorted(configs, key=str.lower):
        if name.endswith(QUICK):
            assert configs[name] == {**configs[name.removesuffix(QUICK)], "quick_gelu": True}
            continue
        tags = pretrained._PRETRAINED.get(name, {})
        if not tags and name in UNSUPPORTED:
            continue  # of others' towers those that were published are enough
        facts: dict[str, object] = {"model_cfg": without_training(configs[name])}
        if count := parameters.get(name) or parameters.get(name + QUICK):
            facts["parameters"] = float(count)
        if name + QUICK in configs:
            facts["quickgelu"] = True
        rows = [f"{compact(fact)}:{compact(value)}" for fact, value in facts.items()]
        models = [f"\n  {compact(tag)}:{compact(published(name, tag, tags[tag], top1))}" for tag in tags]
        rows.append(f'"tags":{{{",".join(models)}}}')
        lines.append(f"{compact(name)}:{{\n " + ",\n ".join(rows) + "}")
    means = {name: {"mean": mean, "std": std} for name, (mean, std) in NORMALISATIONS.items()}
    head = f'{{"source":"open_clip {VERSION}, MIT",\n"normalisations":{compact(means)},\n"architectures":{{\n'
    TARGET.write_text(head + ",\n".join(lines) + "}}\n", "utf-8")
    print(f"{TARGET}: {len(lines)} architectures, {TARGET.stat().st_size} bytes")


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


if __name__ == "__main__":
    main()
