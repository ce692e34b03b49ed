"""docs/upgrade.md lists the old names of options that are still accepted."""

import re
from pathlib import Path

from numpyclip.cli.commands import RENAMED

PAGE = (Path(__file__).parents[1] / "docs" / "upgrade.md").read_text("utf-8")


def test_the_page_has_every_option_that_was_renamed() -> None:
    section = PAGE.partition("## Renamed options")[2].partition("These have to be edited")[0]
    rows = re.findall(r"^\| (`.+?) \| `(--\S+)` \| `(--\S+)` \|$", section, re.MULTILINE)
    listed = {
        (command.split()[0], old, new) for commands, old, new in rows for command in re.findall(r"`(.+?)`", commands)
    }
    assert listed == {(command, old, new) for command, names in RENAMED.items() for old, new in names.items()}
