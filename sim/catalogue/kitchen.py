"""What a kitchen holds besides drinks: bowls, plates, pans, pots, a rolling pin, burgers."""

from sim.embodiment.model import Vector
from sim.task.spec import Shape, Value

WHITE, DARK, STEEL, WOOD = (0.92, 0.92, 0.90), (0.10, 0.10, 0.11), (0.62, 0.63, 0.65), (0.55, 0.36, 0.18)


def _bowl(colour: str, radius: float, height: float, **params: Value) -> Shape:
    nouns = ("bowl", "soup bowl", "rice bowl", "round bowl")
    return Shape("bowl", {"radius": radius, "height": height, **params}, "bowl", colour, nouns, ("dish",))


def _plate(colour: str, radius: float, height: float = 0.020, **params: Value) -> Shape:
    nouns = ("plate", "dinner plate", "round plate", "flat plate")
    return Shape("plate", {"radius": radius, "height": height, **params}, "plate", colour, nouns, ("serving plate",))


def _coaster(colour: str) -> Shape:
    nouns = ("coaster", "round coaster", "drink coaster", "cup mat")
    return Shape("disc", {"radius": 0.0745, "height": 0.008}, "coaster", colour, nouns, ("drinks mat",))


def _skillet(colour: str, radius: float, wood: Vector, **params: Value) -> Shape:
    nouns = ("skillet", "frying pan", "pan", "pan with a handle")
    size = {"radius": radius, "height": 0.038, "wood": wood}
    return Shape("skillet", {**size, **params}, "skillet", colour, nouns, ("frypan",))


def _pot(colour: str, radius: float, height: float, metal: Vector, level: float = 0.084) -> Shape:
    nouns = ("pot", "cooking pot", "saucepot", "two-handled pot")
    size = {"radius": radius, "height": height, "level": level, "metal": metal}
    return Shape("pot", size, "pot", colour, nouns, ("stockpot",))


def _roller(colour: str, radius: float, wood: Vector, **params: Value) -> Shape:
    nouns = ("rolling pin", "roller", "dough roller", "baking roller")
    size = {"radius": radius, "length": 0.23, "wood": wood}
    return Shape("roller", {**size, **params}, "roller", colour, nouns, ("pastry roller",))


def _burger(colour: str, radius: float, height: float, filling: Vector) -> Shape:
    nouns = ("burger", "hamburger", "round burger", "sandwich bun")
    size = {"radius": radius, "height": height, "filling": filling}
    return Shape("burger", size, "burger", colour, nouns, ("beef burger",))


KINDS: dict[str, tuple[Shape, ...]] = {
    "bowl": (
        _bowl("sky", 0.065, 0.056, lining=WHITE),
        _bowl("orange", 0.068, 0.058),
        _bowl("green", 0.062, 0.056, foot=0.028, floor=0.031),
        _bowl("white", 0.070, 0.060, foot=0.032, lining=(0.55, 0.70, 0.85)),
        _bowl("crimson", 0.064, 0.060, foot=0.029, floor=0.033, lining=DARK),
    ),
    "plate": (
        _plate("white", 0.100, edge=(0.30, 0.42, 0.66)),
        _plate("beige", 0.096, 0.018),
        _plate("blue", 0.100, 0.022),
        _plate("cream", 0.102, edge=(0.62, 0.20, 0.16)),
        _plate("grey", 0.098, 0.020),
    ),
    "coaster": tuple(_coaster(c) for c in ("navy", "brown", "olive", "maroon", "charcoal", "teal")),
    "skillet": (
        _skillet("charcoal", 0.105, WOOD),
        _skillet("black", 0.102, DARK, lining=(0.24, 0.24, 0.25)),
        _skillet("red", 0.105, DARK),
        _skillet("silver", 0.103, STEEL, lining=(0.50, 0.51, 0.53)),
        _skillet("teal", 0.105, WOOD, lining=(0.80, 0.78, 0.72)),
    ),
    "pot": (
        _pot("silver", 0.083, 0.135, DARK),
        _pot("red", 0.083, 0.130, DARK),
        _pot("charcoal", 0.082, 0.128, STEEL),
        _pot("blue", 0.081, 0.135, STEEL, level=0.086),
        _pot("cream", 0.083, 0.125, WOOD, level=0.082),
        _pot("olive", 0.080, 0.132, DARK),
        _pot("gold", 0.082, 0.120, DARK, level=0.080),
    ),
    "roller": (
        _roller("tan", 0.0175, WOOD),
        _roller("beige", 0.0175, (0.65, 0.12, 0.10), body=0.135),
        _roller("silver", 0.0180, DARK, body=0.140),
        _roller("white", 0.0170, (0.15, 0.30, 0.60), body=0.130, grip=0.012),
        _roller("brown", 0.0185, (0.30, 0.18, 0.09), grip=0.0135),
    ),
    "burger": (
        _burger("tan", 0.0340, 0.045, (0.35, 0.62, 0.20)),
        _burger("gold", 0.0335, 0.040, (0.80, 0.20, 0.12)),
        _burger("beige", 0.0345, 0.050, (0.93, 0.75, 0.20)),
        _burger("orange", 0.0330, 0.036, (0.30, 0.55, 0.16)),
        _burger("brown", 0.0340, 0.042, (0.90, 0.88, 0.80)),
        _burger("charcoal", 0.0325, 0.038, (0.85, 0.70, 0.15)),
    ),
}
