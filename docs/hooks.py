"""MkDocs hooks: pages from outside of docs/, links that leave docs/, and the tables of options."""

from __future__ import annotations

import posixpath
import re
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import typer.main

from streamwhisper.cli.main import app

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
# Files of the repository that become pages, at the same path in the site.
PAGES = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benchmarks/*.md",
    "benchmarks/history/*.md",
    "clients/web/README.md",
    "deploy/README.md",
    "examples/*.py",
)
LINK = re.compile(r"(!?)\[([^\[\]]*)\]\((?!https?:|mailto:|#)([^()\s#]+)(#[^()\s]*)?\)")
OPTIONS = re.compile(r"^<!-- options of ([a-z ]+) -->$", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside of docs/."""
    from mkdocs.structure.files import File

    for pattern in PAGES:
        for path in sorted(ROOT.glob(pattern)):
            source = path.relative_to(ROOT).as_posix()
            text = path.read_text(encoding="utf-8")
            if path.suffix == ".py":
                text = f"# {source}\n\n```python\n{text}```\n"
            files.append(File.generated(config, site_path(source), content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links to repository files at their pages, and fill in the tables of options."""
    uri = page.file.src_uri
    source = uri if page.file.generated_by else f"docs/{uri}"

    def relink(match: re.Match[str]) -> str:
        image, text, link, anchor = match.groups()
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
        path = site_path(target)
        if files.get_file_from_path(path) is not None:
            relative = posixpath.relpath(path, posixpath.dirname(uri) or ".")
            return f"{image}[{text}]({relative}{anchor or ''})"
        if (ROOT / target).exists():  # not in the site
            return f"{image}[{text}]({config.extra['repository']}/blob/main/{target}{anchor or ''})"
        return match[0]  # broken, which MkDocs reports

    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.MULTILINE | re.DOTALL)
    parts[::2] = [LINK.sub(relink, part) for part in parts[::2]]
    return OPTIONS.sub(lambda match: option_table(match[1]), "".join(parts))


def site_path(source: str) -> str:
    """Return the path in the site for a file of the repository."""
    return "index.md" if source == "README.md" else re.sub(r"^docs/|\.py$", _renamed, source)


def _renamed(match: re.Match[str]) -> str:
    return ".md" if match[0] == ".py" else ""


def option_table(name: str) -> str:
    """Return a collapsed table of all options of a command, as the command declares them."""
    command: Any = typer.main.get_command(app)
    for part in name.split():
        command = command.commands[part]
    rows = ["| option | meaning | default |", "|---|---|---|"]
    for option in command.params:
        if option.param_type_name == "option" and "--help" not in option.opts:
            flags = ", ".join(f"`{flag}`" for flag in [*option.opts, *option.secondary_opts])
            rows.append(f"| {flags} | {_meaning(option)} | {_default(option)} |")
    table = "\n".join(f"    {row}" for row in rows)
    return f'??? note "All options of `{name}`"\n\n{table}\n'


def _meaning(option: Any) -> str:
    text = (option.help or "").strip().replace("|", "\\|").replace("*", "\\*")
    kind = option.type_descriptor.annotation
    values = get_args(kind) if get_origin(kind) is Literal else ()
    values = values or (kind if isinstance(kind, type) and issubclass(kind, Enum) else ())
    choices = [f"`{_text(value)}`" for value in values]
    return f"{text} One of {', '.join(choices)}." if choices else text


def _default(option: Any) -> str:
    default = option.default
    empty = default is None or default is False or default in ((), []) or callable(default)
    return "" if empty else f"`{_text(default)}`"


def _text(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value
