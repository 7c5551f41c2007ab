"""Write the generated parts of ``docs/``, or with ``--check`` say which are out of date.

A page of ``docs/commands`` keeps its prose; only the block of ``--help`` is written. ``settings.md``
and ``errors.md`` are written whole from the code.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from pathlib import Path

import click
import msgspec

from modelyard import errors
from modelyard.cli.commands import modelyard
from modelyard.cli.contents import COMMANDS
from modelyard.cli.run import exit_code
from modelyard.settings import (
    alerts,
    application,
    control,
    data,
    doors,
    monitor,
    scan,
    targets,
    tree,
    triggers,
)

DOCS = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"```text\nUsage: .*?```\n", re.DOTALL)


def main() -> None:
    pages = {DOCS / "commands" / f"{name}.md": command_page(name) for name in COMMANDS}
    pages[DOCS / "settings.md"] = settings_page()
    pages[DOCS / "errors.md"] = errors_page()
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text() != text]
    strangers = [p for p in (DOCS / "commands").glob("*.md") if p.stem not in {*COMMANDS, "README"}]
    if "--check" in sys.argv:
        for path in stale + strangers:
            sys.stderr.write(f"{path.relative_to(DOCS.parent)} is out of date; run 'make docs'\n")
        raise SystemExit(bool(stale or strangers))
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pages[path])


def command_page(name: str) -> str:
    path = DOCS / "commands" / f"{name}.md"
    block = f"```text\n{help_text(name)}\n```\n"
    if not path.exists():
        return f"# modelyard {name}\n\n{COMMANDS[name]}\n\n{block}"
    text = path.read_text()
    return BLOCK.sub(lambda _: block, text, count=1) if BLOCK.search(text) else f"{text}\n{block}"


def help_text(name: str) -> str:
    context = click.Context(modelyard, info_name="modelyard", terminal_width=90, max_content_width=90)
    command = modelyard.get_command(context, name)
    assert command is not None
    inner = click.Context(command, info_name=name, parent=context, terminal_width=90, max_content_width=90)
    return "\n".join(line.rstrip() for line in command.get_help(inner).splitlines())


def settings_page() -> str:
    lines = ["# Settings", "", "Everything that `modelyard.toml` may hold. An unknown key is an error.", ""]
    lines += [
        "A variable `MODELYARD_A__B=value` in the environment sets `a.b` over the file; an empty one sets nothing.",
        "",
    ]
    for module in (tree, targets, application, scan, doors, data, monitor, control, alerts, triggers):
        for node in ast.parse(inspect.getsource(module)).body:
            if isinstance(node, ast.ClassDef):
                lines += _section(node, getattr(module, node.name))
    return "\n".join(lines) + "\n"


def _section(node: ast.ClassDef, kind: type[msgspec.Struct]) -> list[str]:
    heading = ast.get_docstring(node) or ""
    if node.name == "Settings":
        return []
    rows = []
    fields = {f.name: f for f in msgspec.structs.fields(kind)}
    for at, item in enumerate(node.body):
        if not (isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)):
            continue
        after = node.body[at + 1] if at + 1 < len(node.body) else None
        note = ""
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            note = " ".join(str(after.value.value).split())
        default = "required" if fields[item.target.id].required else f"`{_value(item)}`"
        said = ast.unparse(item.annotation).replace("|", "\\|")
        rows.append(f"| `{item.target.id}` | `{said}` | {default} | {note} |")
    return [f"## {heading}", "", "| key | type | default | |", "|---|---|---|---|", *rows, ""]


def _value(item: ast.AnnAssign) -> str:
    return ast.unparse(item.value).replace("()", "[]") if item.value else ""


def errors_page() -> str:
    lines = ["# Errors and exit codes", ""]
    lines += ["0 yes; 1 the answer is no; 2 wrong usage or settings; 3 something outside failed.", ""]
    lines += ["| code | exit | raised when |", "|---|---|---|"]
    notes = dict(re.findall(r"[├└]── (\w+) +(.*)", errors.__doc__ or ""))
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, errors.ModelyardError) and kind is not errors.ModelyardError:
            lines.append(f"| `{kind.code}` | {exit_code(kind('')):d} | {notes[name]} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
