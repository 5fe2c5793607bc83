"""Docstrings and comments keep up with the code: what they name in backticks exists."""

from __future__ import annotations

import ast
import builtins
import collections
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
QUOTED_NAME = re.compile(rf"`({PYTHON_NAME.pattern})(?:\([^`\n]*\))?`")
CONSTANT_NAME = re.compile(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9]\b")
# names of other packages and of files
EXCEPTIONS = {
    "FlowMatchEulerDiscreteScheduler", "MUJOCO_LOG", "VecEnv", "WanTransformerBlock", "WorldActionModel.state_dict",
    "X86_V3", "numpy.einsum", "rl", "serve_forever", "shutdown", "splits",
}  # fmt: skip


@dataclasses.dataclass
class SourceFile:
    """Names that a module uses, those it defines by their owner (a class or the module), and its text by line."""

    path: Path
    used: set[str] = dataclasses.field(default_factory=set)
    defined: dict[str, set[str]] = dataclasses.field(default_factory=lambda: collections.defaultdict(set))
    texts: list[tuple[int, str]] = dataclasses.field(default_factory=list)


def read_file(path: Path) -> SourceFile:
    source = path.read_text()
    found = SourceFile(path.relative_to(ROOT))
    module = path.parent.name if path.stem == "__init__" else path.stem
    collect_names(ast.parse(source), module, found)
    for number, line in enumerate(source.splitlines(), 1):
        if "# " in line:
            found.texts.append((number, line[line.index("# ") :]))
    return found


def collect_names(tree: ast.AST, owner: str, found: SourceFile, in_function: bool = False) -> None:
    """Add the names below `tree` to `found`; attributes that a method assigns belong to its class, locals to nobody."""
    for node in ast.iter_child_nodes(tree):
        inner = owner
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                found.texts.append((node.lineno, text))
                continue
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                found.defined[owner].add(name)
                inner = name if isinstance(node, ast.ClassDef) else owner
            case ast.Attribute(attr=name, ctx=ast.Store()):
                found.defined[owner].add(name)
            case ast.Name(id=name, ctx=ast.Store()) if not in_function:
                found.defined[owner].add(name)
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                found.used.add(name)
            case ast.keyword(arg=str(name)):
                found.used.add(name)
            case ast.alias(name=name, asname=asname):
                found.used |= {*name.split("."), asname or name}
                found.defined[owner].add(asname or name)
            case ast.Constant(value=str(text)) if PYTHON_NAME.fullmatch(text):
                found.used |= set(text.split("."))
        collect_names(node, inner, found, in_function or isinstance(node, ast.FunctionDef))


def list_stale_names(files: list[SourceFile]) -> Iterator[str]:
    members: dict[str, set[str]] = collections.defaultdict(set)
    modules = {part for file in files for part in file.path.with_suffix("").parts}
    defined, used = modules | set(dir(builtins)), set()
    for file in files:
        used |= file.used
        for owner, names in file.defined.items():
            members[owner] |= names
            defined |= names

    def exists(name: str, file: SourceFile) -> bool:
        *owners, last = name.split(".")
        if not owners:
            return name in defined | file.used
        if owners[-1] in members:
            return last in members[owners[-1]] | file.used | modules
        return all(part in defined | used for part in (*owners, last))

    for file in files:
        for line, text in file.texts:
            stale = [name for name, _ in QUOTED_NAME.findall(text) if not exists(name, file)]
            stale += [name for name in CONSTANT_NAME.findall(text) if name not in defined | used]
            yield from (f"{file.path}:{line} {name}" for name in stale if name not in EXCEPTIONS)


def test_what_text_names_exists() -> None:
    files = [read_file(path) for package in ("sim", "aim") for path in sorted((ROOT / package).rglob("*.py"))]
    assert list(list_stale_names(files)) == []


def test_a_stale_name_is_found() -> None:
    file = SourceFile(Path("sim/made.py"))
    text = (
        'class Box:\n    """See `Box.size`, `Box.width`, `gone` and `Box`; at most MAX_BOXES."""\n    size: int = 0\n'
    )
    collect_names(ast.parse(text), "made", file)
    assert list(list_stale_names([file])) == [f"sim/made.py:2 {name}" for name in ("Box.width", "gone", "MAX_BOXES")]
