"""Round odds and ends: pill bottles, stamps, microphones, bells, balls, waste bins."""

from sim.embodiment.model import Vector
from sim.task.spec import Shape, Value

WHITE, DARK, STEEL, WOOD = (0.92, 0.92, 0.90), (0.10, 0.10, 0.11), (0.62, 0.63, 0.65), (0.45, 0.28, 0.15)


def _pills(colour: str, cap: Vector, label: Vector, radius: float, height: float, neck: float) -> Shape:
    size = {"radius": radius, "height": height, "neck": neck, "neck_height": 0.024, "shoulder": 0.006, "cap": cap}
    nouns = ("pill bottle", "medicine bottle", "tablet bottle", "bottle of pills")
    return Shape("bottle", {**size, "label": label, "band": 0.6}, "pill_bottle", colour, nouns, ("vitamin bottle",))


def _seal(colour: str, radius: float, height: float, **params: Value) -> Shape:
    nouns = ("seal", "stamp", "rubber stamp", "stamp with a knob")
    return Shape("seal", {"radius": radius, "height": height, **params}, "seal", colour, nouns, ("ink stamp",))


def _microphone(colour: str, head: float, grip: float, mesh: Vector, band: Vector, length: float = 0.163) -> Shape:
    size = {"length": length, "head": head, "grip": grip, "mesh": mesh, "band": band}
    nouns = ("microphone", "mic", "hand microphone", "singer's microphone")
    return Shape("microphone", size, "microphone", colour, nouns, ("handheld mic",))


def _bell(colour: str, radius: float, height: float) -> Shape:
    nouns = ("bell", "desk bell", "service bell", "call bell")
    return Shape("bell", {"radius": radius, "height": height}, "bell", colour, nouns, ("reception bell",))


def _bin(colour: str, radius: float, height: float, base: float) -> Shape:
    nouns = ("desk bin", "small bin", "waste bin", "rubbish bin")
    size = {"radius": radius, "height": height, "base": base}
    return Shape("desk_bin", size, "desk_bin", colour, nouns, ("trash can",))


KINDS: dict[str, tuple[Shape, ...]] = {
    "pill_bottle": (
        _pills("orange", WHITE, WHITE, 0.0250, 0.090, 0.021),
        _pills("white", (0.15, 0.30, 0.66), (0.75, 0.20, 0.16), 0.0250, 0.086, 0.020),
        _pills("brown", DARK, (0.93, 0.88, 0.74), 0.0240, 0.092, 0.019),
        _pills("green", WHITE, (0.93, 0.78, 0.15), 0.0260, 0.088, 0.022),
        _pills("navy", (0.72, 0.73, 0.75), WHITE, 0.0245, 0.095, 0.020),
    ),
    "seal": (
        _seal("maroon", 0.0275, 0.096),
        _seal("blue", 0.0265, 0.092, wood=DARK),
        _seal("tan", 0.0275, 0.090, knob=0.017, foot=0.35),
        _seal("charcoal", 0.0260, 0.096, knob=0.015, wood=STEEL),
        _seal("teal", 0.0280, 0.094, foot=0.45, wood=(0.80, 0.66, 0.26)),
    ),
    "microphone": (
        _microphone("black", 0.0270, 0.0150, STEEL, (0.35, 0.36, 0.38)),
        _microphone("silver", 0.0260, 0.0145, (0.25, 0.26, 0.28), DARK),
        _microphone("gold", 0.0275, 0.0155, (0.85, 0.80, 0.62), DARK),
        _microphone("blue", 0.0270, 0.0150, (0.16, 0.17, 0.19), STEEL, length=0.166),
        _microphone("pink", 0.0255, 0.0145, WHITE, (0.80, 0.66, 0.26), length=0.160),
    ),
    "bell": (
        _bell("gold", 0.0360, 0.050),
        _bell("silver", 0.0340, 0.052),
        _bell("red", 0.0350, 0.048),
        _bell("teal", 0.0320, 0.046),
        _bell("white", 0.0330, 0.056),
    ),
    "ball": tuple(
        Shape("ball", {"radius": 0.008}, "ball", colour, ("ball", "small ball", "paper ball", "little ball"), ("bead",))
        for colour in ("orange", "white", "blue", "yellow", "pink")
    ),
    "desk_bin": (
        _bin("charcoal", 0.0775, 0.132, 0.066),
        _bin("blue", 0.0775, 0.128, 0.070),
        _bin("green", 0.0760, 0.135, 0.062),
        _bin("white", 0.0780, 0.130, 0.066),
        _bin("red", 0.0770, 0.126, 0.064),
        _bin("purple", 0.0765, 0.134, 0.068),
    ),
}
