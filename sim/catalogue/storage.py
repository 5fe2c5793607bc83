"""Trays, baskets, boxes without a lid, and the bin on the floor."""

from __future__ import annotations

from sim.task.spec import ObjectSpec, Value


def _make_tray(size: Value, colour: str, trim: str, lining: str = "") -> ObjectSpec:
    slots = (("left", -0.074, 0.0), ("right", 0.074, 0.0))
    params = {"size": size, "wall": 0.005, "slots": slots, "trim": trim, "lining": lining}
    return ObjectSpec(
        "open_box", params, "tray", colour, ("tray", "serving tray", "food tray"), ("platter with a rim",)
    )


def _make_bread_basket(size: Value, colour: str, trim: str, lining: str, bands: Value) -> ObjectSpec:
    slots = (("left", -0.034, 0.0), ("right", 0.034, 0.0))
    params = {"size": size, "wall": 0.005, "slots": slots, "trim": trim, "lining": lining, "bands": bands}
    nouns = ("bread basket", "basket", "basket for bread")
    return ObjectSpec("open_box", params, "bread_basket", colour, nouns, ("woven bread holder",))


def _make_plastic_box(size: Value, colour: str, trim: str, bands: Value = ()) -> ObjectSpec:
    # two cans of 0.068 stand side by side with 14 mm between them, so that fingers can let go
    slots = (("near", 0.0, -0.041), ("far", 0.0, 0.041))
    params = {"size": size, "wall": 0.004, "slots": slots, "trim": trim, "bands": bands}
    nouns = ("plastic box", "plastic container", "storage box")
    return ObjectSpec("open_box", params, "plastic_box", colour, nouns, ("plastic bin",))


def _make_handled_basket(size: Value, wall_height: float, colour: str, trim: str, bands: Value) -> ObjectSpec:
    params = {"size": size, "wall_height": wall_height, "trim": trim, "bands": bands}
    nouns = ("basket", "basket with a handle", "carrying basket", "shopping basket")
    return ObjectSpec("handled_basket", params, "handled_basket", colour, nouns, ("hand basket",))


def _make_shoe_box(size: Value, colour: str, trim: str, lining: str) -> ObjectSpec:
    slots = (("front", 0.0, -0.045), ("back", 0.0, 0.045))
    params = {"size": size, "wall": 0.004, "slots": slots, "trim": trim, "lining": lining, "bands": (0.86,)}
    nouns = ("shoe box", "box for shoes", "shoe container")
    return ObjectSpec("open_box", params, "shoe_box", colour, nouns, ("footwear box",))


def _make_floor_bin(colour: str, trim: str) -> ObjectSpec:
    # a raised floor, so that whatever falls in ends between 0.2 and 0.7 m, and small balls under 0.25 m
    params = {"size": (0.44, 0.65, 0.74), "wall": 0.012, "floor": 0.205, "trim": trim}
    nouns = ("dustbin", "trash bin", "large bin", "big bin")
    return ObjectSpec("open_box", params, "floor_bin", colour, nouns, ("garbage container",))


SPECS_BY_CATEGORY: dict[str, tuple[ObjectSpec, ...]] = {
    "tray": (
        _make_tray((0.31, 0.19, 0.03), "brown", "tan", "tan"),
        _make_tray((0.31, 0.20, 0.026), "red", "maroon"),
        _make_tray((0.30, 0.19, 0.032), "charcoal", "silver"),
        _make_tray((0.32, 0.21, 0.028), "teal", "turquoise", "cream"),
        _make_tray((0.315, 0.195, 0.03), "beige", "white", "white"),
    ),
    "bread_basket": (
        _make_bread_basket((0.19, 0.14, 0.064), "tan", "brown", "cream", (0.3, 0.7)),
        _make_bread_basket((0.19, 0.15, 0.06), "brown", "tan", "beige", (0.25, 0.5, 0.75)),
        _make_bread_basket((0.20, 0.14, 0.056), "beige", "olive", "white", (0.5,)),
        _make_bread_basket((0.185, 0.145, 0.066), "gold", "maroon", "cream", (0.8,)),
        _make_bread_basket((0.195, 0.15, 0.062), "charcoal", "grey", "red", (0.3, 0.7)),
    ),
    "plastic_box": (
        _make_plastic_box((0.155, 0.19, 0.075), "sky", "blue"),
        _make_plastic_box((0.155, 0.19, 0.07), "white", "grey", (0.8,)),
        _make_plastic_box((0.16, 0.195, 0.075), "lime", "green"),
        _make_plastic_box((0.158, 0.192, 0.078), "coral", "red", (0.5,)),
        _make_plastic_box((0.155, 0.195, 0.066), "grey", "black"),
    ),
    "handled_basket": (
        _make_handled_basket((0.23, 0.144, 0.175), 0.075, "tan", "brown", (0.3, 0.75)),
        _make_handled_basket((0.23, 0.15, 0.18), 0.07, "red", "charcoal", (0.85,)),
        _make_handled_basket((0.235, 0.146, 0.175), 0.068, "beige", "olive", (0.25, 0.5, 0.75)),
        _make_handled_basket((0.24, 0.15, 0.17), 0.066, "sky", "navy", (0.5,)),
        _make_handled_basket((0.232, 0.148, 0.178), 0.072, "lime", "brown", (0.4, 0.8)),
    ),
    "shoe_box": (
        _make_shoe_box((0.26, 0.20, 0.05), "beige", "orange", "white"),
        _make_shoe_box((0.26, 0.20, 0.054), "white", "black", "cream"),
        _make_shoe_box((0.265, 0.202, 0.05), "brown", "red", "beige"),
    ),
    "floor_bin": (
        _make_floor_bin("grey", "charcoal"),
        _make_floor_bin("green", "black"),
        _make_floor_bin("navy", "grey"),
    ),
}
