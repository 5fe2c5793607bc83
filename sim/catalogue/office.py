"""Small objects of desk, kitchen and hallway."""

from __future__ import annotations

from sim.task.spec import ObjectSpec, Value


def _make_phone(size: Value, colour: str, screen: str, lenses: int) -> ObjectSpec:
    params = {"size": size, "screen": screen, "lenses": lenses}
    return ObjectSpec("phone", params, "phone", colour, ("phone", "mobile phone", "smartphone"), ("cell phone",))


def _make_remote(size: Value, colour: str, keys: str, rows: int) -> ObjectSpec:
    params = {"size": size, "keys": keys, "rows": rows}
    return ObjectSpec("remote", params, "remote", colour, ("remote control", "remote", "tv remote"), ("clicker",))


def _make_stapler(length: float, width: float, height: float, colour: str, base: str) -> ObjectSpec:
    params = {"length": length, "width": width, "height": height, "base": base}
    return ObjectSpec(
        "stapler", params, "stapler", colour, ("stapler", "desk stapler", "office stapler"), ("paper stapler",)
    )


def _make_mouse(length: float, width: float, height: float, colour: str, wheel: str) -> ObjectSpec:
    params = {"length": length, "width": width, "height": height, "wheel": wheel}
    return ObjectSpec(
        "mouse", params, "mouse", colour, ("mouse", "computer mouse", "wireless mouse"), ("pointing device",)
    )


def _make_toy_car(
    length: float, width: float, height: float, cabin: float, back: float, colour: str, trim: str
) -> ObjectSpec:
    params = {"length": length, "width": width, "height": height, "cabin": cabin, "back": back, "trim": trim}
    return ObjectSpec("toy_car", params, "toy_car", colour, ("toy car", "car", "model car"), ("little vehicle",))


def _make_shoe(
    length: float, width: float, height: float, collar: float, colour: str, sole: str, laces: str
) -> ObjectSpec:
    params = {"length": length, "width": width, "height": height, "collar": collar, "sole": sole, "laces": laces}
    return ObjectSpec(
        "shoe", params, "shoe", colour, ("shoe", "sneaker", "sports shoe", "trainer"), ("piece of footwear",)
    )


def _make_fries(width: float, length: float, height: float, sticks: int, colour: str, stripe: str) -> ObjectSpec:
    params = {"width": width, "length": length, "height": height, "sticks": sticks, "stripe": stripe}
    return ObjectSpec("fries", params, "fries", colour, ("fries", "french fries", "box of fries"), ("carton of chips",))


def _make_bread(look: str, size: Value, colour: str, nouns: tuple[str, ...]) -> ObjectSpec:
    all_nouns = ("bread", "piece of bread", "bakery bread", *nouns)
    return ObjectSpec("bread", {"size": size, "look": look}, "bread", colour, all_nouns, ("baked good",))


SPECS_BY_CATEGORY: dict[str, tuple[ObjectSpec, ...]] = {
    "phone": (
        _make_phone((0.072, 0.151, 0.016), "black", "navy", 2),
        _make_phone((0.070, 0.146, 0.015), "white", "teal", 1),
        _make_phone((0.072, 0.154, 0.015), "blue", "charcoal", 3),
        _make_phone((0.068, 0.142, 0.016), "pink", "purple", 2),
        _make_phone((0.071, 0.150, 0.017), "gold", "black", 1),
    ),
    "remote": (
        _make_remote((0.05, 0.15, 0.02), "black", "grey", 3),
        _make_remote((0.048, 0.16, 0.022), "silver", "charcoal", 4),
        _make_remote((0.044, 0.14, 0.018), "white", "grey", 2),
        _make_remote((0.052, 0.155, 0.02), "charcoal", "white", 4),
        _make_remote((0.046, 0.15, 0.024), "navy", "silver", 3),
    ),
    "stapler": (
        _make_stapler(0.13, 0.030, 0.050, "red", "charcoal"),
        _make_stapler(0.13, 0.032, 0.052, "black", "grey"),
        _make_stapler(0.125, 0.030, 0.048, "blue", "silver"),
        _make_stapler(0.135, 0.034, 0.054, "green", "black"),
        _make_stapler(0.120, 0.030, 0.046, "pink", "white"),
        _make_stapler(0.128, 0.028, 0.050, "yellow", "charcoal"),
        _make_stapler(0.132, 0.036, 0.056, "teal", "charcoal"),
    ),
    "mouse": (
        _make_mouse(0.10, 0.060, 0.035, "black", "red"),
        _make_mouse(0.10, 0.058, 0.036, "white", "grey"),
        _make_mouse(0.096, 0.060, 0.034, "grey", "black"),
        _make_mouse(0.104, 0.062, 0.038, "blue", "silver"),
        _make_mouse(0.092, 0.056, 0.034, "pink", "white"),
    ),
    "toy_car": (
        _make_toy_car(0.100, 0.050, 0.040, 0.50, 0.10, "red", "charcoal"),
        _make_toy_car(0.105, 0.050, 0.038, 0.42, 0.04, "yellow", "black"),
        _make_toy_car(0.096, 0.048, 0.044, 0.62, 0.16, "blue", "silver"),
        _make_toy_car(0.100, 0.052, 0.046, 0.70, 0.13, "green", "charcoal"),
        _make_toy_car(0.094, 0.046, 0.040, 0.30, -0.04, "orange", "black"),
        _make_toy_car(0.104, 0.052, 0.036, 0.36, 0.12, "white", "red"),
    ),
    "shoe": (
        _make_shoe(0.219, 0.076, 0.110, 0.054, "red", "white", "white"),
        _make_shoe(0.219, 0.074, 0.105, 0.052, "blue", "white", "white"),
        _make_shoe(0.215, 0.076, 0.110, 0.054, "black", "white", "grey"),
        _make_shoe(0.219, 0.078, 0.115, 0.056, "brown", "beige", "cream"),
        _make_shoe(0.210, 0.072, 0.100, 0.052, "green", "tan", "white"),
        _make_shoe(0.219, 0.076, 0.108, 0.054, "white", "grey", "black"),
        _make_shoe(0.214, 0.074, 0.104, 0.052, "pink", "white", "purple"),
        _make_shoe(0.218, 0.076, 0.112, 0.056, "navy", "orange", "orange"),
    ),
    "fries": (
        _make_fries(0.068, 0.096, 0.033, 6, "red", "yellow"),
        _make_fries(0.070, 0.100, 0.034, 7, "maroon", "cream"),
        _make_fries(0.066, 0.094, 0.032, 5, "blue", "white"),
        _make_fries(0.069, 0.098, 0.033, 6, "yellow", "red"),
        _make_fries(0.067, 0.096, 0.034, 8, "green", "white"),
    ),
    "bread": (
        _make_bread("loaf", (0.060, 0.098, 0.045), "brown", ("small loaf",)),
        _make_bread("toast", (0.064, 0.078, 0.025), "tan", ("slice of bread", "toast")),
        _make_bread("bun", (0.064, 0.072, 0.042), "gold", ("bun",)),
        _make_bread("baguette", (0.050, 0.100, 0.042), "tan", ("baguette",)),
        _make_bread("roll", (0.058, 0.096, 0.044), "gold", ("bread roll",)),
    ),
}
