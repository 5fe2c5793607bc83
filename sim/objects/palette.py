"""The colours there are, by the names that people use for them: RGB, 0 to 1."""

from sim.embodiment.model import Vector

PALETTE: dict[str, Vector] = {
    "red": (0.78, 0.12, 0.11),
    "green": (0.13, 0.55, 0.19),
    "blue": (0.12, 0.26, 0.72),
    "yellow": (0.93, 0.80, 0.16),
    "cyan": (0.16, 0.75, 0.80),
    "magenta": (0.78, 0.17, 0.62),
    "black": (0.06, 0.06, 0.07),
    "grey": (0.50, 0.51, 0.53),
    "orange": (0.93, 0.49, 0.11),
    "purple": (0.44, 0.17, 0.60),
    "brown": (0.42, 0.26, 0.14),
    "pink": (0.94, 0.59, 0.69),
    "cream": (0.95, 0.90, 0.77),
    "lime": (0.58, 0.83, 0.17),
    "olive": (0.46, 0.46, 0.15),
    "teal": (0.07, 0.46, 0.47),
    "maroon": (0.42, 0.08, 0.13),
    "navy": (0.09, 0.12, 0.36),
    "turquoise": (0.25, 0.80, 0.70),
    "coral": (0.95, 0.47, 0.37),
    "beige": (0.85, 0.77, 0.62),
    "tan": (0.74, 0.58, 0.40),
    "crimson": (0.70, 0.06, 0.22),
    "white": (0.93, 0.93, 0.92),
    "silver": (0.72, 0.73, 0.75),
    "gold": (0.80, 0.66, 0.26),
    "charcoal": (0.20, 0.21, 0.23),
    "sky": (0.52, 0.73, 0.92),
}
MAT_COLOURS = tuple(name for name in PALETTE if name not in ("white", "silver", "gold", "charcoal", "sky"))  # 23
