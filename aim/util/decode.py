"""Typed reading of JSON: a dataclass from a text, checked field by field by pydantic, each mistake one line.

Types are strict (no text for a number, no true for 1), unknown fields are refused, and a missing one is named. Lists
become tuples where the dataclass says so. A `UserError` of `__post_init__` passes as it is.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import typing
from difflib import get_close_matches
from typing import Any, TypeVar, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from sim.types import UserError

T = TypeVar("T")

NOUN_OF_ERROR = {  # by the first word of pydantic's error type
    "int": "int", "float": "float", "bool": "bool", "string": "str", "tuple": "a list", "dataclass": "an object",
}  # fmt: skip


def decode_json(kind: type[T], text: str, where: str) -> T:
    """Dataclass `kind` from JSON; `UserError`, naming a field as in "run.model.heads", if it does not fit.

    Where `where` ends in a colon, as in "my.toml:", a space stands between it and the field.
    """
    try:
        return _make_adapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        raise UserError(_describe_first(kind, error.errors(), where)) from error


def decode_document(kind: type[T], text: str, schema: str, what: str) -> T:
    """Dataclass `kind` from JSON whose field "schema" must be `schema`; `UserError` beginning with `what`."""
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{what} is not JSON: {error}") from error
    found = raw.pop("schema", None) if isinstance(raw, dict) else None
    if found != schema:
        raise UserError(f"{what} has schema {found!r}; this version reads {schema!r}")
    return decode_json(kind, json.dumps(raw), what.removesuffix(".json"))


@functools.cache
def _make_adapter(kind: type[T]) -> TypeAdapter[T]:
    _refuse_unknown_fields(kind)
    return TypeAdapter(kind)


def _refuse_unknown_fields(hint: object) -> None:
    """Have pydantic refuse unknown fields of a dataclass and of all dataclasses within it."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        cast(Any, hint).__pydantic_config__ = ConfigDict(extra="forbid")
        for inner in typing.get_type_hints(hint).values():
            _refuse_unknown_fields(inner)
    for inner in typing.get_args(hint):
        _refuse_unknown_fields(inner)


def _describe_first(kind: type, errors: list[ErrorDetails], where: str) -> str:
    """One line about the worst mistake: an unknown field, whose right name is missing then, before any other."""
    error = min(errors, key=lambda found: found["type"] != "unexpected_keyword_argument")
    place, name = error["loc"][:-1], str(error["loc"][-1]) if error["loc"] else ""
    if error["type"] == "json_invalid":
        return f"{where} is not JSON: {error['msg'].removeprefix('Invalid JSON: ')}"
    if error["type"] in ("value_error", "assertion_error"):
        reason = error.get("ctx", {}).get("error", error["msg"])
        return str(reason) if isinstance(reason, UserError) else f"{_join(where, error['loc'])} {reason}"
    if error["type"] == "unexpected_keyword_argument":
        fields = _list_fields(_find_type(kind, place))
        near = get_close_matches(name, fields, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(fields)}"
        return f"{_join(where, place)} has no field {name!r}; {hint}"
    if error["type"] == "too_long":
        return f"{_join(where, error['loc'])} has too many values: {error['input']!r}"
    if error["type"] == "missing" and isinstance(error["loc"][-1], int):
        return f"{_join(where, place)} has too few values: {error['input']!r}"
    if error["type"] == "missing":
        names = [str(one["loc"][-1]) for one in errors if one["type"] == "missing" and one["loc"][:-1] == place]
        return f"{_join(where, place)} lacks {', '.join(names)}"
    path = _join(where, error["loc"])
    if error["type"] == "literal_error":
        return f"{path} is {error['input']!r}; valid are {error.get('ctx', {})['expected'].replace(' or ', ', ')}"
    noun = NOUN_OF_ERROR.get(error["type"].partition("_")[0])
    said = f"must be {noun}" if noun else error["msg"].replace("Input should", "must")
    return f"{path} {said}, not {error['input']!r}"


def _find_type(kind: type, place: tuple[int | str, ...]) -> type:
    """Dataclass that stands at a place within `kind`, given by fields, by keys and by places in tuples."""
    found: Any = kind
    for step in place:
        if dataclasses.is_dataclass(found):
            found = typing.get_type_hints(found)[str(step)]
        else:  # of a tuple the type of its items, of a mapping that of its values
            found = typing.get_args(found)[0 if isinstance(step, int) else 1]
    return found


def _list_fields(kind: type) -> list[str]:
    """Fields of a dataclass as JSON names them."""
    hints = typing.get_type_hints(kind, include_extras=True).items()
    return [next((alias for each in typing.get_args(hint) if (alias := getattr(each, "alias", None))), name)
            for name, hint in hints]  # fmt: skip


def _join(where: str, place: tuple[int | str, ...]) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return f"{where} {path.removeprefix('.')}".rstrip() if where.endswith(":") else where + path
