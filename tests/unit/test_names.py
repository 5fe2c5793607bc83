"""Names mean one thing: classes and constants over the whole repository, and how functions are called."""

from __future__ import annotations

import ast
import collections
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_ONE_WORD_SHARE = {"sim": 0.35, "aim": 0.25}  # of the functions of a package
MAX_ROOT_MODULES = 5
DATA = {"TASK", "ROBOT", "SPECS_BY_CATEGORY"}  # what files that are found by name must call their value
# functions whose names are data: words that task files say
REGISTERED = {"predicate", "skill", "register_family"}


def modules(*packages: str) -> Iterator[tuple[Path, ast.Module]]:
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text())


def test_a_class_means_one_thing() -> None:
    places = collections.defaultdict(list)
    for path, tree in modules("sim", "aim"):
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_a_constant_means_one_thing() -> None:
    """A constant may be written in two places only with the same value."""
    values: dict[str, dict[str, str]] = collections.defaultdict(dict)
    for path, tree in modules("sim", "aim"):
        for node in tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            value = getattr(node, "value", None)
            for target in targets:
                if isinstance(target, ast.Name) and target.id.isupper() and value is not None and target.id not in DATA:
                    values[target.id].setdefault(ast.dump(value), str(path))
    assert {name: list(seen.values()) for name, seen in values.items() if len(seen) > 1} == {}


@pytest.mark.parametrize("package", MAX_ONE_WORD_SHARE)
def test_function_names_are_verb_and_object(package: str) -> None:
    one, more = [], 0
    for path, tree in modules(package):
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("__"):
                continue
            decorators = {d.id for d in node.decorator_list if isinstance(d, ast.Name)}
            if decorators & REGISTERED or "property" in decorators:
                continue
            if "_" in node.name.strip("_"):
                more += 1
            else:
                one.append(f"{path}:{node.lineno} {node.name}")
    assert len(one) / (len(one) + more) <= MAX_ONE_WORD_SHARE[package], "\n".join(one)


def test_few_modules_stand_loose_at_the_root_of_the_simulator() -> None:
    loose = [path.name for path in (ROOT / "sim").glob("*.py") if path.name != "__init__.py"]
    assert len(loose) <= MAX_ROOT_MODULES, loose


def imports(tree: ast.Module) -> Iterator[str]:
    """Yield the modules that a module imports when it is loaded; not those of functions and of type checking."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_no_module_imports_itself_over_others() -> None:
    graph: dict[str, set[str]] = {}
    for path, tree in modules("sim", "aim"):
        name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        graph[name] = set(imports(tree))
    graph = {name: {other for other in others if other in graph and other != name} for name, others in graph.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"import cycle: {' -> '.join((*trail[trail.index(name) :], name))}"
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*trail, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())
