"""REQUESTS → ANSWERS for assistants, by the Model Context Protocol over stdin and stdout: read-only, by the index.

Source: modelcontextprotocol.io/specification/2025-11-25/server/tools, and the package mcp.
"""

from __future__ import annotations

import base64
import json
import logging
from typing import Any

from numpyclip.dispatch.fields import shown
from numpyclip.dispatch.json_values import listed
from numpyclip.dispatch.mcp_tools import INSTRUCTIONS, TOOLS, Chosen, Search, Similar
from numpyclip.dispatch.queries import is_browsing
from numpyclip.dispatch.session import Session
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError, MissingPackageError, NumPyCLIPError, PictureError
from numpyclip.escaping import json_text
from numpyclip.extras import missing
from numpyclip.index.records import Match
from numpyclip.index.search_result import SearchResult
from numpyclip.tasks.tags import Tagger
from numpyclip.viz.thumbnail import thumbnail_bytes

try:
    import anyio
    import mcp_types as types
    from mcp.server.lowlevel import Server
    from mcp.server.stdio import stdio_server
except ImportError as error:
    raise missing(f"an MCP server needs the package mcp, version 2 ({error.name} is missing)", "mcp") from error

_LOG = logging.getLogger(__name__)
_SMALL, _LARGE = 320, 768  # pixels of the longer side of thumbnails
_MAX_BYTES = 600_000  # of all thumbnails of an answer: assistants refuse answers of a megabyte


def serve(session: Session, version: str) -> None:
    """Answer an assistant until stdin is closed; the protocol alone is written to stdout."""
    anyio.run(_serve, Tools(session), version)


async def _serve(tools: Tools, version: str) -> None:
    one_at_a_time = anyio.CapacityLimiter(1)  # a model computes on all cores

    async def list_tools(*_: object) -> types.ListToolsResult:
        hints = types.ToolAnnotations(read_only_hint=True, open_world_hint=False)
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=name,
                    title=tool.title,
                    description=tool.description,
                    input_schema=tool.schema(),
                    annotations=hints,
                )
                for name, tool in TOOLS.items()
            ]
        )

    async def call_tool(_: object, call: types.CallToolRequestParams) -> types.CallToolResult:
        content, is_error = await anyio.to_thread.run_sync(
            tools.call, call.name, call.arguments or {}, limiter=one_at_a_time
        )
        return types.CallToolResult(content=content, is_error=is_error)

    server: Any = Server(
        "numpyclip",
        version=version,
        title="NumPyCLIP",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
    async with stdio_server() as (requests, answers):
        await server.run(requests, answers, server.create_initialization_options())


class Tools:
    """Calls tools by a session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tagger: tuple[CLIP, Tagger] | None = None

    def call(self, name: str, arguments: dict[str, Any]) -> tuple[list[Any], bool]:
        """Return the content of an answer, and whether it is an error, which the assistant reads as well."""
        try:
            if name not in TOOLS:
                raise InputError(f"tool {shown(name)} is unknown; expected one of {', '.join(TOOLS)}.")
            answer = getattr(self, f"_{name}")
            return answer(TOOLS[name].arguments(arguments, strict=True)), False
        except NumPyCLIPError as error:
            return [_text(str(error))], True
        except Exception:  # a bug: the assistant gets no details
            _LOG.exception("tool %s has failed", name)
            return [_text("an unexpected error, which is in the log of the server; try other arguments.")], True

    def _search(self, fields: Search) -> list[Any]:
        result = self._session.search(fields)
        note = "" if result.is_match or not result else "The best is no more probable than chance, of so many images."
        return self._results(fields, result, note, browsing=is_browsing(fields.query, fields.not_))

    def _similar(self, fields: Similar) -> list[Any]:
        return self._results(fields, self._session.similar(self._picture(fields), fields))

    def _describe(self, fields: Chosen) -> list[Any]:
        if fields.id is None and not fields.path:
            return [_text(_json(self._session.describe()))]
        match = self._picture(fields)
        values: dict[str, Any] = {key: value for key, value in match.to_dict().items() if key != "cosine"}
        model = self._session.model
        if model.config.text is not None:
            if self._tagger is None or self._tagger[0] is not model:
                self._tagger = model, Tagger(model)
            (tags,) = self._tagger[1]([match.embedding])
            values["tags"] = {tag.tag: round(tag.probability, 3) for tag in tags}
        return [_text(_json(values)), self._thumbnail(match, _LARGE)]

    def _picture(self, fields: Chosen) -> Match:
        """Return the image of the index that an ID or a path names."""
        if (fields.id is None) == (not fields.path):
            raise InputError("expected either the id or the path of one image, as search returns them.")
        return self._session.picture_at(fields.path) if fields.id is None else self._session.picture(fields.id)

    def _results(
        self, fields: Search | Similar, result: SearchResult, note: str = "", *, browsing: bool = False
    ) -> list[Any]:
        """Return the results as JSON, and then a thumbnail of each, after its number and ID."""
        values: dict[str, object] = {"matches": listed(result, browsing=browsing)}
        if not result:
            note = "No image passes these filters, or the index has none. describe lists its folders, cameras and tags."
        if note:
            values["note"] = note
        content, size = [_text(_json(values))], 0
        if fields.thumbnails:
            for number, match in enumerate(result, 1):
                image = self._thumbnail(match, _SMALL)
                size += len(getattr(image, "data", ""))
                if size > _MAX_BYTES / 3 * 4:
                    content.append(_text("No more thumbnails: ask for fewer images, or describe one by its id."))
                    break
                content += [_text(f"{number}: id {match.id}"), image]
        return content

    def _thumbnail(self, match: Match, side: int) -> Any:
        """Return a JPEG without metadata, or the reason that there is none."""
        if match.file is None:
            return _text("no thumbnail: not a file on this machine")
        try:
            data = thumbnail_bytes(match.file, side, self._session.options, match.seconds)
        except (PictureError, MissingPackageError) as error:
            return _text(f"no thumbnail: {error}")
        return types.ImageContent(data=base64.b64encode(data).decode("ascii"), mime_type="image/jpeg")


def _text(text: str) -> Any:
    return types.TextContent(text=text)


def _json(values: dict[str, Any]) -> str:
    """Write JSON in UTF-8, or in ASCII if a file name is not UTF-8."""
    text = json.dumps(values, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json_text(values)
    return text
