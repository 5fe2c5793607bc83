"""What a kitchen holds besides drinks: bowls, plates, pans, pots, a rolling pin, burgers."""

from sim.embodiment.model import Vector
from sim.task.spec import ObjectSpec, Value

WHITE_RGB, DARK_RGB, STEEL_RGB, BROWN_WOOD_RGB = (
    (0.92, 0.92, 0.90),
    (0.10, 0.10, 0.11),
    (0.62, 0.63, 0.65),
    (0.55, 0.36, 0.18),
)


def _make_bowl(colour: str, radius: float, height: float, **params: Value) -> ObjectSpec:
    nouns = ("bowl", "soup bowl", "rice bowl", "round bowl")
    return ObjectSpec("bowl", {"radius": radius, "height": height, **params}, "bowl", colour, nouns, ("dish",))


def _make_plate(colour: str, radius: float, height: float = 0.020, **params: Value) -> ObjectSpec:
    nouns = ("plate", "dinner plate", "round plate", "flat plate")
    return ObjectSpec(
        "plate", {"radius": radius, "height": height, **params}, "plate", colour, nouns, ("serving plate",)
    )


def _make_coaster(colour: str) -> ObjectSpec:
    nouns = ("coaster", "round coaster", "drink coaster", "cup mat")
    return ObjectSpec("disc", {"radius": 0.0745, "height": 0.008}, "coaster", colour, nouns, ("drinks mat",))


def _make_skillet(colour: str, radius: float, wood: Vector, **params: Value) -> ObjectSpec:
    nouns = ("skillet", "frying pan", "pan", "pan with a handle")
    defaults = {"radius": radius, "height": 0.038, "wood": wood}
    return ObjectSpec("skillet", {**defaults, **params}, "skillet", colour, nouns, ("frypan",))


def _make_pot(colour: str, radius: float, height: float, metal: Vector, level: float = 0.084) -> ObjectSpec:
    nouns = ("pot", "cooking pot", "saucepot", "two-handled pot")
    params = {"radius": radius, "height": height, "level": level, "metal": metal}
    return ObjectSpec("pot", params, "pot", colour, nouns, ("stockpot",))


def _make_roller(colour: str, radius: float, wood: Vector, **params: Value) -> ObjectSpec:
    nouns = ("rolling pin", "roller", "dough roller", "baking roller")
    defaults = {"radius": radius, "length": 0.23, "wood": wood}
    return ObjectSpec("roller", {**defaults, **params}, "roller", colour, nouns, ("pastry roller",))


def _make_burger(colour: str, radius: float, height: float, filling: Vector) -> ObjectSpec:
    nouns = ("burger", "hamburger", "round burger", "sandwich bun")
    params = {"radius": radius, "height": height, "filling": filling}
    return ObjectSpec("burger", params, "burger", colour, nouns, ("beef burger",))


SPECS_BY_CATEGORY: dict[str, tuple[ObjectSpec, ...]] = {
    "bowl": (
        _make_bowl("sky", 0.065, 0.056, lining=WHITE_RGB),
        _make_bowl("orange", 0.068, 0.058),
        _make_bowl("green", 0.062, 0.056, foot=0.028, floor=0.031),
        _make_bowl("white", 0.070, 0.060, foot=0.032, lining=(0.55, 0.70, 0.85)),
        _make_bowl("crimson", 0.064, 0.060, foot=0.029, floor=0.033, lining=DARK_RGB),
    ),
    "plate": (
        _make_plate("white", 0.100, edge=(0.30, 0.42, 0.66)),
        _make_plate("beige", 0.096, 0.018),
        _make_plate("blue", 0.100, 0.022),
        _make_plate("cream", 0.102, edge=(0.62, 0.20, 0.16)),
        _make_plate("grey", 0.098, 0.020),
    ),
    "coaster": tuple(_make_coaster(c) for c in ("navy", "brown", "olive", "maroon", "charcoal", "teal")),
    "skillet": (
        _make_skillet("charcoal", 0.105, BROWN_WOOD_RGB),
        _make_skillet("black", 0.102, DARK_RGB, lining=(0.24, 0.24, 0.25)),
        _make_skillet("red", 0.105, DARK_RGB),
        _make_skillet("silver", 0.103, STEEL_RGB, lining=(0.50, 0.51, 0.53)),
        _make_skillet("teal", 0.105, BROWN_WOOD_RGB, lining=(0.80, 0.78, 0.72)),
    ),
    "pot": (
        _make_pot("silver", 0.083, 0.135, DARK_RGB),
        _make_pot("red", 0.083, 0.130, DARK_RGB),
        _make_pot("charcoal", 0.082, 0.128, STEEL_RGB),
        _make_pot("blue", 0.081, 0.135, STEEL_RGB, level=0.086),
        _make_pot("cream", 0.083, 0.125, BROWN_WOOD_RGB, level=0.082),
        _make_pot("olive", 0.080, 0.132, DARK_RGB),
        _make_pot("gold", 0.082, 0.120, DARK_RGB, level=0.080),
    ),
    "roller": (
        _make_roller("tan", 0.0175, BROWN_WOOD_RGB),
        _make_roller("beige", 0.0175, (0.65, 0.12, 0.10), body=0.135),
        _make_roller("silver", 0.0180, DARK_RGB, body=0.140),
        _make_roller("white", 0.0170, (0.15, 0.30, 0.60), body=0.130, grip=0.012),
        _make_roller("brown", 0.0185, (0.30, 0.18, 0.09), grip=0.0135),
    ),
    "burger": (
        _make_burger("tan", 0.0340, 0.045, (0.35, 0.62, 0.20)),
        _make_burger("gold", 0.0335, 0.040, (0.80, 0.20, 0.12)),
        _make_burger("beige", 0.0345, 0.050, (0.93, 0.75, 0.20)),
        _make_burger("orange", 0.0330, 0.036, (0.30, 0.55, 0.16)),
        _make_burger("brown", 0.0340, 0.042, (0.90, 0.88, 0.80)),
        _make_burger("charcoal", 0.0325, 0.038, (0.85, 0.70, 0.15)),
    ),
}
