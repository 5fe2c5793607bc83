"""Round odds and ends: pill bottles, stamps, microphones, bells, balls, waste bins."""

from sim.embodiment.model import Vector
from sim.task.spec import ObjectSpec, Value

WHITE_RGB, DARK_RGB, STEEL_RGB, DARK_WOOD_RGB = (
    (0.92, 0.92, 0.90),
    (0.10, 0.10, 0.11),
    (0.62, 0.63, 0.65),
    (0.45, 0.28, 0.15),
)


def _make_pill_bottle(colour: str, cap: Vector, label: Vector, radius: float, height: float, neck: float) -> ObjectSpec:
    params = {"radius": radius, "height": height, "neck": neck, "neck_height": 0.024, "shoulder": 0.006, "cap": cap}
    nouns = ("pill bottle", "medicine bottle", "tablet bottle", "bottle of pills")
    return ObjectSpec(
        "bottle", {**params, "label": label, "band": 0.6}, "pill_bottle", colour, nouns, ("vitamin bottle",)
    )


def _make_seal(colour: str, radius: float, height: float, **params: Value) -> ObjectSpec:
    nouns = ("seal", "stamp", "rubber stamp", "stamp with a knob")
    return ObjectSpec("seal", {"radius": radius, "height": height, **params}, "seal", colour, nouns, ("ink stamp",))


def _make_microphone(
    colour: str, head: float, grip: float, mesh: Vector, band: Vector, length: float = 0.163
) -> ObjectSpec:
    params = {"length": length, "head": head, "grip": grip, "mesh": mesh, "band": band}
    nouns = ("microphone", "mic", "hand microphone", "singer's microphone")
    return ObjectSpec("microphone", params, "microphone", colour, nouns, ("handheld mic",))


def _make_bell(colour: str, radius: float, height: float) -> ObjectSpec:
    nouns = ("bell", "desk bell", "service bell", "call bell")
    return ObjectSpec("bell", {"radius": radius, "height": height}, "bell", colour, nouns, ("reception bell",))


def _make_desk_bin(colour: str, radius: float, height: float, base: float) -> ObjectSpec:
    nouns = ("desk bin", "small bin", "waste bin", "rubbish bin")
    params = {"radius": radius, "height": height, "base": base}
    return ObjectSpec("desk_bin", params, "desk_bin", colour, nouns, ("trash can",))


SPECS_BY_CATEGORY: dict[str, tuple[ObjectSpec, ...]] = {
    "pill_bottle": (
        _make_pill_bottle("orange", WHITE_RGB, WHITE_RGB, 0.0250, 0.090, 0.021),
        _make_pill_bottle("white", (0.15, 0.30, 0.66), (0.75, 0.20, 0.16), 0.0250, 0.086, 0.020),
        _make_pill_bottle("brown", DARK_RGB, (0.93, 0.88, 0.74), 0.0240, 0.092, 0.019),
        _make_pill_bottle("green", WHITE_RGB, (0.93, 0.78, 0.15), 0.0260, 0.088, 0.022),
        _make_pill_bottle("navy", (0.72, 0.73, 0.75), WHITE_RGB, 0.0245, 0.095, 0.020),
    ),
    "seal": (
        _make_seal("maroon", 0.0275, 0.096),
        _make_seal("blue", 0.0265, 0.092, wood=DARK_RGB),
        _make_seal("tan", 0.0275, 0.090, knob=0.017, foot=0.35),
        _make_seal("charcoal", 0.0260, 0.096, knob=0.015, wood=STEEL_RGB),
        _make_seal("teal", 0.0280, 0.094, foot=0.45, wood=(0.80, 0.66, 0.26)),
    ),
    "microphone": (
        _make_microphone("black", 0.0270, 0.0150, STEEL_RGB, (0.35, 0.36, 0.38)),
        _make_microphone("silver", 0.0260, 0.0145, (0.25, 0.26, 0.28), DARK_RGB),
        _make_microphone("gold", 0.0275, 0.0155, (0.85, 0.80, 0.62), DARK_RGB),
        _make_microphone("blue", 0.0270, 0.0150, (0.16, 0.17, 0.19), STEEL_RGB, length=0.166),
        _make_microphone("pink", 0.0255, 0.0145, WHITE_RGB, (0.80, 0.66, 0.26), length=0.160),
    ),
    "bell": (
        _make_bell("gold", 0.0360, 0.050),
        _make_bell("silver", 0.0340, 0.052),
        _make_bell("red", 0.0350, 0.048),
        _make_bell("teal", 0.0320, 0.046),
        _make_bell("white", 0.0330, 0.056),
    ),
    "ball": tuple(
        ObjectSpec(
            "ball", {"radius": 0.008}, "ball", colour, ("ball", "small ball", "paper ball", "little ball"), ("bead",)
        )
        for colour in ("orange", "white", "blue", "yellow", "pink")
    ),
    "desk_bin": (
        _make_desk_bin("charcoal", 0.0775, 0.132, 0.066),
        _make_desk_bin("blue", 0.0775, 0.128, 0.070),
        _make_desk_bin("green", 0.0760, 0.135, 0.062),
        _make_desk_bin("white", 0.0780, 0.130, 0.066),
        _make_desk_bin("red", 0.0770, 0.126, 0.064),
        _make_desk_bin("purple", 0.0765, 0.134, 0.068),
    ),
}
