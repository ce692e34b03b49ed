"""Have links of pages to files outside of docs/ work in the site: those files become pages below `source/`.

A hook of MkDocs, named in mkdocs.yml. Pages are written for a checkout, where such links are relative; nothing here
knows where a checkout is published. Markdown becomes a page, any other file a block of code, and a folder its README,
or a list of the Markdown in it.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SOURCES: dict[str, Path] = {}  # the files outside of docs/, by their places in the site's sources
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)([^)\s#]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what pages link to, and what that links to."""
    pages = [Path(file.abs_src_path or "") for file in files if file.src_uri.endswith(".md")]
    SOURCES.clear()  # of the build before, while pages are edited
    while pages:
        for source in set(outside(pages.pop())).difference(SOURCES.values()):
            SOURCES[uri(source)] = source
            picture = {"abs_src_path": os.fspath(source)} if source.suffix == ".png" else {"content": as_page(source)}
            files.append(File.generated(config, uri(source), **picture))
            pages.append(source)
    return files


def on_page_markdown(markdown: str, page: Page, **_more: Any) -> str:
    """Point links to the pages of this site."""
    here = page.file.src_uri
    source = SOURCES.get(here, DOCS / here)
    if here in SOURCES:
        page.meta["search"] = {"exclude": True}
        if not (source.suffix == ".md" or source.is_dir()):
            return markdown
    folder = PurePosixPath(here).parent

    def replaced(link: re.Match[str]) -> str:
        target = resolved(source, link[1])
        return link[1] if target is None else os.path.relpath(uri(target), folder)

    return LINK.sub(replaced, markdown)


def uri(file: Path) -> str:
    """Return where the page or the file is in the site's sources."""
    if file.is_relative_to(DOCS):
        return file.relative_to(DOCS).as_posix()
    ending = "/README.md" if file.is_dir() else "" if file.suffix in (".md", ".png") else ".md"
    return f"source/{file.relative_to(ROOT).as_posix()}{ending}"


def resolved(page: Path, link: str) -> Path | None:
    """Return the file of the checkout that a link names; None for what is missing, which MkDocs reports."""
    target = Path(os.path.normpath((page if page.is_dir() else page.parent) / link))
    if target.is_dir() and (target / "README.md").exists():
        target /= "README.md"
    return target if target.is_relative_to(ROOT) and target.exists() else None


def outside(page: Path) -> Iterator[Path]:
    """List the files outside of docs/ to which a page links."""
    has_links = page.suffix == ".md" or page.is_dir()
    targets = (resolved(page, link) for link in (LINK.findall(as_page(page)) if has_links else ()))
    return (target for target in targets if target is not None and not target.is_relative_to(DOCS))


def as_page(file: Path) -> str:
    """Write a file as Markdown."""
    if file.suffix == ".md":
        return file.read_text("utf-8")
    name = file.relative_to(ROOT).as_posix()
    if file.is_dir():
        return "\n".join([f"# {name}", "", *(f"- [{each.name}]({each.name})" for each in sorted(file.glob("*.md")))])
    return f"# {name}\n\n````{file.suffix.removeprefix('.')}\n{file.read_text('utf-8')}````\n"
