"""Values of the vocabulary: what a type hint allows, as a check, as a phrase and, in `schema`, as JSON schema.

Ranges stand beside the words that they belong to, as metadata of `typing.Annotated` in the signatures of predicates,
skills and object families and in the fields of `sim.task.spec`. A number without a range is finite and at most
`UNBOUNDED` in magnitude: lengths are metres, angles radians. A whole number without one counts 0 to `MAX_COUNT` things.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeGuard, Union, get_args, get_origin, get_type_hints

UNBOUNDED = 9.0  # a bound of this size is none: metres or radians
MAX_COUNT = 100
TypeHint = Any  # a type, or what `typing` makes of several


@dataclass(frozen=True)
class Bound:
    """Range of a number: above `gt`, at least `ge`, below `lt`, at most `le`, a multiple of `multiple_of`."""

    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    multiple_of: int | None = None

    def allows(self, value: float) -> bool:
        """Tell whether a number lies in the range."""
        return (
            (self.gt is None or value > self.gt)
            and (self.ge is None or value >= self.ge)
            and (self.lt is None or value < self.lt)
            and (self.le is None or value <= self.le)
            and (self.multiple_of is None or value % self.multiple_of == 0)
        )

    def describe(self) -> str:
        """Phrase of the range: "above 0 and at most 1"."""
        limits = (("above", self.gt), ("at least", self.ge), ("below", self.lt), ("at most", self.le))
        words = [f"{word} {limit:g}" for word, limit in limits if limit is not None]
        multiple = [f"a multiple of {self.multiple_of}"] if self.multiple_of is not None else []
        return " and ".join([*multiple, *words])


@dataclass(frozen=True)
class Interval:
    """Pair (low, high) with low < high that bounds on one side at least: `UNBOUNDED` there means no bound."""

    def allows(self, value: tuple[float, float]) -> bool:
        """Tell whether a pair is such an interval."""
        low, high = value
        return low < high and (low > -UNBOUNDED or high < UNBOUNDED)

    def describe(self) -> str:
        """Phrase of the rule."""
        return f"the first below the second, one of them within -{UNBOUNDED:g} to {UNBOUNDED:g}"


@dataclass(frozen=True)
class NonZero:
    """Vector that is longer than 0, so that it has a direction."""

    def allows(self, value: tuple[float, ...]) -> bool:
        """Tell whether a vector has a direction."""
        return math.hypot(*value) > 1e-6

    def describe(self) -> str:
        """Phrase of the rule."""
        return "not all 0"


@dataclass(frozen=True)
class MinItems:
    """Tuple of at least `number` items, all of them different."""

    number: int

    def allows(self, value: tuple[Any, ...]) -> bool:
        """Tell whether there are enough different items."""
        return len(value) >= self.number and len(set(value)) == len(value)

    def describe(self) -> str:
        """Phrase of the rule."""
        return f"at least {self.number}, all different"


@dataclass(frozen=True)
class OneRequired:
    """Mark of keywords that bound a predicate: without any of them it would always hold."""


Rule = Bound | Interval | NonZero | MinItems

ONE_REQUIRED = OneRequired()
Vector3 = tuple[float, float, float]
Length = Annotated[float, Bound(gt=0.0, lt=UNBOUNDED)]  # metres
Limit = Annotated[float, Bound(gt=0.0, lt=UNBOUNDED), ONE_REQUIRED]  # metres
LimitInterval = Annotated[tuple[float, float], Interval(), ONE_REQUIRED]  # metres
Offset = Annotated[float, Bound(ge=-0.5, le=0.5)]  # metres that a motion goes further or less far
Distance = Annotated[float, Bound(ge=0.0, le=0.5)]  # metres that a motion begins or ends away from a thing
FingerOpening = Annotated[float, Bound(ge=0.0, le=0.3)]  # metres from finger to finger; 0 leaves it to the word
Fraction = Annotated[float, Bound(ge=0.0, le=1.0)]
MaxAngle = Annotated[float, Bound(gt=0.0, lt=math.pi)]  # radians
Pace = Annotated[float, Bound(gt=0.0, le=3.0)]  # of the expert's usual speed
Direction = Annotated[tuple[float, float, float], NonZero()]

DEFAULT_RULES: Mapping[type, Bound] = {
    float: Bound(ge=-UNBOUNDED, le=UNBOUNDED),
    int: Bound(ge=0, le=MAX_COUNT),
}
TYPE_PHRASES: Mapping[type, str] = {
    float: "a number",
    int: "a whole number",
    str: "a text",
    bool: "true or false",
    NoneType: "none",
}


def check_value(value: object, hint: TypeHint) -> bool:
    """Tell whether a value is of a type, and within the ranges of its annotations."""
    base, rules = split_hint(hint)
    origin, args = get_origin(base), get_args(base)
    if origin in (Union, UnionType):
        return any(check_value(value, option) for option in args)
    if origin is Literal:
        return value in args
    if base in (int, float):
        return is_number(value, whole=base is int) and all(rule.allows(value) for rule in rules)
    if origin is tuple or base is tuple:
        fits = isinstance(value, tuple) and _check_items(value, args)
        return fits and all(rule.allows(value) for rule in rules)
    if origin is not None and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(isinstance(k, str) and is_plain_value(v) for k, v in value.items())
    return isinstance(value, base)


def describe_hint(hint: TypeHint) -> str:
    """Phrase of the values that a type hint allows: "a number above 0 and at most 1"."""
    base, rules = split_hint(hint)
    origin, args = get_origin(base), get_args(base)
    if origin in (Union, UnionType):
        return " or ".join(describe_hint(option) for option in args)
    if origin is Literal:
        return " or ".join(map(repr, args))
    if origin is tuple or base is tuple:
        phrase = _describe_items(args)
        return ", ".join([phrase, *(rule.describe() for rule in rules)])
    if origin is not None and issubclass(origin, Mapping):
        return "a dict of keywords and values: texts, numbers, tuples of them"
    phrase = TYPE_PHRASES.get(base) or f"a {base.__name__}"
    limits = [rule.describe() for rule in rules if rule not in DEFAULT_RULES.values()]
    return " ".join([phrase, *limits])


def describe_valid(value: object, hint: TypeHint) -> str:
    """Phrase of the values that a hint allows, for a message about one that it does not.

    The bound of numbers without a range of their own is named where it is what the value breaks.
    """
    is_beyond = _has_default_bound(hint) and any(abs(number) > UNBOUNDED for number in _list_numbers(value))
    is_beyond = is_beyond and not check_value(value, hint)
    return describe_hint(hint) + (f", numbers from {-UNBOUNDED:g} to {UNBOUNDED:g}" if is_beyond else "")


def _has_default_bound(hint: TypeHint) -> bool:
    """Tell whether a hint allows a number that may be a fraction and has no range of its own."""
    base, rules = split_hint(hint)
    if get_origin(base) in (Union, UnionType, tuple):
        return any(_has_default_bound(option) for option in get_args(base))
    return base is float and rules == (DEFAULT_RULES[float],)


def _list_numbers(value: object) -> list[float]:
    return [float(item) for item in list_values(value) if is_number(item)]


def list_values(value: object) -> tuple[Any, ...]:
    """Items of a tuple, or the value itself as the only one."""
    return value if isinstance(value, tuple) else (value,)


def split_hint(hint: TypeHint) -> tuple[TypeHint, tuple[Any, ...]]:
    """Split a hint into its type and its rules; a plain number has the default ones."""
    if get_origin(hint) is Annotated:
        base, *metadata = get_args(hint)
        return base, tuple(item for item in metadata if isinstance(item, Rule))
    return hint, (DEFAULT_RULES[hint],) if hint in (int, float) else ()


def is_one_required(hint: TypeHint) -> bool:
    """Tell whether a keyword's hint bears the mark `ONE_REQUIRED`."""
    return get_origin(hint) is Annotated and ONE_REQUIRED in get_args(hint)


def is_number(value: object, whole: bool = False) -> TypeGuard[float]:
    """Tell whether a value is a finite number, where `whole` an integer; bool is none."""
    kinds = (int,) if whole else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and abs(value) < 1e300


def is_plain_value(value: object) -> bool:
    """Tell whether a value is a text, a finite number, a bool, none, or a tuple of such."""
    if isinstance(value, tuple):
        return all(map(is_plain_value, value))
    return value is None or isinstance(value, (str, bool)) or is_number(value)


@functools.cache
def resolve_hints(annotated: Callable[..., Any] | type) -> Mapping[str, TypeHint]:
    """Type hints of a function's keywords or of a dataclass's fields, annotations kept."""
    return get_type_hints(annotated, include_extras=True)


def _check_items(value: tuple[object, ...], args: tuple[TypeHint, ...]) -> bool:
    if args[-1:] == (...,):
        return all(check_value(item, args[0]) for item in value)
    return len(value) == len(args) and all(check_value(item, hint) for item, hint in zip(value, args, strict=True))


def _describe_items(args: tuple[TypeHint, ...]) -> str:
    if not args:
        return "nothing ()"
    if args[-1:] == (...,):
        return f"a tuple, each item {describe_hint(args[0])}"
    if len(set(args)) == 1:
        return f"a tuple of {len(args)}, each {describe_hint(args[0])}"
    return f"a tuple ({', '.join(map(describe_hint, args))})"
