from dataclasses import dataclass

from numpyclip.model.config import list_options


@dataclass(frozen=True)
class Inner:
    depth: int = 2


@dataclass(frozen=True)
class Middle:
    inner: Inner = Inner()


@dataclass(frozen=True)
class Outer:
    width: int
    middle: Middle = Middle()


def test_nested_options_have_the_names_of_all_groups_around_them() -> None:
    assert [name for name, _, _ in list_options(Outer(1))] == ["width", "middle.inner.depth"]
