"""Stands, racks and what opens or turns."""

from __future__ import annotations

from sim.task.spec import ObjectSpec, Value

FURNITURE_NOUNS = {
    "display_stand": (("display stand", "stand", "pedestal", "display platform"), ("plinth", "raised platform")),
    "phone_stand": (("phone stand", "phone holder", "smartphone stand", "stand for the phone"), ("mobile holder",)),
    "scale": (("scale", "kitchen scale", "electronic scale", "weighing scale"), ("digital scale", "weighing machine")),
    "rack": (("rack", "mug rack", "mug holder", "cup rack"), ("mug tree", "hanger for mugs")),
    "laptop": (("laptop", "notebook computer", "laptop computer", "portable computer"), ("notebook",)),
    "microwave": (("microwave", "microwave oven", "oven with a side door"), ("kitchen microwave",)),
    "switch": (("switch", "rocker switch", "light switch", "power switch"), ("toggle", "wall switch")),
    "cabinet": (("cabinet", "drawer cabinet", "chest of drawers", "drawer unit"), ("dresser", "storage cabinet")),
}


def _make_spec(category: str, colour: str, **params: Value) -> ObjectSpec:
    nouns, unseen = FURNITURE_NOUNS[category]
    return ObjectSpec(category, params, category=category, colour=colour, nouns=nouns, unseen=unseen)


SPECS_BY_CATEGORY: dict[str, tuple[ObjectSpec, ...]] = {
    "display_stand": (
        _make_spec("display_stand", "brown", width=0.19, depth=0.106, height=0.074),
        _make_spec("display_stand", "white", width=0.14, depth=0.12, height=0.050),
        _make_spec("display_stand", "tan", width=0.13, depth=0.13, height=0.040, circle=True),
        _make_spec("display_stand", "charcoal", width=0.12, depth=0.12, height=0.060),
        _make_spec("display_stand", "navy", width=0.16, depth=0.11, height=0.045),
    ),
    "phone_stand": (
        _make_spec("phone_stand", "silver"),
        _make_spec("phone_stand", "charcoal", width=0.076, height=0.105, slope=1.20),
        _make_spec("phone_stand", "tan", width=0.084, depth=0.086, height=0.095, slope=1.15),
        _make_spec("phone_stand", "pink", width=0.080, height=0.100, slope=1.13),
        _make_spec("phone_stand", "white", width=0.074, depth=0.078, height=0.102, slope=1.18),
    ),
    "scale": (
        _make_spec("scale", "white"),
        _make_spec("scale", "charcoal", width=0.125, depth=0.160, height=0.034),
        _make_spec("scale", "sky", width=0.120, depth=0.165, height=0.038, circle=True),
        _make_spec("scale", "red", width=0.110, depth=0.150, height=0.032, circle=True),
        _make_spec("scale", "lime", width=0.130, depth=0.170, height=0.040),
    ),
    "rack": (
        _make_spec("rack", "tan"),
        _make_spec("rack", "charcoal", width=0.14, height=0.27, slope=0.50),
        _make_spec("rack", "white", depth=0.13, height=0.25, slope=0.44),
    ),
    "laptop": (
        _make_spec("laptop", "silver", width=0.19, depth=0.13),
        _make_spec("laptop", "charcoal", width=0.21, depth=0.14),
        _make_spec("laptop", "white", width=0.17, depth=0.12),
        _make_spec("laptop", "navy", width=0.20, depth=0.135, thickness=0.012),
        _make_spec("laptop", "maroon", width=0.18, depth=0.125, thickness=0.016),
        _make_spec("laptop", "grey", width=0.22, depth=0.145, lid=0.007),
    ),
    "microwave": (
        _make_spec("microwave", "silver"),
        _make_spec("microwave", "white", width=0.34, depth=0.24, height=0.19, panel=0.070),
        _make_spec("microwave", "charcoal", width=0.36, depth=0.25, height=0.21, panel=0.080),
        _make_spec("microwave", "cream", width=0.35, depth=0.245, height=0.195, panel=0.078),
        _make_spec("microwave", "maroon", width=0.345, depth=0.25, height=0.205, panel=0.072),
    ),
    "switch": (
        _make_spec("switch", "white"),
        _make_spec("switch", "grey", height=0.094, plate=0.080, rocker=(0.040, 0.064)),
        _make_spec("switch", "cream", height=0.100, plate=0.088, rocker=(0.046, 0.070)),
        _make_spec("switch", "navy", height=0.102, rocker=(0.038, 0.064)),
        _make_spec("switch", "charcoal", height=0.104, plate=0.090, rocker=(0.050, 0.072)),
        _make_spec("switch", "teal", height=0.096, plate=0.082, swing=0.50),
    ),
    "cabinet": (
        _make_spec("cabinet", "beige"),
        _make_spec("cabinet", "white", width=0.23, height=0.38),
        _make_spec("cabinet", "navy", width=0.25, height=0.40),
    ),
}
