"""Write what is made from the code in docs/reference: cli.md, http-api.md, and the options of the server, settings.md.

From the parsers of the commands, and from the descriptions that check requests:

    python -m tools.make_reference
"""

import argparse
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from numpyclip.cli.commands import COMMANDS, parser
from numpyclip.cli.configuration import Setting, settings

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
BEGIN, END = "<!-- made by tools/make_reference.py -->", "<!-- end -->"
DEFAULT = re.compile(r" \(default: ([^()]*(?:\([^()]*\))?[^()]*)\)|; default: (.*?)(?=\))")

# --- options --------------------------------------------------------------------------------------------------------


def command_parser(name: str) -> argparse.ArgumentParser:
    """Return the parser of a command."""
    return commands_of(parser(name))[name]


def commands_of(command: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the commands within a command."""
    found = (action.choices for action in command._actions if isinstance(action, argparse._SubParsersAction))
    return {name: each for choices in found for name, each in choices.items()}


def placeholder(action: argparse.Action) -> str:
    """Write what stands for the value of an option or argument."""
    choices = "|".join(map(str, action.choices or ()))
    found = str(action.metavar or choices or action.dest.upper().replace("_", "-"))
    return f"{found} ..." if action.nargs in ("*", "+") else found


def written(action: argparse.Action) -> str:
    """Write an option as it is typed."""
    names = ", ".join(action.option_strings)
    return names if action.nargs == 0 else f"{names} {placeholder(action)}"


def meaning(action: argparse.Action) -> tuple[str, str]:
    """Divide the help of an option into its default and its meaning."""
    help_text = (action.help or "").replace("%(default)s", str(action.default))
    default = next((first or second for first, second in DEFAULT.findall(help_text)), "")
    return default, DEFAULT.sub("", help_text)


def groups(command: argparse.ArgumentParser) -> Iterator[tuple[str, list[argparse.Action]]]:
    """List the groups of options of the help, each by its title."""
    for group in command._action_groups:
        options = [action for action in group._group_actions if action.option_strings]
        options = [action for action in options if action.dest != "help" and action.help != argparse.SUPPRESS]
        if options:
            yield "general" if group.title == "options" else str(group.title), options


def table(header: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """Write a table."""
    cells = ([cell.replace("|", r"\|") for cell in row] for row in (header, *rows))
    head, *lines = (f"| {' | '.join(row)} |" for row in cells)
    return "\n".join([head, "|" + "---|" * len(header), *lines])


# --- cli.md ---------------------------------------------------------------------------------------------------------

CLI = """# Command line

All commands of `numpyclip`, with their options, as `numpyclip COMMAND --help` has them.

<!-- made by tools/make_reference.py -->

Options may be anywhere between the other words; what follows `--` is no option. Results go to stdout, messages to
stderr. [Exit statuses](errors.md#exit-statuses) and [environment variables](settings.md) are those of all commands.
"""


def cli() -> str:
    """Write the page of all commands."""
    overview = ((f"[`{name}`](#numpyclip-{name})", summary) for name, summary in COMMANDS.items())
    parts = [CLI, table(("command", "what it does"), overview)]
    for name in COMMANDS:
        parts += command_section(command_parser(name), 2)
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def command_section(command: argparse.ArgumentParser, level: int) -> Iterator[str]:
    """Describe a command, and those within it."""
    inner = commands_of(command)
    yield f"{'#' * level} {command.prog}"
    yield str(command.description)
    if inner:
        yield block("text", [f"{each.prog} {usage(each)}" for each in inner.values()])
    else:
        yield block("text", [f"{command.prog} {usage(command)}"])
    yield from epilog(command)
    arguments = [action for action in command._actions if not action.option_strings and action.help]
    if arguments:
        yield table(("argument", "meaning"), ((f"`{placeholder(each)}`", each.help or "") for each in arguments))
    for title, options in groups(command):
        head = ("option" if title == "general" else f"option: {title}", "default", "meaning")
        yield table(head, ((f"`{written(each)}`", *meaning(each)) for each in options))
    for each in inner.values():
        each.epilog = None  # that of the command
        yield from command_section(each, level + 1)


def usage(command: argparse.ArgumentParser) -> str:
    """Write what must and what may follow the name of a command."""

    def words() -> Iterator[str]:
        yield from (written(each) for each in command._actions if each.option_strings and each.required)
        yield "[options]"
        for each in command._actions:
            if not each.option_strings:
                needed = each.nargs not in ("*", "?") or (each.dest == "items" and command.get_default("nothing"))
                yield placeholder(each) if needed else f"[{placeholder(each)}]"

    return " ".join(words())


def epilog(command: argparse.ArgumentParser) -> Iterator[str]:
    """Write the text behind the options of a help: lines that begin with spaces are code."""
    lines = (command.epilog or "").removeprefix("examples:\n").splitlines()
    for is_code, run in groupby(lines, key=lambda line: line.startswith(" ")):
        text = "\n".join(run).strip("\n")
        if is_code:
            code = [line.removeprefix("  ") for line in text.splitlines()]
            yield block("sh" if re.match(r"(.* )?(numpyclip|curl) ", code[0]) else "text", code)
        elif text:
            yield re.sub(r"(?<!`)([*<])", r"\\\1", text)


def block(language: str, lines: Iterable[str]) -> str:
    """Write a block of code that tests do not run."""
    reason = "your files" if language == "sh" else "a fragment"
    return "\n".join([f"<!-- not run: {reason} -->", f"```{language}", *lines, "```"])


# --- settings.md ----------------------------------------------------------------------------------------------------


def server_options() -> str:
    """Write a table for each group of options of `numpyclip serve`: as options, variables and keys of a file."""
    serve = command_parser("serve")
    known = {id(setting.action): setting for setting in settings(serve)}
    parts = []
    for title, options in groups(serve):
        head = ("option", "variable", "key", "default", "meaning")
        rows = [setting_row(known[id(action)]) for action in options]
        parts.append(f"### {title.capitalize()}\n\n{table(head, rows)}")
    return "\n\n".join(parts)


def setting_row(setting: Setting) -> tuple[str, ...]:
    """Write how an option is named in each place, and what it means."""
    default, what = meaning(setting.action)
    key = "" if setting.key == "config" else f"`{setting.key}`"
    return f"`{written(setting.action)}`", f"`{setting.variable}`", key, "false" if setting.is_flag else default, what


def with_server_options(page: str) -> str:
    """Return settings.md with its tables replaced."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{server_options()}\n\n{END}{rest.partition(END)[2]}"


# --- http-api.md ----------------------------------------------------------------------------------------------------

HTTP_API = """# HTTP API

<!-- made by tools/make_reference.py -->

This page lists all endpoints of `numpyclip serve`, with their fields and responses; [Server](../guides/server.md)
describes their use. A running server also has it as a page at `/docs`, and as an OpenAPI 3.1 document at
`/openapi.json`, from which clients can be generated. Fields that are missing, or `null` in JSON, have their defaults;
unknown fields are ignored. In JSON, a list of one value may be that value; in forms and query strings, a list is a
repeated name. Where `GET` is accepted, so is `HEAD`.

"""


def http_api() -> str:
    """Write the page of all requests, which needs the extra `server`."""
    from numpyclip.server.app import PARTS
    from numpyclip.server.http.api_reference import reference, to_markdown

    return HTTP_API + to_markdown(reference(PARTS))


PAGES = {"cli.md": lambda _: cli(), "http-api.md": lambda _: http_api(), "settings.md": with_server_options}


def main() -> None:
    """Write all pages."""
    for name, make in PAGES.items():
        page = FOLDER / name
        page.write_text(make(page.read_text("utf-8") if page.exists() else ""), "utf-8")


if __name__ == "__main__":
    main()
