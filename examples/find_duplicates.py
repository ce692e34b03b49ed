"""Find copies of images in a folder, also resized and recompressed ones, and how much space they take.

    python examples/find_duplicates.py photos/

Nothing is deleted.
"""

import argparse
from pathlib import Path

import numpyclip
from numpyclip.tasks import find_duplicates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--model", default="ViT-B/32")
    given = parser.parse_args()
    if not Path(given.folder).is_dir():
        parser.error(f"{given.folder}: no such folder")

    model, _ = numpyclip.load(given.model)
    paths = list(numpyclip.find_pictures(given.folder))
    spare = 0
    for best, *copies in find_duplicates(model, paths, on_error=print):
        print(best.path)
        for copy in copies:
            spare += Path(copy.path).stat().st_size
            print(f"  {copy.kind:6}  {copy.path}")
    print(f"copies take {spare / 1e6:.1f} MB of {sum(Path(path).stat().st_size for path in paths) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
