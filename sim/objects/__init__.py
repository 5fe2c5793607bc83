"""The families of parametric objects, one file a group."""

from sim.objects import articulated as hinged
from sim.objects import boxes, rods, round, stands, tools
from sim.objects import desk_and_food as small
from sim.objects import handles as handled
from sim.objects import open_boxes as containers
from sim.objects import vessels as shells
from sim.objects.base import FAMILIES, Form, Grasp, Part, form_of

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
