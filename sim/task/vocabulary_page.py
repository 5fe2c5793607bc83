"""The page of all words that a task may use, from their signatures and docstrings."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Mapping
from inspect import Parameter
from typing import Any

from sim.catalogue import load_catalogue
from sim.expert.skills import SKILLS
from sim.objects import FAMILIES, ObjectModel, build_object
from sim.objects.palette import PALETTE
from sim.task.predicates import PREDICATES
from sim.task.spec import ObjectSpec, Spawn, Task, TaskObject
from sim.task.validate import ARM_RULES, OBJECT_ORDER_KEYS
from sim.task.values import describe_hint, is_one_required, resolve_hints
from sim.task.vocabulary import (
    PREDICATE_KEYWORDS,
    SKILL_KEYWORDS,
    Reference,
    find_reference,
    list_parameters,
)

NO_REFERENCES: Mapping[str, Reference] = {}
INTRODUCTION = """# Words of a task

Made by `aim tasks --vocabulary docs/vocabulary.md` from signatures and docstrings; do not edit it by hand.

A task file says `Predicate("NAME", {"KEYWORD": value})`, `Skill("NAME", {...})` and `ObjectSpec("FAMILY", {...})`.
Lengths are metres, angles radians; x points to the robot's right, y away from it, z up. Keywords with a value behind
`=` may be left out. `aim task NAME --schema` gives the same as JSON schema.
"""


def render_vocabulary_page() -> str:
    """Markdown page of predicates, skills, object families with their frames and grasps, spawn rules and kinds."""
    predicates = [_render_word(name, PREDICATES[name], 1, PREDICATE_KEYWORDS) for name in sorted(PREDICATES)]
    skills = [_render_word(name, SKILLS[name], 1, SKILL_KEYWORDS) for name in sorted(SKILLS)]
    families = [_render_family(name, FAMILIES[name]) for name in sorted(FAMILIES)]
    kinds = [f"`{name}` ({len(specs)})" for name, specs in sorted(load_catalogue().items())]
    sections = [
        INTRODUCTION,
        "## Predicates\n\nTerms of `success`; all must hold together. `latch=True`: it need not last.\n",
        *predicates,
        '## Skills\n\nSteps of `plan`. `alongside=(Skill, ...)` runs others at the same time; `when="a!=b"` does a '
        'skill only where two roles have different arms, `when="a=b"` where they have the same one.\n',
        *skills,
        "## Object families\n\nShapes of `ObjectSpec`. Frames and grasps are those of a variant of the catalogue, or "
        "of a shape with parameters left out.\n",
        *families,
        "## Kinds\n\n`sim.catalogue.find_specs(KIND)` gives ready shapes with their nouns; the number of variants is "
        "in brackets.\n",
        ", ".join(kinds) + "\n",
        "## Spawn rules\n\n" + (inspect.getdoc(Spawn) or "") + "\n",
        _render_fields(Spawn),
        "## Fields of an object\n",
        _render_fields(TaskObject),
        "## Fields of a task\n\n" + (inspect.getdoc(Task) or "") + "\n",
        _render_fields(Task),
        f"Rules of arm roles: {_join(ARM_RULES)}. Orders of objects: {_join(OBJECT_ORDER_KEYS)}. "
        f"Colours: {_join(sorted(PALETTE))}.\n",
    ]
    return "\n".join(sections)


def _render_word(
    name: str, function: Callable[..., Any], num_skipped: int, references: Mapping[str, Reference] = NO_REFERENCES
) -> str:
    """Section of a word: its call, its docstring, and a line for each keyword."""
    hints = resolve_hints(function)
    lines = []
    for key, parameter in list_parameters(function, num_skipped).items():
        reference = find_reference(references, name, key)
        phrase = describe_hint(hints[key])
        if reference:
            phrase = reference.phrase if hints[key] is str else f"{phrase}: {reference.phrase}"
        lines.append(f"- `{key}{_format_default(parameter)}`: {phrase}")
    if limits := [key for key, hint in hints.items() if is_one_required(hint)]:
        lines.append(f"\nAt least one of {_join(limits)} is given.")
    return "\n".join([f"### {name}", "", inspect.getdoc(function) or "", "", *lines, ""])


def _render_family(name: str, function: Callable[..., Any]) -> str:
    model = _build_example(name)
    facts = [f"Frames: {_join(model.frames)}."]
    if model.grasps:
        facts.append(f"Grasps: {_join(model.grasps)}.")
    if model.parts:
        facts.append(f"Joints: {_join(part.joint for part in model.parts)}.")
    return f"{_render_word(name, function, 0)}\n{' '.join(facts)}\n"


def _build_example(family: str) -> ObjectModel:
    """A shape of a family: a variant of the catalogue, else one with all parameters left out."""
    specs = [spec for variants in load_catalogue().values() for spec in variants if spec.family == family]
    return build_object(specs[0] if specs else ObjectSpec(family))


def _render_fields(kind: type) -> str:
    hints = resolve_hints(kind)
    lines = [
        f"- `{field.name}{_format_field_default(field)}`: {describe_hint(hints[field.name])}"
        for field in dataclasses.fields(kind)
    ]
    return "\n".join([*lines, ""])


def _format_default(parameter: Parameter) -> str:
    return "" if parameter.default is Parameter.empty else f" = {_format_value(parameter.default)}"


def _format_field_default(field: dataclasses.Field[Any]) -> str:
    return "" if field.default is dataclasses.MISSING else f" = {_format_value(field.default)}"


def _format_value(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_format_value, value))})"
    return f"{value:.4g}" if isinstance(value, float) else repr(value)


def _join(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
