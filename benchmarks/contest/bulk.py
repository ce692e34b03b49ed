"""One whole run over shards: every picture in them is embedded, and the embeddings are written to a folder.

Run as `python -m contest.bulk RUN MODEL THREADS FOLDER SHARD [SHARD ...]`, MODEL as `numpyclip.load` takes it.
"""

import argparse
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BATCH = 32


def loop(model: str, threads: int, folder: Path, shards: Sequence[str]) -> None:
    """Embed with `embed_images`, as by hand: shard by shard, the whole of one in memory."""
    import numpyclip

    loaded, _ = numpyclip.load(model)
    folder.mkdir()
    for shard in shards:
        with tarfile.open(shard) as archive:
            files = [archive.extractfile(member) for member in archive]
            pictures = [file.read() for file in files if file is not None]
        embeddings = loaded.embed_images(pictures, batch_size=BATCH, draft=True)
        np.save(folder / f"{Path(shard).stem}.npy", embeddings)


def pool(model: str, threads: int, folder: Path, shards: Sequence[str]) -> None:
    """Embed with `numpyclip.batch.embed` on so many local processes."""
    from numpyclip.batch import embed

    embed(shards, folder, model=model, workers=threads)


def ray(model: str, threads: int, folder: Path, shards: Sequence[str]) -> None:
    """Embed with `numpyclip.batch.embed` on a Ray cluster of this machine, so many tasks at once."""
    from numpyclip.batch import embed

    embed(shards, folder, model=model, workers=threads, on="ray")


def clip_retrieval(model: str, threads: int, folder: Path, shards: Sequence[str]) -> None:
    """Embed with clip-retrieval's inference: open_clip on PyTorch, as many processes that read as threads."""
    from contest.clip_retrieval import infer

    infer(Path(model), folder, shards, BATCH, threads)


RUNS: dict[str, Callable[[str, int, Path, Sequence[str]], None]] = {
    "loop": loop,
    "pool": pool,
    "ray": ray,
    "clip_retrieval": clip_retrieval,
}


def embeddings(folder: Path) -> NDArray[np.float32]:
    """Read what a run has written, in the order of the pictures in the shards: float32 (n, e)."""
    arrays = sorted(folder.glob("*.npy"))
    if arrays:
        return np.concatenate([np.load(file) for file in arrays])
    import pyarrow.parquet

    if (folder / "img_emb").exists():  # in the order in which processes have read them
        rows = np.concatenate([np.load(file) for file in sorted((folder / "img_emb").glob("*.npy"))])
        keys = pyarrow.parquet.read_table(folder / "metadata").column("image_path").to_numpy()
        return rows[np.argsort(keys)].astype(np.float32)
    column = pyarrow.parquet.read_table(sorted(map(str, folder.glob("*.parquet"))), columns=["embedding"])["embedding"]
    flat: NDArray[np.float32] = column.combine_chunks().flatten().to_numpy()
    return flat.reshape(len(column), -1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", choices=RUNS)
    parser.add_argument("model")
    parser.add_argument("threads", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("shards", nargs="+")
    given = parser.parse_args()
    RUNS[given.run](given.model, given.threads, given.folder, given.shards)


if __name__ == "__main__":
    main()
