"""OPERATIONS → REFERENCE PAGE: in HTML at ``/docs``, and in Markdown as `docs/reference/http-api.md`."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from numpyclip.dispatch.fields import Field, Place, RequestFields, Schema
from numpyclip.server.http.openapi import ERRORS, EVERYWHERE, Parts, described, plain
from numpyclip.server.http.operations import Operation

_CODE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[([^]]+)\]\(([^)]+)\)")
_BODIES = {"json": "JSON", "form": "form"}


class Heading(NamedTuple):
    """A heading of a level, and its anchor."""

    level: int
    text: str


class Table(NamedTuple):
    """Rows below a header."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


Block = Heading | Table | str  # or a paragraph; texts have code in backticks, and links as in Markdown


def reference(parts: Parts) -> Iterator[Block]:
    """Describe all operations, and the objects in their responses."""
    groups: dict[str, type[RequestFields]] = {}
    objects: dict[str, Schema] = {}
    for part, operations in parts.items():
        yield Heading(2, part)
        paths: dict[int, list[str]] = {}
        for path, each in operations.items():
            paths.setdefault(id(each), []).append(path)
        for same in paths.values():
            yield from _operation(operations[same[0]], same, groups, objects)
    for title, kind in groups.items():
        yield Heading(2, title)
        yield _fields(kind.DESCRIBED)
    yield Heading(2, "Objects")
    for title in sorted(objects):
        yield Heading(3, title)
        yield _properties(objects[title], objects)
    yield Heading(2, "Errors")
    everywhere = ", ".join(f"`{status}`" for status in EVERYWHERE)
    yield f"Any operation can return {everywhere}. Other errors are listed with each operation."
    yield Table(("status", "meaning"), [(f"`{status}`", ERRORS[status]) for status in sorted(ERRORS)])


def _operation(
    each: Operation[Any], paths: Sequence[str], groups: dict[str, type[RequestFields]], objects: dict[str, Schema]
) -> Iterator[Block]:
    yield Heading(3, f"`{' or '.join(each.methods)} {'`, `'.join(map(plain, paths))}`")
    if said := described(each):
        yield f"{said['summary']}. {said.get('description', '')}".strip()
    if "POST" in each.methods and each.bodies:
        kinds = [*(["query string"] if "GET" in each.methods else []), *(_BODIES[body] for body in each.bodies)]
        yield f"Fields as {' or '.join(kinds)}."
    shared = [base for base in each.fields.__mro__ if issubclass(base, RequestFields) and vars(base).get("TITLE")]
    of_others = {name for base in shared for name in base.DESCRIBED}
    place: Place = "form" if each.bodies == ("form",) else "json"
    own = {name: field for name, field in each.fields.DESCRIBED.items() if name not in of_others}
    if own:
        yield _fields(own, place)
    for base in shared:
        groups[base.TITLE] = base
        yield f"{'Also the' if own else 'The'} fields of [{base.TITLE}](#{base.TITLE.lower()})."
    if each.fields.EXAMPLE:
        yield f"Example: `{_example(each, paths[0])}`"
    for status, answer in each.answers.items():
        kind = _type(answer.schema, objects) if answer.schema else f"`{answer.media}`" if answer.media else "no body"
        yield f"`{status}`: {answer.meaning} ({kind})"
    if others := [f"`{status}`" for status in each.errors if status not in EVERYWHERE]:
        yield f"Other errors: {', '.join(others)}."


def _example(each: Operation[Any], path: str) -> str:
    """Write a request: the body as JSON, or the URL of one without."""
    values = dict(each.fields.EXAMPLE)
    if "POST" in each.methods:
        return json.dumps(values, ensure_ascii=False)
    url = re.sub(r"{(\w+)}", lambda name: quote(str(values.pop(name[1]))), plain(path))
    return f"{url}?{urlencode(values, doseq=True)}" if values else url


def _fields(fields: Mapping[str, Field[Any]], place: Place = "json") -> Table:
    return Table(("field", "type", "meaning"), [_row(name, field, place) for name, field in fields.items()])


def _row(name: str, field: Field[Any], place: Place) -> tuple[str, str, str]:
    schema = field.described(place)
    default = schema.get("default")
    shown = default if isinstance(default, str) else json.dumps(default)
    notes = ["Required."] if field.required else [] if default in (None, False) else [f"Default: `{shown}`."]
    return f"`{name}`", _type(schema, {}), " ".join([schema["description"], *notes])


def _properties(schema: Schema, objects: dict[str, Schema]) -> Table:
    rows = [
        (f"`{name}`", _type(inner, objects), inner.get("description", ""))
        for name, inner in schema["properties"].items()
    ]
    return Table(("property", "type", "meaning"), rows)


def _type(schema: Schema, objects: dict[str, Schema]) -> str:
    """Say what values are; note objects that have a title of their own."""
    if "title" in schema:
        if schema["title"] not in objects:
            objects[schema["title"]] = schema
            for inner in schema["properties"].values():
                _type(inner, objects)  # notes those within
        return f"[{schema['title']}](#{schema['title'].lower()})"
    if "anyOf" in schema:
        first, *others = schema["anyOf"]
        if others == [{"type": "array", "items": first}]:
            return f"{_type(first, objects)}, or several"
        return " or ".join(_type(each, objects) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = "file" if schema.get("format") == "binary" else schema.get("type", "any")
    if kind == "array":
        items = schema.get("prefixItems") or [schema.get("items", {})]
        return f"list of {' and '.join(_type(item, objects) for item in items)}"
    if kind == "object":
        inner = schema.get("properties") or {"…": schema.get("additionalProperties") or {}}
        return "object of " + ", ".join(f"`{name}` ({_type(value, objects)})" for name, value in inner.items())
    return " or ".join(kind) if isinstance(kind, list) else kind


def to_markdown(blocks: Iterable[Block]) -> str:
    """Write Markdown."""
    return "\n\n".join(map(_markdown, blocks)) + "\n"


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {block.text}"
    if isinstance(block, Table):
        rows = [block.header, ["---"] * len(block.header), *block.rows]
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return block


def to_html(blocks: Iterable[Block]) -> str:
    """Write the HTML of what is within ``<main>``."""
    return "\n".join(map(_html, blocks))


def _html(block: Block) -> str:
    if isinstance(block, Heading):
        anchor = re.sub(r"\W+", "-", block.text.lower()).strip("-")
        return f'<h{block.level} id="{anchor}">{_inline(block.text)}</h{block.level}>'
    if isinstance(block, Table):
        head = "".join(f'<th scope="col">{_inline(cell)}</th>' for cell in block.header)
        rows = "".join(
            f'<tr><th scope="row">{_inline(first)}</th>{"".join(f"<td>{_inline(cell)}</td>" for cell in others)}</tr>'
            for first, *others in block.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f"<p>{_inline(block)}</p>"


def _inline(text: str) -> str:
    linked = _LINK.sub(r'<a href="\2">\1</a>', html.escape(text))
    return _CODE.sub(r"<code>\1</code>", linked)
