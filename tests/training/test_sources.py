"""What the embedded model is trained on, as `training/sources.toml` has it."""

import json
from pathlib import Path

import pytest

pytest.importorskip("tomllib")
ROOT = Path(__file__).parents[2]


def test_only_what_may_be_given_away_is_trained_on() -> None:
    from sources import trained_on  # type: ignore[import-not-found]

    free = {"Apache-2.0", "MIT", "ISC", "CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "public domain"}
    assert {drawn.licence for drawn in trained_on()} <= free
    assert {"twemoji", "openmoji", "art4apps", "tuxpaint"}.isdisjoint(drawn.name for drawn in trained_on())
    assert all(drawn.credit for drawn in trained_on())


def test_the_manifest_has_every_set_as_it_is_licensed() -> None:
    from sources import sets

    manifest = json.loads((ROOT / "training" / "manifest.json").read_text("utf-8"))
    assert set(manifest) == {*sets(), "dictionary"}
    for name, drawn in sets().items():
        assert (manifest[name]["group"], manifest[name]["licence"]) == (drawn.group, drawn.licence)


def test_the_notice_names_everyone() -> None:
    from notices import lines  # type: ignore[import-not-found]

    notice = (ROOT / "NOTICE").read_text("utf-8")
    for line in lines():
        assert line in notice
