from pathlib import Path

import numpy as np
import pytest

from numpyclip.index.vectors import shards as shards_module
from numpyclip.index.vectors.scan import nearest
from numpyclip.index.vectors.shards import VECTOR_DTYPES, Shards, VectorDType
from numpyclip.model.ops import Array, normalize


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards_module, "_ROWS", 300)


def cloud(rows: int, seed: int, width: int = 32) -> Array:
    """Unit vectors that all lie in a narrow cone, as CLIP's do."""
    noise = np.random.default_rng(seed).standard_normal((rows, width), np.float32)
    return normalize(noise + np.float32(3))


@pytest.mark.parametrize("precision", VECTOR_DTYPES)
@pytest.mark.parametrize("n", [1, 7, 1000, 5000])
@pytest.mark.usefixtures("small_files")
def test_what_is_found_is_what_sorting_all_would_give(tmp_path: Path, precision: VectorDType, n: int) -> None:
    vectors, queries = cloud(2500, 0), cloud(3, 1)
    vectors[1200] = vectors[40]  # equal ones: the first is first
    shards = Shards(tmp_path, 32, precision)
    for start in (0, 250, 1000):  # across the ends of files
        end = {0: 250, 250: 1000, 1000: 2500}[start]
        shards.write(start, vectors[start:end])
    for query, (rows, scores) in zip(queries, nearest(shards, 2500, queries, n), strict=True):
        expected = vectors.astype(np.float64) @ query
        order = np.lexsort((np.arange(2500), -expected))[:n]
        assert len(rows) == min(n, 2500)
        # float32 sums of 32 products: neighbours closer than this may change places
        np.testing.assert_allclose(scores, expected[order], atol=5e-7)
        np.testing.assert_allclose(expected[rows], expected[order], atol=5e-7)
        assert len(set(rows.tolist())) == len(rows)


@pytest.mark.parametrize("precision", VECTOR_DTYPES)
@pytest.mark.usefixtures("small_files")
def test_only_allowed_rows_are_found(tmp_path: Path, precision: VectorDType) -> None:
    vectors, query = cloud(1000, 2), cloud(1, 3)
    shards = Shards(tmp_path, 32, precision)
    shards.write(0, vectors)
    allowed = np.array([3, 299, 300, 301, 999])
    ((rows, _),) = nearest(shards, 1000, query, 10, allowed)
    assert sorted(rows.tolist()) == allowed.tolist()
    ((rows, scores),) = nearest(shards, 1000, query, 10, np.empty(0, np.intp))
    assert (len(rows), len(scores)) == (0, 0)


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_the_error_of_a_rounded_row_is_a_bound(tmp_path: Path, precision: VectorDType) -> None:
    vectors, queries = cloud(500, 4), cloud(50, 5)
    vectors[0] = 0
    vectors[1, 1:] = 0  # one peak
    shards = Shards(tmp_path, 32, precision)
    shards.write(0, vectors)
    ((_, codes, scale, error),) = shards.rounded_blocks(500, 500)
    rounded = codes.astype(np.float64) * scale[:, np.newaxis]
    off = np.abs(rounded @ queries.T - vectors.astype(np.float64) @ queries.T)
    assert (off <= error[:, np.newaxis]).all()
    assert error.max() < (0.02 if precision == "int8" else 0.001)
