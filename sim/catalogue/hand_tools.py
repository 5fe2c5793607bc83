"""Tools and small objects with a front."""

from __future__ import annotations

from sim.task.spec import ObjectSpec, Value

TOOL_NOUNS = {
    "hammer": (("hammer", "mallet", "hand hammer", "hammer with a handle"), ("striking tool",)),
    "scanner": (("scanner", "barcode scanner", "handheld scanner", "code reader"), ("scanning gun", "barcode gun")),
    "qr_sign": (("sign", "QR code sign", "code stand", "payment code sign"), ("QR code plate", "standing code board")),
    "fan": (("fan", "table fan", "desk fan", "small fan"), ("ventilator", "electric fan")),
    "alarm_clock": (("alarm clock", "clock", "desk clock", "bedside clock"), ("table clock", "wake-up clock")),
}


def _make_spec(category: str, colour: str, **params: Value) -> ObjectSpec:
    nouns, unseen = TOOL_NOUNS[category]
    return ObjectSpec(category, params, category=category, colour=colour, nouns=nouns, unseen=unseen)


SPECS_BY_CATEGORY: dict[str, tuple[ObjectSpec, ...]] = {
    "hammer": (
        _make_spec("hammer", "tan", length=0.20, head=(0.026, 0.030, 0.075), claw=True),
        _make_spec("hammer", "red", length=0.20, head=(0.026, 0.028, 0.070)),
        _make_spec("hammer", "yellow", length=0.19, head=(0.026, 0.030, 0.065), grip=0.026, claw=True),
        _make_spec("hammer", "brown", length=0.21, head=(0.028, 0.034, 0.085), grip=0.024, face="rubber"),
        _make_spec("hammer", "blue", length=0.18, head=(0.024, 0.028, 0.068), grip=0.020),
    ),
    "scanner": (
        _make_spec("scanner", "grey"),
        _make_spec("scanner", "blue", wide=0.050, height=0.090),
        _make_spec("scanner", "yellow", wide=0.042, back=0.094),
        _make_spec("scanner", "white", wide=0.048, back=0.095, height=0.082),
        _make_spec("scanner", "charcoal", wide=0.044, height=0.088),
    ),
    "qr_sign": (
        _make_spec("qr_sign", "white"),
        _make_spec("qr_sign", "blue", width=0.084, height=0.105, depth=0.038, pattern=1),
        _make_spec("qr_sign", "green", width=0.074, height=0.092, pattern=2),
        _make_spec("qr_sign", "charcoal", width=0.080, height=0.100, edge=0.012, pattern=3),
        _make_spec("qr_sign", "tan", width=0.070, height=0.095, depth=0.036, edge=0.016, pattern=4),
    ),
    "fan": (
        _make_spec("fan", "sky"),
        _make_spec("fan", "white", width=0.104, height=0.148, blades=4),
        _make_spec("fan", "pink", width=0.108, height=0.150, depth=0.080, blades=5),
        _make_spec("fan", "charcoal", width=0.116, height=0.160, depth=0.088, blades=4),
        _make_spec("fan", "lime", width=0.112, height=0.152, depth=0.082, blades=3),
    ),
    "alarm_clock": (
        _make_spec("alarm_clock", "red"),
        _make_spec("alarm_clock", "charcoal", width=0.17, depth=0.075, height=0.10, digital=True),
        _make_spec("alarm_clock", "teal", width=0.13, depth=0.070, height=0.12, button=0.014),
        _make_spec("alarm_clock", "cream", width=0.18, depth=0.080, height=0.11, digital=True),
        _make_spec("alarm_clock", "yellow", width=0.15, depth=0.075, height=0.115, button=0.013),
    ),
}
