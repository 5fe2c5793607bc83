"""Cubes, cartons, bars and mats."""

from __future__ import annotations

from sim.objects.palette import MAT_COLOURS
from sim.task.spec import ObjectSpec, Value


def _make_cube(side: float, colour: str) -> ObjectSpec:
    nouns = ("cube", "block", "square block")
    return ObjectSpec("block", {"size": (side, side, side)}, "cube", colour, nouns, ("building block",))


def _make_carton(
    category: str,
    size: Value,
    colour: str,
    accent: str,
    bands: Value,
    emblem: str,
    ink: str,
    nouns: tuple[str, ...],
    unseen: tuple[str, ...],
) -> ObjectSpec:
    params = {"size": size, "accent": accent, "bands": bands, "emblem": emblem, "ink": ink}
    return ObjectSpec("carton", params, category, colour, nouns, unseen)


def _make_card_box(size: Value, colour: str, accent: str, ink: str, bands: Value = ()) -> ObjectSpec:
    nouns = ("card box", "box of cards", "deck of cards", "playing card box")
    return _make_carton("card_box", size, colour, accent, bands, "diamond", ink, nouns, ("pack of cards",))


def _make_tea_box(
    size: Value, colour: str, accent: str, ink: str, bands: Value = ((0.1, 0.1), (0.9, 0.1))
) -> ObjectSpec:
    nouns = ("tea box", "box of tea", "tea carton", "tea package")
    return _make_carton("tea_box", size, colour, accent, bands, "disc", ink, nouns, ("pack of tea bags",))


def _make_coffee_box(size: Value, colour: str, accent: str, ink: str, bands: Value = ((0.86, 0.14),)) -> ObjectSpec:
    nouns = ("coffee box", "box of coffee", "coffee carton", "coffee pack")
    return _make_carton("coffee_box", size, colour, accent, bands, "lines", ink, nouns, ("package of ground coffee",))


def _make_soap(size: Value, colour: str, emboss: str) -> ObjectSpec:
    params = {"size": size, "emboss": emboss}
    return ObjectSpec("soap", params, "soap", colour, ("soap", "bar of soap", "soap bar"), ("cake of soap",))


def _make_wood_block(size: Value, colour: str, grain: str, rings: int) -> ObjectSpec:
    params = {"size": size, "grain": grain, "rings": rings}
    nouns = ("wood block", "wooden block", "piece of wood")
    return ObjectSpec("plank", params, "wood_block", colour, nouns, ("timber block",))


def _make_rubik(side: float, colour: str) -> ObjectSpec:
    nouns = ("rubik's cube", "puzzle cube", "magic cube")
    return ObjectSpec("rubik", {"side": side}, "rubik", colour, nouns, ("twisty puzzle",))


SPECS_BY_CATEGORY: dict[str, tuple[ObjectSpec, ...]] = {
    "cube": (
        _make_cube(0.03, "yellow"),
        _make_cube(0.036, "purple"),
        _make_cube(0.042, "orange"),
        _make_cube(0.05, "red"),
        _make_cube(0.05, "green"),
        _make_cube(0.05, "blue"),
        _make_cube(0.054, "teal"),
        _make_cube(0.06, "pink"),
        _make_cube(0.066, "brown"),
    ),
    "card_box": (
        _make_card_box((0.09, 0.06, 0.02), "red", "white", "red"),
        _make_card_box((0.09, 0.06, 0.02), "blue", "cream", "black", ((0.5, 0.3),)),
        _make_card_box((0.088, 0.058, 0.018), "black", "gold", "black"),
        _make_card_box((0.092, 0.064, 0.024), "green", "white", "green"),
        _make_card_box((0.096, 0.062, 0.022), "navy", "silver", "maroon", ((0.5, 0.3),)),
    ),
    "tea_box": (
        _make_tea_box((0.096, 0.066, 0.072), "green", "cream", "green"),
        _make_tea_box((0.096, 0.068, 0.070), "maroon", "gold", "maroon"),
        _make_tea_box((0.090, 0.066, 0.072), "yellow", "white", "olive"),
        _make_tea_box((0.100, 0.064, 0.068), "teal", "cream", "orange", ((0.5, 0.16),)),
        _make_tea_box((0.092, 0.060, 0.078), "orange", "white", "brown", ((0.08, 0.16),)),
        _make_tea_box((0.088, 0.062, 0.066), "purple", "silver", "navy", ((0.88, 0.16),)),
    ),
    "coffee_box": (
        _make_coffee_box((0.06, 0.04, 0.10), "brown", "cream", "black"),
        _make_coffee_box((0.062, 0.044, 0.105), "black", "gold", "brown"),
        _make_coffee_box((0.056, 0.04, 0.095), "crimson", "white", "brown", ((0.1, 0.2),)),
        _make_coffee_box((0.064, 0.048, 0.09), "tan", "charcoal", "cream", ((0.86, 0.14), (0.1, 0.1))),
        _make_coffee_box((0.058, 0.05, 0.11), "navy", "orange", "white", ((0.86, 0.2),)),
    ),
    "soap": (
        _make_soap((0.08, 0.05, 0.025), "pink", "white"),
        _make_soap((0.078, 0.052, 0.027), "cream", "white"),
        _make_soap((0.085, 0.055, 0.025), "green", "lime"),
        _make_soap((0.074, 0.048, 0.028), "turquoise", "white"),
        _make_soap((0.08, 0.056, 0.03), "yellow", "cream"),
    ),
    "wood_block": (
        _make_wood_block((0.05, 0.05, 0.05), "tan", "brown", 3),
        _make_wood_block((0.07, 0.05, 0.04), "brown", "black", 3),
        _make_wood_block((0.06, 0.06, 0.05), "beige", "tan", 4),
        _make_wood_block((0.07, 0.06, 0.045), "tan", "brown", 4),
        _make_wood_block((0.065, 0.045, 0.06), "beige", "brown", 3),
    ),
    "rubik": (_make_rubik(0.055, "black"), _make_rubik(0.057, "white"), _make_rubik(0.052, "charcoal")),
    "mat": tuple(
        ObjectSpec("mat", {"size": (0.1, 0.1)}, "mat", colour, ("mat", "pad", "sheet"), ("square of paper",))
        for colour in MAT_COLOURS
    ),
}
