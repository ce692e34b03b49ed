"""Arguments that many functions share: counts, paths, what becomes of errors."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip.arguments import as_paths, checked_shard, error_handler, whole_number
from numpyclip.errors import InputError


@pytest.mark.parametrize("value", [5, np.int64(5), np.uint8(5), np.array(5)])
def test_a_whole_number_may_be_numpys(value: Any) -> None:
    assert type(whole_number(value)) is int
    assert whole_number(value) == 5


@pytest.mark.parametrize("value", [True, np.True_, 5.0, np.float32(5), "5", None, [5], np.array([5, 6]), 5j])
def test_what_only_looks_like_a_whole_number_is_none(value: Any) -> None:
    assert whole_number(value) is None


@pytest.mark.parametrize("path", ["a.jpg", Path("a.jpg")])
def test_a_single_path_is_a_list_of_one(path: str | Path) -> None:
    assert as_paths(path) == [path]


def test_several_paths_stay_as_they_are() -> None:
    for paths in (["a", "b"], ("a",), iter(["a"]), {"a": 1}):
        assert as_paths(paths) is paths


@pytest.mark.parametrize("paths", [b"a.jpg", None, 1])
def test_what_is_no_path_is_refused_by_the_arguments_name(paths: Any) -> None:
    with pytest.raises(InputError, match=f"paths: found {paths!r}; expected a path"):
        as_paths(paths)
    with pytest.raises(InputError, match=f"files: found {paths!r}; expected a path"):
        as_paths(paths, "files")


def test_errors_are_raised_skipped_or_handed_over() -> None:
    error = ValueError("of a picture")
    with pytest.raises(ValueError, match="of a picture"):
        error_handler("raise")(error)
    assert error_handler("skip")(error) is None
    errors: list[Exception] = []
    error_handler(errors.append)(error)
    assert errors == [error]


@pytest.mark.parametrize("on_error", ["ignore", None, 1, "x" * 100])
def test_another_way_to_treat_errors_is_refused(on_error: Any) -> None:
    with pytest.raises(InputError, match=r"^on_error is .{1,60}; expected 'raise', 'skip' or a callable"):
        error_handler(on_error)


def test_a_share_is_one_of_those_there_are() -> None:
    assert checked_shard((7, 8)) == (7, 8)
    for wrong in ((8, 8), (-1, 8), (0, 0)):
        with pytest.raises(InputError, match="expected an index from 0 and the number of shards"):
            checked_shard(wrong)
