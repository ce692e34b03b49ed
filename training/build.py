"""DRAWINGS → DATA: render all drawings, and write their captions and keywords, and a dictionary.

    python build.py PACKAGES DATA [NAME ...]

DATA/NAME.npy is uint8 (n, 64, 64, 4), straight RGBA; DATA/NAME.json has names, captions and more; DATA/dictionary.json
the nouns of WordNet. Takes five to fifteen minutes of one core. A set that is there is kept. DATA/manifest.json has the
number of drawings and captions of each, its licence and SHA-256 sums, which are compared with those of manifest.json
beside this script.
"""

import argparse
import hashlib
import json
import time
from pathlib import Path

import numpy as np

from drawing import tile
from drawings import Sets
from numpyclip.tokenizer.cleaning import lower as cleaned  # as the model's tokenizer will: quotes are made straight
from sources import HERE, Set, sets
from wordnet import WordNet


def build(drawn: Set, every: Sets, wordnet: WordNet, data: Path) -> None:
    """Render one set. Its .npy file comes last: where it is, all is done."""
    begin = time.monotonic()
    tiles, known, failed = [], [], 0
    seen: set[tuple[bytes, str]] = set()
    for drawing in every.drawings(drawn.name):
        if drawing.caption in drawn.brands or (drawn.group == "things" and not wordnet.is_thing(drawing.caption)):
            continue
        try:
            rendered = tile(drawing.picture())
        except Exception as error:  # resvg and Pillow raise what they like at old files
            print(f"{drawn.name}/{drawing.name}: {error}")
            rendered = None
        if rendered is None:
            failed += 1
            continue
        key = (hashlib.sha256(rendered.tobytes()).digest(), drawing.caption)
        if key in seen:  # the same drawing of the same thing under two names
            continue
        seen.add(key)
        tiles.append(rendered)
        noun = drawing.caption if drawn.is_trained_on else ""
        known.append(
            {
                "name": drawing.name,
                "cap": cleaned(drawing.caption),
                "tags": [cleaned(tag) for tag in drawing.tags],
                "cid": drawing.concept,
                "words": [cleaned(word) for word in wordnet.words(noun)],
                "narrower": [cleaned(word) for word in wordnet.narrower(noun)],
                "definition": cleaned(wordnet.definition(noun)),
            }
        )
    (data / f"{drawn.name}.json").write_text(json.dumps(known), "utf-8")
    part = data / f"{drawn.name}.part.npy"
    np.save(part, np.stack(tiles))
    part.rename(data / f"{drawn.name}.npy")
    captions = len({entry["cap"] for entry in known})
    seconds = time.monotonic() - begin
    print(
        f"{drawn.name:28} {len(tiles):6} drawings, {captions:6} captions, {failed:3} failed, {seconds:5.0f} s",
        flush=True,
    )


def manifest(data: Path) -> dict:
    """Say what is there."""
    entries = {}
    for name, drawn in sets().items():
        if (data / f"{name}.npy").exists():
            known = json.loads((data / f"{name}.json").read_text("utf-8"))
            entries[name] = {
                "group": drawn.group,
                "licence": drawn.licence,
                "drawings": len(known),
                "captions": len({entry["cap"] for entry in known}),
                "sha256": {suffix: _sha256(data / f"{name}.{suffix}") for suffix in ("npy", "json")},
            }
    nouns = json.loads((data / "dictionary.json").read_text("utf-8"))
    entries["dictionary"] = {
        "licence": "WordNet 3.0",
        "nouns": len(nouns),
        "sha256": {"json": _sha256(data / "dictionary.json")},
    }
    return entries


def write_dictionary(wordnet: WordNet, data: Path) -> None:
    entries = [[cleaned(noun), [cleaned(other) for other in others]] for noun, others in wordnet.dictionary()]
    part = data / "dictionary.part"
    part.write_text(json.dumps(entries), "utf-8")
    part.replace(data / "dictionary.json")


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("packages", type=Path, metavar="PACKAGES")
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("names", nargs="*", metavar="NAME", help="render these only")
    given = parser.parse_args()
    given.data.mkdir(parents=True, exist_ok=True)
    every, wordnet = Sets(given.packages), WordNet(given.packages)
    for name, drawn in sets().items():
        if (not given.names or name in given.names) and not (given.data / f"{name}.npy").exists():
            build(drawn, every, wordnet, given.data)
    write_dictionary(wordnet, given.data)
    entries = manifest(given.data)
    (given.data / "manifest.json").write_text(json.dumps(entries, indent=1), "utf-8")
    expected_file = HERE / "manifest.json"
    if expected_file.exists():
        expected = json.loads(expected_file.read_text("utf-8"))
        different = [name for name, entry in entries.items() if entry != expected.get(name)]
        print("as in manifest.json" if not different else f"other than in manifest.json: {', '.join(different)}")


if __name__ == "__main__":
    main()
