"""Public names that are imported when they are first used."""

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from numpyclip.lazy_exports import lazy_exports

NAMES = {"b64encode": "b64", "b64": "b64", "absent": "b64"}


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A package with a module of one function, which is not loaded yet."""
    package, module = ModuleType("parcel"), ModuleType("parcel.b64")
    module.b64encode = lambda: "encoded"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "parcel", package)
    monkeypatch.setitem(sys.modules, "parcel.b64", module)
    package.__getattr__, package.__dir__ = lazy_exports("parcel", ["b64encode", "b64"], NAMES)  # type: ignore[method-assign]
    return package


def test_a_name_is_looked_up_once(package: ModuleType) -> None:
    assert "b64encode" not in vars(package)
    assert package.b64encode() == "encoded"
    assert vars(package)["b64encode"] is package.b64encode


def test_a_name_that_is_its_own_module_is_that_module(package: ModuleType) -> None:
    assert package.b64 is sys.modules["parcel.b64"]


def test_a_name_that_is_not_there_is_no_attribute(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match="module 'parcel' has no attribute 'b32'") as caught:
        package.b32  # noqa: B018
    assert (caught.value.name, caught.value.obj) == ("b32", package)
    with pytest.raises(AttributeError, match="absent"):
        package.absent  # noqa: B018


def test_the_public_names_are_shown_in_order(package: ModuleType) -> None:
    assert dir(package) == ["b64", "b64encode"]
