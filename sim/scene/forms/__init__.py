"""The families of parametric objects, one file a group."""

from sim.scene.forms import boxes, containers, handled, hinged, rods, round, shells, small, stands, tools
from sim.scene.forms.base import FAMILIES, Form, Grasp, Part, form_of

__all__ = [
    "FAMILIES",
    "Form",
    "Grasp",
    "Part",
    "boxes",
    "containers",
    "form_of",
    "handled",
    "hinged",
    "rods",
    "round",
    "shells",
    "small",
    "stands",
    "tools",
]
