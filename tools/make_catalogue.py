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

from published_results import MEGABYTES, RESULTS, SIGLIP2, XM3600, is_multilingual, licence

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

# OpenCLIP's table has the repository of the epoch before.  timm 1.0.31 knows this one (vision_transformer.py).
REPAIRED = {("ViT-B-16-plus-240", "laion400m_e32"): "timm/vit_base_patch16_plus_clip_240.laion400m_e32"}


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


TABLES = {  # file → its columns of architecture and tag, and of what is taken, by our names
    "openclip_results.csv": ("name", "pretrained", {"top1": "ImageNet 1k"}),
    "openclip_retrieval_results.csv": (
        "name",
        "pretrained",
        {"coco_images": "MSCOCO image retr. R@1", "coco_texts": "MSCOCO text retr. R@1"},
    ),
    "openclip_multilingual_retrieval_results.csv": (
        "model",
        "version",
        {"xm3600": "crossmodal3600 image_retrieval_recall@1 avg"},
    ),
}


COLUMNS = ("top1", "coco_images", "coco_texts")  # of what is published elsewhere


class Measurements:
    """OpenCLIP's tables of accuracies, and what authors have published elsewhere."""

    def __init__(self, repository: str) -> None:
        self.found: dict[tuple[str, str], dict[str, float]] = {}
        for file, (name, tag, columns) in TABLES.items():
            for row in read_csv(repository, file):
                facts = self.found.setdefault((row[name], row[tag]), {})
                facts |= {ours: round(100 * float(row[theirs]), 2) for ours, theirs in columns.items() if row[theirs]}

    def of(self, name: str, tag: str, quick: bool) -> dict[str, object]:
        """Return what was measured, in percent."""
        # What was measured under the plain name was partly measured with the wrong activation.
        facts: dict[str, object] = {
            **self.found.get((name, tag), {}),
            **(self.found.get((name + QUICK, tag), {}) if quick else {}),
        }
        if "top1" not in facts and (name, tag) in RESULTS:
            source, *percents = RESULTS[name, tag]
            facts |= {key: value for key, value in zip(COLUMNS, percents, strict=True) if value}
            facts["source"] = source
        if "xm3600" not in facts and name in XM3600:
            sources = [facts.get("source"), SIGLIP2]
            facts |= {"xm3600": XM3600[name], "source": "; ".join(dict.fromkeys(filter(None, sources)))}
        return facts


def published(name: str, tag: str, entry: dict, measurements: Measurements) -> dict[str, object]:
    quick = entry.get("quick_gelu", False)
    repository, _, _ = entry["hf_hub"].rpartition("/")
    hub = REPAIRED.get((name, tag), repository)
    facts = {
        "hub": hub,
        "openai": OPENAI.get(name, name.replace("ViT-B-", "ViT-B/").replace("ViT-L-", "ViT-L/"))
        if tag == "openai"
        else None,
        "quick_gelu": quick or None,
        "preprocess": preprocessing(entry),
        "licence": licence(name, tag, hub),
        "megabytes": MEGABYTES.get((name, tag)),
        **measurements.of(name, tag, quick),
    }
    return {fact: value for fact, value in facts.items() if value is not None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", help="a clone of open_clip's git repository")
    given = parser.parse_args()
    if open_clip.__version__ != VERSION:
        sys.exit(f"open_clip is {open_clip.__version__}; expected {VERSION}.")
    results, profile = (read_csv(given.repository, file) for file in ("openclip_results.csv", "model_profile.csv"))
    measurements = Measurements(given.repository)
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
        if is_multilingual(name):
            facts["multilingual"] = True
        rows = [f"{compact(fact)}:{compact(value)}" for fact, value in facts.items()]
        models = [f"\n  {compact(tag)}:{compact(published(name, tag, tags[tag], measurements))}" for tag in tags]
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
