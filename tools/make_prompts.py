"""Make src/numpyclip/data/prompts: the templates and labels of the papers' zero-shot classification.

    python tools/make_prompts.py OPENAI_CLIP BIG_VISION

Both are git repositories (bare ones will do). Of openai/CLIP: data/prompts.md and the notebook about ImageNet. Of
google-research/big_vision: the templates that SigLIP is evaluated with, in the canonical form in which it reads them.
"""

import argparse
import ast
import csv
import io
import json
import re
import string
import subprocess
from pathlib import Path

TARGET = Path(__file__).parents[1] / "src" / "numpyclip" / "data" / "prompts"
NOTEBOOK = "notebooks/Prompt_Engineering_for_ImageNet.ipynb"
CONSTANTS = "big_vision/evaluators/proj/image_text/prompt_engineering_constants.py"
SIGLIP = {"CLIP_PAPER_PROMPT_TEMPLATES": "siglip", "CLIP_BEST_PROMPT_TEMPLATES": "siglip8"}


def show(repository: str, path: str) -> str:
    command = ["git", f"--git-dir={repository}", "show", f"HEAD:{path}"]
    return subprocess.run(command, check=True, capture_output=True).stdout.decode("utf-8")


def lists(code: str) -> dict[str, list]:
    """Return the lists that assignments at the top of Python code name; none of it is run."""
    assignments = [node for node in ast.parse(code).body if isinstance(node, ast.Assign)]
    return {
        node.targets[0].id: ast.literal_eval(node.value) for node in assignments if isinstance(node.value, ast.List)
    }


def canonical(template: str) -> str:
    """Lower-case, without punctuation but for the place of the label, as big_vision's canonicalize_text makes it."""
    parts = template.replace("_", " ").split("{}")
    bare = "{}".join(part.translate(str.maketrans("", "", string.punctuation)) for part in parts)
    return " ".join(bare.lower().split())


def write_templates(name: str, templates: list[str]) -> None:
    assert all(template.count("{}") == 1 for template in templates)
    (TARGET / "templates" / f"{name}.txt").write_text("\n".join(templates) + "\n", "utf-8")


def write_labels(name: str, labels: list[str | list[str]]) -> None:
    text = io.StringIO()
    rows = ([label] if isinstance(label, str) else label for label in labels)
    csv.writer(text, lineterminator="\n").writerows(rows)
    (TARGET / "labels" / f"{name}.csv").write_text(text.getvalue(), "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", help="a clone of openai/CLIP")
    parser.add_argument("big_vision", help="a clone of google-research/big_vision")
    given = parser.parse_args()
    for folder in ("templates", "labels"):
        (TARGET / folder).mkdir(parents=True, exist_ok=True)
    for section in re.split(r"^## ", show(given.clip, "data/prompts.md"), flags=re.MULTILINE)[1:]:
        found = lists(re.search(r"```bash\n(.*?)```", section, re.DOTALL)[1])
        name = section.partition("\n")[0].strip().lower()
        write_templates(name, found["templates"])
        write_labels(name, found["classes"])
    cells = ["".join(cell["source"]) for cell in json.loads(show(given.clip, NOTEBOOK))["cells"]]
    imagenet = {}
    for cell in cells:
        if cell.startswith(("imagenet_classes =", "imagenet_templates =")):
            imagenet.update(lists(cell))
    write_labels("imagenet", imagenet["imagenet_classes"])
    write_templates("imagenet", imagenet["imagenet_templates"])
    subset = next(cell for cell in cells if "The search terminated after ensembling 7 templates" in cell)
    seven = re.findall(r"^[1-7]\. (.*)$", subset, re.MULTILINE)
    assert set(seven) < set(imagenet["imagenet_templates"]) and len(seven) == 7
    write_templates("imagenet7", seven)
    for constant, templates in lists(show(given.big_vision, CONSTANTS)).items():
        write_templates(SIGLIP[constant], [canonical(template) for template in templates])
    files = [file for file in TARGET.glob("*/*") if file.is_file()]
    print(f"{TARGET}: {len(files)} files, {sum(file.stat().st_size for file in files)} bytes")


if __name__ == "__main__":
    main()
