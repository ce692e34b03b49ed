"""Find images in a folder by words.

    python examples/search_folder.py photos/ a dog on a beach

Embeddings are kept in an index beside the folder, so that only new and changed files are embedded. A search that
nothing fits says so: of many images one always fits by chance, and `cutoff` is the probability that it must exceed.
"""

import argparse

import numpyclip
from numpyclip.index import Index


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("words", nargs="+")
    parser.add_argument("--store", help="the folder of the index (default: FOLDER.index)")
    parser.add_argument("--model", default="ViT-B/32")
    given = parser.parse_args()

    model, _ = numpyclip.load(given.model)
    with Index(given.store or f"{given.folder.rstrip('/')}.index", model, create=True) as index:
        index.update([given.folder], report=print)
        matches = index.search(" ".join(given.words), n=5)
        cutoff = index.cutoff()
    found = [match for match in matches if match.probability is not None and match.probability >= cutoff]
    for match in found:
        print(f"{match.probability:.2f}  {match.path}")
    if not found:
        print("no match")


if __name__ == "__main__":
    main()
