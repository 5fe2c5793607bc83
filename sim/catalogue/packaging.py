"""Cubes, cartons, bars and mats."""

from __future__ import annotations

from sim.objects.palette import MAT_COLOURS
from sim.task.spec import Shape, Value


def _cube(side: float, colour: str) -> Shape:
    nouns = ("cube", "block", "square block")
    return Shape("block", {"size": (side, side, side)}, "cube", colour, nouns, ("building block",))


def _carton(
    kind: str, size: Value, colour: str, accent: str, bands: Value, emblem: str, ink: str,
    nouns: tuple[str, ...], unseen: tuple[str, ...],
) -> Shape:
    look = {"size": size, "accent": accent, "bands": bands, "emblem": emblem, "ink": ink}
    return Shape("carton", look, kind, colour, nouns, unseen)


def _cards(size: Value, colour: str, accent: str, ink: str, bands: Value = ()) -> Shape:
    nouns = ("card box", "box of cards", "deck of cards", "playing card box")
    return _carton("card_box", size, colour, accent, bands, "diamond", ink, nouns, ("pack of cards",))


def _tea(size: Value, colour: str, accent: str, ink: str, bands: Value = ((0.1, 0.1), (0.9, 0.1))) -> Shape:
    nouns = ("tea box", "box of tea", "tea carton", "tea package")
    return _carton("tea_box", size, colour, accent, bands, "disc", ink, nouns, ("pack of tea bags",))


def _coffee(size: Value, colour: str, accent: str, ink: str, bands: Value = ((0.86, 0.14),)) -> Shape:
    nouns = ("coffee box", "box of coffee", "coffee carton", "coffee pack")
    return _carton("coffee_box", size, colour, accent, bands, "lines", ink, nouns, ("package of ground coffee",))


def _soap(size: Value, colour: str, emboss: str) -> Shape:
    look = {"size": size, "emboss": emboss}
    return Shape("soap", look, "soap", colour, ("soap", "bar of soap", "soap bar"), ("cake of soap",))


def _wood(size: Value, colour: str, grain: str, rings: int) -> Shape:
    look = {"size": size, "grain": grain, "rings": rings}
    nouns = ("wood block", "wooden block", "piece of wood")
    return Shape("plank", look, "wood_block", colour, nouns, ("timber block",))


def _rubik(side: float, colour: str) -> Shape:
    nouns = ("rubik's cube", "puzzle cube", "magic cube")
    return Shape("rubik", {"side": side}, "rubik", colour, nouns, ("twisty puzzle",))


KINDS: dict[str, tuple[Shape, ...]] = {
    "cube": (
        _cube(0.03, "yellow"), _cube(0.036, "purple"), _cube(0.042, "orange"), _cube(0.05, "red"), _cube(0.05, "green"),
        _cube(0.05, "blue"), _cube(0.054, "teal"), _cube(0.06, "pink"), _cube(0.066, "brown"),
    ),
    "card_box": (
        _cards((0.09, 0.06, 0.02), "red", "white", "red"),
        _cards((0.09, 0.06, 0.02), "blue", "cream", "black", ((0.5, 0.3),)),
        _cards((0.088, 0.058, 0.018), "black", "gold", "black"),
        _cards((0.092, 0.064, 0.024), "green", "white", "green"),
        _cards((0.096, 0.062, 0.022), "navy", "silver", "maroon", ((0.5, 0.3),)),
    ),
    "tea_box": (
        _tea((0.096, 0.066, 0.072), "green", "cream", "green"),
        _tea((0.096, 0.068, 0.070), "maroon", "gold", "maroon"),
        _tea((0.090, 0.066, 0.072), "yellow", "white", "olive"),
        _tea((0.100, 0.064, 0.068), "teal", "cream", "orange", ((0.5, 0.16),)),
        _tea((0.092, 0.060, 0.078), "orange", "white", "brown", ((0.08, 0.16),)),
        _tea((0.088, 0.062, 0.066), "purple", "silver", "navy", ((0.88, 0.16),)),
    ),
    "coffee_box": (
        _coffee((0.06, 0.04, 0.10), "brown", "cream", "black"),
        _coffee((0.062, 0.044, 0.105), "black", "gold", "brown"),
        _coffee((0.056, 0.04, 0.095), "crimson", "white", "brown", ((0.1, 0.2),)),
        _coffee((0.064, 0.048, 0.09), "tan", "charcoal", "cream", ((0.86, 0.14), (0.1, 0.1))),
        _coffee((0.058, 0.05, 0.11), "navy", "orange", "white", ((0.86, 0.2),)),
    ),
    "soap": (
        _soap((0.08, 0.05, 0.025), "pink", "white"), _soap((0.078, 0.052, 0.027), "cream", "white"),
        _soap((0.085, 0.055, 0.025), "green", "lime"), _soap((0.074, 0.048, 0.028), "turquoise", "white"),
        _soap((0.08, 0.056, 0.03), "yellow", "cream"),
    ),
    "wood_block": (
        _wood((0.05, 0.05, 0.05), "tan", "brown", 3), _wood((0.07, 0.05, 0.04), "brown", "black", 3),
        _wood((0.06, 0.06, 0.05), "beige", "tan", 4), _wood((0.07, 0.06, 0.045), "tan", "brown", 4),
        _wood((0.065, 0.045, 0.06), "beige", "brown", 3),
    ),
    "rubik": (_rubik(0.055, "black"), _rubik(0.057, "white"), _rubik(0.052, "charcoal")),
    "mat": tuple(
        Shape("mat", {"size": (0.1, 0.1)}, "mat", colour, ("mat", "pad", "sheet"), ("square of paper",))
        for colour in MAT_COLOURS
    ),
}
