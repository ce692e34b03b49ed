import os
import sys
from pathlib import Path

import pytest

from numpyclip.images.find import FileState
from numpyclip.index.scope import EVERYTHING, Scope


def test_what_a_scope_holds_and_reaches() -> None:
    scope = Scope(frozenset({"/photos/2024", "/photos/a.jpg"}))
    for path in ("/photos/2024", "/photos/2024/b.jpg", "/photos/2024/x/y.jpg", "/photos/a.jpg"):
        assert scope.holds(path)
    for path in ("/photos", "/photos/b.jpg", "/photos/20245", "/"):
        assert not scope.holds(path)
    assert scope.reaches("/photos")
    assert scope.reaches("/photos/2024/x")
    assert not scope.reaches("/photos/2023")
    assert scope.within("/photos") == ["/photos/2024", "/photos/a.jpg"]
    assert scope.within("/photo") == scope.within("/photos/2024") == []
    assert EVERYTHING.holds("/anything")
    assert EVERYTHING.reaches("/anything")


def test_a_file_is_settled_when_it_has_not_changed_for_a_while(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"0")
    assert EVERYTHING.is_settled(str(path), FileState.of(path))
    assert not Scope(quiet=3600).is_settled(str(path), FileState.of(path))
    os.utime(path, (1, 1))
    assert Scope(quiet=3600).is_settled(str(path), FileState.of(path))
    assert Scope(quiet=3600).is_settled(str(tmp_path / "gone"), FileState(1, 1))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_a_file_that_is_open_for_writing_is_not_settled(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    scope, state = Scope(quiet=1), FileState(1, 1)
    with path.open("wb") as writer:
        writer.write(b"half")
        assert not scope.is_settled(str(path), state)
    with path.open("rb"):
        assert scope.is_settled(str(path), state)
    with path.open("ab"):  # who comes after the lease was given back has nothing to wait for
        pass
