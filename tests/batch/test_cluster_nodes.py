"""Two real Ray nodes and an S3 server, of which workers, a node and a driver are killed."""

import io
import json
import os
import signal
import sys
import tarfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from socket import gethostname
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests import random_clip
from tests.batch.ray_cluster import Cluster, Store, end, memory, tasks

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
    *(
        pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed")
        for name in ("ray", "grpc", "moto", "s3fs", "pyarrow")
    ),
]

SHARDS, PICTURES = 20, 100
WIDTH = 1024  # of a tower whose weights are worth sharing
SOURCES = f"s3://sources/{{00..{SHARDS - 1}}}.tar"
Rows = dict[str, tuple[Any, ...]]


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """2,000 pictures in shards, one of them damaged."""
    store = Store()
    try:
        store.put("sources")
        store.put("embeddings")
        random = np.random.default_rng(22)
        for shard in range(SHARDS):
            store.put(f"sources/{shard:02}.tar", _archive(shard, random))
        yield store
    finally:
        store.end()


def _archive(shard: int, random: np.random.Generator) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for number in range(PICTURES):
            coarse = Image.fromarray(random.integers(0, 256, (4, 4, 3), dtype=np.uint8))
            picture = io.BytesIO()
            coarse.resize((64, 64)).save(picture, "JPEG")
            content = b"damaged" if (shard, number) == (7, 50) else picture.getvalue()
            for name, data in ((f"{number:06}.jpg", content), (f"{number:06}.txt", b"caption %d" % number)):
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
    return archive.getvalue()


@pytest.fixture(scope="module")
def cluster(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(store, tmp_path_factory.mktemp("cluster"))
    try:
        yield cluster
    finally:
        cluster.end()


@pytest.fixture(scope="module")
def expected(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The rows of a run in one process."""
    folder = tmp_path_factory.mktemp("local") / "out"
    summary = cluster.drive(SOURCES, str(folder), on=None, workers=1).summary()
    assert (summary["rows"], summary["errors"], summary["failed"]) == (SHARDS * PICTURES, 1, [])
    return rows_in(path.read_bytes() for path in sorted(folder.glob("*.parquet")))


def rows_in(files: Iterator[bytes]) -> Rows:
    """All columns by key, embeddings as their bytes; no key is there twice."""
    from pyarrow import BufferReader, parquet

    rows: Rows = {}
    for content in files:
        for row in parquet.read_table(BufferReader(content)).to_pylist():
            key, embedding = row.pop("key"), row.pop("embedding")
            assert key not in rows
            rows[key] = (np.array(embedding, np.float32).tobytes(), *sorted(row.items(), key=str))
    return rows


def written(store: Store, place: str) -> Rows:
    names = [name for name in store.names("embeddings", f"{place}/") if name.endswith(".parquet")]
    assert names == [f"embeddings/{place}/part-{number:05}.parquet" for number in range(SHARDS)]
    return rows_in(map(store.get, names))


def test_a_worker_and_then_a_whole_node_are_killed_and_nothing_is_lost(
    cluster: Cluster, store: Store, expected: Rows
) -> None:
    driver = cluster.drive(SOURCES, "s3://embeddings/killed")
    killed: list[int] = []
    for parts_done, _ in driver.events():
        if parts_done >= 2 and not killed and (killed := tasks(cluster.head.process.pid)):
            os.kill(killed[0], signal.SIGKILL)
        if parts_done >= 5 and killed and tasks(cluster.second.process.pid):
            end(cluster.second.process)
            break
    summary = driver.summary()
    cluster.start_second()
    assert (summary["rows"], summary["errors"], summary["failed"]) == (SHARDS * PICTURES, 1, [])
    assert written(store, "killed") == expected


def test_a_killed_driver_is_started_again_and_does_the_rest(cluster: Cluster, store: Store, expected: Rows) -> None:
    driver = cluster.drive(SOURCES, "s3://embeddings/again")
    next(parts_done for parts_done, _ in driver.events() if parts_done >= 5)
    driver.kill()
    summary = cluster.drive(SOURCES, "s3://embeddings/again").summary()
    assert 5 <= summary["parts_skipped"] < SHARDS
    assert summary["rows"] == (SHARDS - summary["parts_skipped"]) * PICTURES
    assert written(store, "again") == expected


DEADLY = """
import os, signal
from numpyclip.batch import cluster
embed = cluster._embed
def deadly(job, part, *others):
    if part.number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return embed(job, part, *others)
cluster._embed = deadly
"""


def test_a_part_that_ends_every_worker_fails_and_stdout_is_data(cluster: Cluster, store: Store, expected: Rows) -> None:
    words = ["embed", "images", SOURCES, "-o", "s3://embeddings/deadly", "--model", "tiny", "--batch-size", "16"]
    status, printed = cluster.command(*words, "--json", "--on", "ray", before=DEADLY)
    summary = json.loads(printed)
    assert (status, summary["rows"]) == (3, (SHARDS - 1) * PICTURES)
    assert [part["number"] for part in summary["failed"]] == [3]
    assert "each of 4 workers ended within it" in summary["failed"][0]["error"]
    status, printed = cluster.command(*words, "--json", "--on", f"ray://{cluster.client}")
    assert (status, json.loads(printed)["rows"]) == (0, PICTURES)
    assert written(store, "deadly") == expected


def test_a_part_that_cannot_be_read_fails_and_is_tried_again(cluster: Cluster, store: Store) -> None:
    driver = cluster.drive("s3://sources/{18..20}.tar", "s3://embeddings/missing")
    summary = driver.summary()
    assert (summary["rows"], [part["number"] for part in summary["failed"]]) == (2 * PICTURES, [2])
    assert "s3://sources/20.tar: cannot be read" in summary["failed"][0]["error"]
    store.put("sources/20.tar", store.get("sources/19.tar"))
    summary = cluster.drive("s3://sources/{18..20}.tar", "s3://embeddings/missing").summary()
    assert (summary["parts_skipped"], summary["rows"], summary["failed"]) == (2, PICTURES, [])


ELSEWHERE = """
from dataclasses import replace
from numpyclip.batch import cluster
embed = cluster._embed
cluster._embed = lambda job, *others: embed(replace(job, model="/only/here.npz"), *others)
"""


def test_a_model_that_a_node_does_not_have_ends_the_run_and_names_the_node(cluster: Cluster) -> None:
    words = ["embed", "images", SOURCES, "-o", "s3://embeddings/none", "--model", "tiny", "--on", "ray"]
    status, printed = cluster.command(*words, before=ELSEWHERE)
    assert (status, printed) == (2, b"")
    said = f"numpyclip: on node {gethostname()}: Model '/only/here.npz' not found"
    assert said.encode() in cluster.log.read_bytes()


def write_image_tower(path: Path) -> int:
    """Write an image tower with random weights; return the bytes of its blocks in float32."""
    random = np.random.default_rng(1)
    arrays: dict[str, Any] = {
        "visual.conv1.weight": random.standard_normal((WIDTH, 3, 16, 16)) / 16,
        "visual.class_embedding": random.standard_normal(WIDTH) / 4,
        "visual.positional_embedding": random.standard_normal((17, WIDTH)) / 4,
        "visual.proj": random.standard_normal((WIDTH, 32)) / 32,
    }
    for norm in ("visual.ln_pre", "visual.ln_post"):
        arrays[f"{norm}.weight"], arrays[f"{norm}.bias"] = np.ones(WIDTH), np.zeros(WIDTH)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(random_clip, "WIDTH", WIDTH)
        for number in range(3):
            arrays |= random_clip._block(f"visual.transformer.resblocks.{number}", random)
    np.savez(path, **{name: array.astype(np.float16) for name, array in arrays.items()})
    return 3 * 12 * WIDTH**2 * 4


def test_workers_of_a_node_share_prepared_weights(cluster: Cluster, tmp_path: Path) -> None:
    model = tmp_path / "tower.npz"
    weights = write_image_tower(model)
    settings = {"model": str(model), "workers": 2}
    driver = cluster.drive_alone("s3://sources/{00..05}.tar", str(tmp_path / "out"), **settings)
    for _ in driver.events():
        workers = tasks(driver.pid)
        shared = [memory(pid, "visual-v") for pid in workers]
        if len(workers) == 2 and all(each.get("Rss", 0) >= weights for each in shared):
            whole = [memory(pid) for pid in workers]
            break
    figures = [sum(each[name] for each in whole) >> 20 for name in ("Rss", "Pss")]
    print(f"weights {weights >> 20} MiB; two workers: RSS {figures[0]} MiB, PSS {figures[1]} MiB")
    assert sum(each["Pss"] for each in shared) < 1.1 * weights
    assert figures[0] - figures[1] > 0.9 * (weights >> 20)
    assert driver.summary()["failed"] == []
    local = cluster.drive_alone("s3://sources/{00..05}.tar", str(tmp_path / "local"), on=None, **settings)
    assert local.summary()["failed"] == []
    here, there = (
        rows_in(path.read_bytes() for path in sorted((tmp_path / name).iterdir()) if path.suffix == ".parquet")
        for name in ("local", "out")
    )
    assert here == there
