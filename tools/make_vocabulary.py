"""Make src/numpyclip/data/vocabulary.txt.gz from OpenAI's bpe_simple_vocab_16e6.txt.gz.

    python tools/make_vocabulary.py PATH_TO_ORIGINAL

The original, in the PyPI package of openai/CLIP and in its repository, lists 262,145 merges below a line
of version; only the first 48,894 are used.  The same input gives the same bytes (no time stamp, no name).
"""

import argparse
import gzip
import hashlib
import sys
from pathlib import Path

ORIGINAL_SHA256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"
MERGES_USED = 49152 - 256 - 2
TARGET = Path(__file__).parent.parent / "src" / "numpyclip" / "data" / "vocabulary.txt.gz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="OpenAI's bpe_simple_vocab_16e6.txt.gz")
    given = parser.parse_args()
    original = given.file.read_bytes()
    digest = hashlib.sha256(original).hexdigest()
    if digest != ORIGINAL_SHA256:
        sys.exit(f"{given.file}: sha256 {digest}; expected {ORIGINAL_SHA256}; pass OpenAI's own file.")
    merges = gzip.decompress(original).decode("utf-8").split("\n")[1 : MERGES_USED + 1]
    TARGET.write_bytes(gzip.compress("\n".join(merges).encode("utf-8"), compresslevel=9, mtime=0))
    print(f"{TARGET}: {len(merges)} merges, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
