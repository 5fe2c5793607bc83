"""JSON schema (draft 2020-12) of a task, from the fields of `sim.task.spec` and the signatures of the words.

What a schema cannot say is left to `sim.task.validate`: names that depend on other names, the order of a plan, space.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from inspect import Parameter
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from sim.expert.skills import SKILLS
from sim.objects import FAMILIES
from sim.objects.palette import PALETTE
from sim.task.predicates import PREDICATES
from sim.task.spec import ArmRole, ObjectSpec, Predicate, Skill, Task
from sim.task.values import (
    Bound,
    Interval,
    MinItems,
    NonZero,
    Rule,
    TypeHint,
    is_one_required,
    resolve_hints,
    split_hint,
)
from sim.task.vocabulary import ALTERNATIVE_KEYWORDS, list_parameters

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]
PLAIN_TYPES: Mapping[Any, str] = {float: "number", int: "integer", str: "string", bool: "boolean", NoneType: "null"}
BOUND_KEYWORDS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
    "multiple_of": "multipleOf",
}


def build_task_schema(task: Task | None = None) -> Schema:
    """JSON schema of a task; of those with the objects and arms of `task`, where one is given."""
    definitions: dict[str, Schema] = {
        "Predicate": {"oneOf": [_build_call_schema(Predicate, name, PREDICATES[name], 1) for name in PREDICATES]},
        "Skill": {"oneOf": [_build_call_schema(Skill, name, SKILLS[name], 1) for name in SKILLS]},
        "ObjectSpec": {"oneOf": [_build_family_schema(name, FAMILIES[name]) for name in FAMILIES]},
        "colour": {"enum": sorted(PALETTE)},
    }
    schema = _build_dataclass_schema(Task, definitions)
    if task is not None:
        objects, roles = [thing.name for thing in task.objects], [arm.role for arm in task.arms]
        definitions["TaskObject"]["properties"]["name"] = {"enum": objects}
        definitions[ArmRole.__name__]["properties"]["role"] = {"enum": roles}
    return {"$schema": DIALECT, "title": "Task", **schema, "$defs": definitions}


def build_value_schema(hint: TypeHint, definitions: dict[str, Schema]) -> Schema:
    """JSON schema of the values that a type hint allows; dataclasses become references into `definitions`."""
    base, rules = split_hint(hint)
    origin, args = get_origin(base), get_args(base)
    if origin in (Union, UnionType):
        return {"anyOf": [build_value_schema(option, definitions) for option in args]}
    if origin is Literal:
        return {"enum": list(args)}
    if origin is tuple:
        return _build_tuple_schema(args, rules, definitions)
    if dataclasses.is_dataclass(base) and isinstance(base, type):
        if base.__name__ not in definitions:
            definitions[base.__name__] = {}  # a class may hold values of its own kind
            definitions[base.__name__] = _build_dataclass_schema(base, definitions)
        return {"$ref": f"#/$defs/{base.__name__}"}
    schema: Schema = {"type": PLAIN_TYPES[base]}
    for rule in rules:
        schema |= _build_rule_schema(rule)
    return schema


def _build_tuple_schema(args: tuple[TypeHint, ...], rules: tuple[Rule, ...], definitions: dict[str, Schema]) -> Schema:
    if args[-1:] == (...,):
        schema: Schema = {"type": "array", "items": build_value_schema(args[0], definitions)}
    else:
        items = [build_value_schema(item, definitions) for item in args]
        schema = {"type": "array", "minItems": len(args), "maxItems": len(args)}
        schema |= {"prefixItems": items} if items else {}
    for rule in rules:
        schema |= _build_rule_schema(rule)
    return schema


def _build_rule_schema(rule: Rule) -> Schema:
    if isinstance(rule, Bound):
        limits = {keyword: vars(rule)[name] for name, keyword in BOUND_KEYWORDS.items()}
        return {keyword: limit for keyword, limit in limits.items() if limit is not None}
    if isinstance(rule, MinItems):
        return {"minItems": rule.number, "uniqueItems": True}
    if isinstance(rule, NonZero):
        return {"contains": {"not": {"const": 0}}}
    assert isinstance(rule, Interval), "every rule has a form in JSON schema"
    return {}  # an order of numbers: a schema has no word for it


def _build_dataclass_schema(kind: type, definitions: dict[str, Schema]) -> Schema:
    hints = resolve_hints(kind)
    fields = dataclasses.fields(kind)
    properties = {field.name: build_value_schema(hints[field.name], definitions) for field in fields}
    if "colours" in properties:
        properties["colours"]["items"] = {"$ref": "#/$defs/colour"}
    required = [
        field.name
        for field in fields
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _build_call_schema(kind: type, name: str, function: Callable[..., Any], num_skipped: int) -> Schema:
    """JSON schema of a predicate or a skill of one name, with the keywords of its function."""
    properties: Schema = {"name": {"const": name}, "args": _build_arguments_schema(function, num_skipped)}
    hints = resolve_hints(kind)
    for field in dataclasses.fields(kind):
        if field.name == "alongside":
            properties["alongside"] = {"type": "array", "items": {"$ref": "#/$defs/Skill"}}
        elif field.name not in properties:
            properties[field.name] = build_value_schema(hints[field.name], {})
    return _close_object(properties, ["name", "args"] if _needs_arguments(function, num_skipped) else ["name"])


def _build_family_schema(name: str, function: Callable[..., Any]) -> Schema:
    hints = resolve_hints(ObjectSpec)
    properties: Schema = {
        "family": {"const": name},
        "params": _build_arguments_schema(function, 0),
        "category": build_value_schema(hints["category"], {}),
        "colour": {"$ref": "#/$defs/colour"},
        "nouns": build_value_schema(hints["nouns"], {}),
        "unseen": build_value_schema(hints["unseen"], {}),
    }
    return _close_object(properties, ["family", "params"] if _needs_arguments(function, 0) else ["family"])


def _close_object(properties: Schema, required: list[str]) -> Schema:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _build_arguments_schema(function: Callable[..., Any], num_skipped: int) -> Schema:
    hints, parameters = resolve_hints(function), list_parameters(function, num_skipped)
    properties = {key: build_value_schema(hints[key], {}) for key in parameters}
    required = [key for key, parameter in parameters.items() if parameter.default is Parameter.empty]
    schema = _close_object(properties, required)
    choices: list[Schema] = [
        {"oneOf": [{"required": [key]} for key in pair]}
        for pair in ALTERNATIVE_KEYWORDS
        if set(pair) <= set(properties)
    ]
    if limits := [key for key in properties if is_one_required(hints[key])]:
        choices.append({"anyOf": [{"required": [key]} for key in limits]})
    return {**schema, "allOf": choices} if choices else schema


def _needs_arguments(function: Callable[..., Any], num_skipped: int) -> bool:
    return any(p.default is Parameter.empty for p in list_parameters(function, num_skipped).values())
