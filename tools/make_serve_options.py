"""Write the tables of docs/reference/settings.md: all options of `numpyclip serve`, as variables and keys of a file.

From the parser of the command, so it needs NumPyCLIP alone:

    python tools/make_serve_options.py
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from numpyclip.cli.commands import parser
from numpyclip.cli.configuration import Setting, settings

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "settings.md"
BEGIN, END = "<!-- options: made by tools/make_serve_options.py -->", "<!-- end -->"
DEFAULT = re.compile(r" \(default: ([^()]*(?:\([^()]*\))?[^()]*)\)|; default: (.*?)(?=\))")


def serve() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    (commands,) = (action for action in parser("serve")._actions if isinstance(action, argparse._SubParsersAction))
    command: argparse.ArgumentParser = commands.choices["serve"]
    return command


def row(setting: Setting) -> str:
    """Write an option: how it is named on the command line, in the environment and in a file, and what it means."""
    action = setting.action
    value = "" if setting.is_flag else f" {action.metavar or '|'.join(action.choices or ()) or setting.key.upper()}"
    short = next((f"{name}, " for name in action.option_strings if not name.startswith("--")), "")
    meaning = (action.help or "").replace("%(default)s", str(action.default))
    default = next((first or second for first, second in DEFAULT.findall(meaning)), "")
    meaning = DEFAULT.sub("", meaning)
    if setting.is_flag:
        default = "false"
    key = "" if setting.key == "config" else f"`{setting.key}`"
    cells = [f"`{short}--{setting.key}{value}`", f"`{setting.variable}`", key, default, meaning]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def group_of(setting: Setting) -> str:
    """Return the title of an option's group in the help."""
    title: str = setting.action.container.title  # type: ignore[attr-defined]
    return title


def table() -> str:
    """Write a table for each group of the help."""

    def lines() -> Iterator[str]:
        for group in serve()._action_groups:
            options = [setting for setting in settings(serve()) if group_of(setting) == group.title]
            if not options:
                continue
            yield from ("", f"## {'General' if group.title == 'options' else str(group.title).capitalize()}", "")
            yield "| option | variable | key | default | meaning |"
            yield "|---|---|---|---|---|"
            yield from map(row, options)

    return "\n".join(lines()).strip()


def divide(page: str) -> tuple[str, str, str]:
    """Divide the page into what is before the table, the table, and what is behind it."""
    before, _, rest = page.partition(f"{BEGIN}\n\n")
    old, _, after = rest.partition(f"\n\n{END}")
    return before, old, after


def main() -> None:
    before, _, after = divide(PAGE.read_text("utf-8"))
    PAGE.write_text(f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
