"""Bottles, cans, cups and mugs."""

from sim.embodiment.model import Vector
from sim.task.spec import ObjectSpec, Value

WHITE_RGB, CREAM_RGB, DARK_RGB = (0.92, 0.92, 0.90), (0.93, 0.88, 0.74), (0.10, 0.10, 0.11)
RED_RGB, GREEN_RGB, BLUE_RGB, YELLOW_RGB = (
    (0.75, 0.10, 0.10),
    (0.12, 0.48, 0.20),
    (0.12, 0.26, 0.68),
    (0.93, 0.78, 0.15),
)


def _make_bottle(colour: str, nouns: str, unseen: str, cap: Vector, label: Vector, **params: Value) -> ObjectSpec:
    return ObjectSpec(
        "bottle", {"cap": cap, "label": label, **params}, "bottle", colour, _split_nouns(nouns), _split_nouns(unseen)
    )


def _make_big_bottle(colour: str, nouns: str, unseen: str, cap: Vector, label: Vector, **params: Value) -> ObjectSpec:
    defaults = {"radius": 0.0345, "height": 0.216, "cap": cap, "label": label}
    return ObjectSpec("bottle", {**defaults, **params}, "big_bottle", colour, _split_nouns(nouns), _split_nouns(unseen))


def _make_can(colour: str, height: float, label: Vector, band: float, radius: float = 0.033) -> ObjectSpec:
    params = {"radius": radius, "height": height, "label": label, "band": band}
    return ObjectSpec("can", params, "can", colour, ("can", "drink can", "soda can", "tin can"), ("beverage can",))


def _make_sauce_can(
    colour: str, nouns: str, height: float, label: Vector, band: float, radius: float = 0.030
) -> ObjectSpec:
    params = {"radius": radius, "height": height, "label": label, "band": band, "lid": 0.96}
    return ObjectSpec("can", params, "sauce_can", colour, ("sauce can", *_split_nouns(nouns)), ("can of sauce",))


def _make_cup(colour: str, radius: float, height: float) -> ObjectSpec:
    nouns = ("cup", "empty cup", "drinking cup", "tumbler")
    return ObjectSpec("cup", {"radius": radius, "height": height}, "cup", colour, nouns, ("beaker",))


def _make_mug(colour: str, radius: float, height: float, **params: Value) -> ObjectSpec:
    nouns = ("mug", "coffee mug", "tea mug", "mug with a handle")
    return ObjectSpec("mug", {"radius": radius, "height": height, **params}, "mug", colour, nouns, ("coffee cup",))


def _split_nouns(text: str) -> tuple[str, ...]:
    return tuple(text.split(", "))


SPECS_BY_CATEGORY: dict[str, tuple[ObjectSpec, ...]] = {
    "bottle": (
        _make_bottle(
            "green",
            "bottle, drink bottle, plastic bottle",
            "soda bottle",
            WHITE_RGB,
            CREAM_RGB,
            radius=0.030,
            height=0.190,
            neck=0.014,
        ),
        _make_bottle(
            "sky",
            "bottle, water bottle, plastic bottle",
            "bottle of water",
            BLUE_RGB,
            WHITE_RGB,
            radius=0.031,
            height=0.210,
            neck=0.0145,
            shoulder=0.030,
        ),
        _make_bottle(
            "brown",
            "bottle, sauce bottle, soy sauce bottle",
            "condiment bottle",
            RED_RGB,
            YELLOW_RGB,
            radius=0.027,
            height=0.175,
            neck=0.013,
            shoulder=0.022,
            band=0.45,
        ),
        _make_bottle(
            "red",
            "bottle, ketchup bottle, squeeze bottle",
            "bottle of ketchup",
            WHITE_RGB,
            YELLOW_RGB,
            radius=0.029,
            height=0.170,
            neck=0.016,
            shoulder=0.034,
            band=0.5,
        ),
        _make_bottle(
            "yellow",
            "bottle, mustard bottle, squeeze bottle",
            "bottle of mustard",
            GREEN_RGB,
            RED_RGB,
            radius=0.028,
            height=0.165,
            neck=0.015,
            shoulder=0.036,
            band=0.3,
        ),
        _make_bottle(
            "orange",
            "bottle, juice bottle, drink bottle",
            "bottle of juice",
            GREEN_RGB,
            WHITE_RGB,
            radius=0.033,
            height=0.180,
            neck=0.018,
            neck_height=0.032,
            shoulder=0.020,
            band=0.4,
        ),
        _make_bottle(
            "white",
            "bottle, milk bottle, yoghurt bottle",
            "bottle of milk",
            BLUE_RGB,
            BLUE_RGB,
            radius=0.026,
            height=0.150,
            neck=0.0155,
            neck_height=0.032,
            shoulder=0.022,
            band=0.25,
        ),
        _make_bottle(
            "teal",
            "bottle, shampoo bottle, lotion bottle",
            "bottle of shampoo",
            DARK_RGB,
            WHITE_RGB,
            radius=0.025,
            height=0.200,
            neck=0.013,
            neck_height=0.045,
            shoulder=0.016,
            band=0.55,
        ),
    ),
    "big_bottle": (
        _make_big_bottle(
            "sky",
            "water bottle, large water bottle, mineral water bottle",
            "bottle of water",
            BLUE_RGB,
            WHITE_RGB,
            neck=0.015,
            neck_height=0.035,
            shoulder=0.034,
            band=0.3,
        ),
        _make_big_bottle(
            "tan",
            "tea bottle, iced tea bottle, large tea bottle",
            "bottle of tea",
            GREEN_RGB,
            GREEN_RGB,
            neck=0.019,
            neck_height=0.034,
            shoulder=0.020,
            band=0.6,
        ),
        _make_big_bottle(
            "maroon",
            "cola bottle, large cola bottle, soda bottle",
            "bottle of cola",
            RED_RGB,
            RED_RGB,
            neck=0.0145,
            neck_height=0.040,
            shoulder=0.044,
            band=0.35,
        ),
    ),
    "can": (
        _make_can("red", 0.096, WHITE_RGB, 0.30),
        _make_can("blue", 0.104, (0.75, 0.77, 0.80), 0.45),
        _make_can("green", 0.110, YELLOW_RGB, 0.25),
        _make_can("orange", 0.100, WHITE_RGB, 0.55, radius=0.0325),
        _make_can("charcoal", 0.108, RED_RGB, 0.40, radius=0.031),
        _make_can("silver", 0.098, BLUE_RGB, 0.60, radius=0.032),
    ),
    "sauce_can": (
        _make_sauce_can("crimson", "tomato sauce can, canned sauce", 0.100, CREAM_RGB, 0.40),
        _make_sauce_can("olive", "pesto can, canned sauce", 0.096, WHITE_RGB, 0.50),
        _make_sauce_can("brown", "gravy can, canned sauce", 0.104, YELLOW_RGB, 0.35, radius=0.029),
        _make_sauce_can("yellow", "curry sauce can, canned sauce", 0.098, RED_RGB, 0.55, radius=0.031),
        _make_sauce_can("navy", "fish sauce can, canned sauce", 0.092, WHITE_RGB, 0.45, radius=0.0305),
    ),
    "cup": (
        _make_cup("coral", 0.0435, 0.090),
        _make_cup("teal", 0.0420, 0.095),
        _make_cup("yellow", 0.0450, 0.085),
        _make_cup("purple", 0.0400, 0.100),
        _make_cup("white", 0.0430, 0.092),
        _make_cup("navy", 0.0410, 0.088),
        _make_cup("lime", 0.0440, 0.098),
    ),
    "mug": (
        _make_mug("white", 0.0500, 0.108),
        _make_mug("red", 0.0480, 0.104, centre=0.062),
        _make_mug("blue", 0.0460, 0.110, centre=0.068, lining=CREAM_RGB),
        _make_mug("charcoal", 0.0500, 0.102, centre=0.060, gap=0.036),
        _make_mug("green", 0.0450, 0.113, base=0.0480, centre=0.068),
        _make_mug("yellow", 0.0525, 0.106, base=0.0460, centre=0.064),
        _make_mug("pink", 0.0475, 0.100, base=0.0500, centre=0.060),
        _make_mug("tan", 0.0490, 0.112, gap=0.040, span=0.060, centre=0.068, lining=(0.30, 0.18, 0.10)),
    ),
}
