"""Typed reading of JSON: what fits becomes the dataclass, and each mistake is one line that names the field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest

from aim.util.decode import decode_json
from sim.types import UserError


@dataclass(frozen=True)
class Wheel:
    radius: float
    spokes: int = 8


@dataclass(frozen=True)
class Cart:
    name: str
    wheels: tuple[Wheel, ...]
    size: tuple[int, int]
    paint: Literal["red", "blue"] = "red"
    loaded: bool = False

    def __post_init__(self) -> None:
        if not self.name:
            raise UserError("a cart has a name")


def test_lists_become_tuples_and_whole_numbers_floats() -> None:
    found = decode_json(Cart, '{"name": "a", "wheels": [{"radius": 1}], "size": [2, 3], "loaded": true}', "cart")
    assert found == Cart("a", (Wheel(1.0),), (2, 3), loaded=True)
    assert isinstance(found.wheels[0].radius, float)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"name": 3, "wheels": [], "size": [1, 2]}', "cart.name must be str, not 3"),
        ('{"name": "a", "wheels": [{"radius": "1"}], "size": [1, 2]}', "cart.wheels[0].radius must be float, not '1'"),
        ('{"wheels": [{"radius": 1, "spokes": true}], "name": "a", "size": [1, 2]}', "cart.wheels[0].spokes must be"),
        ('{"wheels": [{"radios": 1}], "name": "a", "size": [1, 2]}', "cart.wheels[0] has no field 'radios'; did"),
        ('{"name": "a", "wheels": [4], "size": [1, 2]}', "cart.wheels[0] must be an object, not 4"),
        ('{"name": "a", "wheels": 4, "size": [1, 2]}', "cart.wheels must be a list, not 4"),
        ('{"name": "a", "wheels": [], "size": [1, 2], "paint": "green"}', "cart.paint is 'green'; valid are 'red', "),
        ('{"name": "a"}', "cart lacks wheels, size"),
        ('{"name": "", "wheels": [], "size": [1, 2]}', "a cart has a name"),
        ("[]", "cart must be an object, not []"),
        ("{", "cart is not JSON"),
        ('{"name": "a", "wheels": [], "size": [1]}', "cart.size"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_that_names_the_field(text: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        decode_json(Cart, text, "cart")
    assert str(error.value).startswith(said) and "\n" not in str(error.value)
