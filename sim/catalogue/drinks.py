"""Bottles, cans, cups and mugs."""

from sim.embodiment.model import Vector
from sim.task.spec import Shape, Value

WHITE, CREAM, DARK = (0.92, 0.92, 0.90), (0.93, 0.88, 0.74), (0.10, 0.10, 0.11)
RED, GREEN, BLUE, YELLOW = (0.75, 0.10, 0.10), (0.12, 0.48, 0.20), (0.12, 0.26, 0.68), (0.93, 0.78, 0.15)


def _bottle(colour: str, nouns: str, unseen: str, cap: Vector, label: Vector, **params: Value) -> Shape:
    return Shape("bottle", {"cap": cap, "label": label, **params}, "bottle", colour, _words(nouns), _words(unseen))


def _big(colour: str, nouns: str, unseen: str, cap: Vector, label: Vector, **params: Value) -> Shape:
    size = {"radius": 0.0345, "height": 0.216, "cap": cap, "label": label}
    return Shape("bottle", {**size, **params}, "big_bottle", colour, _words(nouns), _words(unseen))


def _can(colour: str, height: float, label: Vector, band: float, radius: float = 0.033) -> Shape:
    size = {"radius": radius, "height": height, "label": label, "band": band}
    return Shape("can", size, "can", colour, ("can", "drink can", "soda can", "tin can"), ("beverage can",))


def _sauce(colour: str, nouns: str, height: float, label: Vector, band: float, radius: float = 0.030) -> Shape:
    size = {"radius": radius, "height": height, "label": label, "band": band, "lid": 0.96}
    return Shape("can", size, "sauce_can", colour, ("sauce can", *_words(nouns)), ("can of sauce",))


def _cup(colour: str, radius: float, height: float) -> Shape:
    nouns = ("cup", "empty cup", "drinking cup", "tumbler")
    return Shape("cup", {"radius": radius, "height": height}, "cup", colour, nouns, ("beaker",))


def _mug(colour: str, radius: float, height: float, **params: Value) -> Shape:
    nouns = ("mug", "coffee mug", "tea mug", "mug with a handle")
    return Shape("mug", {"radius": radius, "height": height, **params}, "mug", colour, nouns, ("coffee cup",))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(", "))


KINDS: dict[str, tuple[Shape, ...]] = {
    "bottle": (
        _bottle("green", "bottle, drink bottle, plastic bottle", "soda bottle", WHITE, CREAM,
                radius=0.030, height=0.190, neck=0.014),
        _bottle("sky", "bottle, water bottle, plastic bottle", "bottle of water", BLUE, WHITE,
                radius=0.031, height=0.210, neck=0.0145, shoulder=0.030),
        _bottle("brown", "bottle, sauce bottle, soy sauce bottle", "condiment bottle", RED, YELLOW,
                radius=0.027, height=0.175, neck=0.013, shoulder=0.022, band=0.45),
        _bottle("red", "bottle, ketchup bottle, squeeze bottle", "bottle of ketchup", WHITE, YELLOW,
                radius=0.029, height=0.170, neck=0.016, shoulder=0.034, band=0.5),
        _bottle("yellow", "bottle, mustard bottle, squeeze bottle", "bottle of mustard", GREEN, RED,
                radius=0.028, height=0.165, neck=0.015, shoulder=0.036, band=0.3),
        _bottle("orange", "bottle, juice bottle, drink bottle", "bottle of juice", GREEN, WHITE,
                radius=0.033, height=0.180, neck=0.018, neck_height=0.032, shoulder=0.020, band=0.4),
        _bottle("white", "bottle, milk bottle, yoghurt bottle", "bottle of milk", BLUE, BLUE,
                radius=0.026, height=0.150, neck=0.0155, neck_height=0.032, shoulder=0.022, band=0.25),
        _bottle("teal", "bottle, shampoo bottle, lotion bottle", "bottle of shampoo", DARK, WHITE,
                radius=0.025, height=0.200, neck=0.013, neck_height=0.045, shoulder=0.016, band=0.55),
    ),
    "big_bottle": (
        _big("sky", "water bottle, large water bottle, mineral water bottle", "bottle of water", BLUE, WHITE,
             neck=0.015, neck_height=0.035, shoulder=0.034, band=0.3),
        _big("tan", "tea bottle, iced tea bottle, large tea bottle", "bottle of tea", GREEN, GREEN,
             neck=0.019, neck_height=0.034, shoulder=0.020, band=0.6),
        _big("maroon", "cola bottle, large cola bottle, soda bottle", "bottle of cola", RED, RED,
             neck=0.0145, neck_height=0.040, shoulder=0.044, band=0.35),
    ),
    "can": (
        _can("red", 0.096, WHITE, 0.30),
        _can("blue", 0.104, (0.75, 0.77, 0.80), 0.45),
        _can("green", 0.110, YELLOW, 0.25),
        _can("orange", 0.100, WHITE, 0.55, radius=0.0325),
        _can("charcoal", 0.108, RED, 0.40, radius=0.031),
        _can("silver", 0.098, BLUE, 0.60, radius=0.032),
    ),
    "sauce_can": (
        _sauce("crimson", "tomato sauce can, canned sauce", 0.100, CREAM, 0.40),
        _sauce("olive", "pesto can, canned sauce", 0.096, WHITE, 0.50),
        _sauce("brown", "gravy can, canned sauce", 0.104, YELLOW, 0.35, radius=0.029),
        _sauce("yellow", "curry sauce can, canned sauce", 0.098, RED, 0.55, radius=0.031),
        _sauce("navy", "fish sauce can, canned sauce", 0.092, WHITE, 0.45, radius=0.0305),
    ),
    "cup": (
        _cup("coral", 0.0435, 0.090),
        _cup("teal", 0.0420, 0.095),
        _cup("yellow", 0.0450, 0.085),
        _cup("purple", 0.0400, 0.100),
        _cup("white", 0.0430, 0.092),
        _cup("navy", 0.0410, 0.088),
        _cup("lime", 0.0440, 0.098),
    ),
    "mug": (
        _mug("white", 0.0500, 0.108),
        _mug("red", 0.0480, 0.104, centre=0.062),
        _mug("blue", 0.0460, 0.110, centre=0.068, lining=CREAM),
        _mug("charcoal", 0.0500, 0.102, centre=0.060, gap=0.036),
        _mug("green", 0.0450, 0.113, base=0.0480, centre=0.068),
        _mug("yellow", 0.0525, 0.106, base=0.0460, centre=0.064),
        _mug("pink", 0.0475, 0.100, base=0.0500, centre=0.060),
        _mug("tan", 0.0490, 0.112, gap=0.040, span=0.060, centre=0.068, lining=(0.30, 0.18, 0.10)),
    ),
}
