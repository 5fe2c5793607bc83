"""Tools and small things with a front."""

from __future__ import annotations

from sim.task.spec import Shape, Value

NOUNS = {
    "hammer": (("hammer", "mallet", "hand hammer", "hammer with a handle"), ("striking tool",)),
    "scanner": (("scanner", "barcode scanner", "handheld scanner", "code reader"), ("scanning gun", "barcode gun")),
    "qr_sign": (("sign", "QR code sign", "code stand", "payment code sign"), ("QR code plate", "standing code board")),
    "fan": (("fan", "table fan", "desk fan", "small fan"), ("ventilator", "electric fan")),
    "alarm_clock": (("alarm clock", "clock", "desk clock", "bedside clock"), ("table clock", "wake-up clock")),
}


def _shape(kind: str, colour: str, **params: Value) -> Shape:
    nouns, unseen = NOUNS[kind]
    return Shape(kind, params, kind=kind, colour=colour, nouns=nouns, unseen=unseen)


KINDS: dict[str, tuple[Shape, ...]] = {
    "hammer": (
        _shape("hammer", "tan", length=0.20, head=(0.026, 0.030, 0.075), claw=True),
        _shape("hammer", "red", length=0.20, head=(0.026, 0.028, 0.070)),
        _shape("hammer", "yellow", length=0.19, head=(0.026, 0.030, 0.065), grip=0.026, claw=True),
        _shape("hammer", "brown", length=0.21, head=(0.028, 0.034, 0.085), grip=0.024, face="rubber"),
        _shape("hammer", "blue", length=0.18, head=(0.024, 0.028, 0.068), grip=0.020),
    ),
    "scanner": (
        _shape("scanner", "grey"),
        _shape("scanner", "blue", wide=0.050, height=0.090),
        _shape("scanner", "yellow", wide=0.042, back=0.094),
        _shape("scanner", "white", wide=0.048, back=0.095, height=0.082),
        _shape("scanner", "charcoal", wide=0.044, height=0.088),
    ),
    "qr_sign": (
        _shape("qr_sign", "white"),
        _shape("qr_sign", "blue", width=0.084, height=0.105, depth=0.038, pattern=1),
        _shape("qr_sign", "green", width=0.074, height=0.092, pattern=2),
        _shape("qr_sign", "charcoal", width=0.080, height=0.100, edge=0.012, pattern=3),
        _shape("qr_sign", "tan", width=0.070, height=0.095, depth=0.036, edge=0.016, pattern=4),
    ),
    "fan": (
        _shape("fan", "sky"),
        _shape("fan", "white", width=0.104, height=0.148, blades=4),
        _shape("fan", "pink", width=0.108, height=0.150, depth=0.080, blades=5),
        _shape("fan", "charcoal", width=0.116, height=0.160, depth=0.088, blades=4),
        _shape("fan", "lime", width=0.112, height=0.152, depth=0.082, blades=3),
    ),
    "alarm_clock": (
        _shape("alarm_clock", "red"),
        _shape("alarm_clock", "charcoal", width=0.17, depth=0.075, height=0.10, digital=True),
        _shape("alarm_clock", "teal", width=0.13, depth=0.070, height=0.12, button=0.014),
        _shape("alarm_clock", "cream", width=0.18, depth=0.080, height=0.11, digital=True),
        _shape("alarm_clock", "yellow", width=0.15, depth=0.075, height=0.115, button=0.013),
    ),
}
