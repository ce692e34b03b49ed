"""Find images in a folder by words.

    python examples/search_folder.py photos/ a dog on a beach

Embeddings are kept in an index beside the folder, so that only new and changed files are embedded. Of many images some
fit by chance: if the best is no better than that, a note says so.
"""

import argparse
from pathlib import Path

import numpyclip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("words", nargs="+")
    parser.add_argument("--store", help="the folder of the index (default: FOLDER.index)")
    parser.add_argument("--model", default="ViT-B/32")
    given = parser.parse_args()
    if not Path(given.folder).is_dir():  # before an index is made beside it
        parser.error(f"{given.folder}: no such folder")

    model, _ = numpyclip.load(given.model)
    with numpyclip.Index(given.store or f"{given.folder.rstrip('/')}.index", model, create=True) as index:
        index.update([given.folder], report=print)
        result = index.search(" ".join(given.words), n=5)
    if not result.is_match:
        print("perhaps none of these:")
    for match in result:
        print(f"{match.probability:.2f}  {match.path}")


if __name__ == "__main__":
    main()
