"""The families of parametric objects, one file a group."""

from sim.objects import (
    articulated,
    boxes,
    desk_and_food,
    handles,
    open_boxes,
    rods,
    round,
    stands,
    tools,
    vessels,
)
from sim.objects.base import FAMILIES, Grasp, ObjectModel, ObjectPart, build_object

__all__ = [
    "FAMILIES",
    "Grasp",
    "ObjectModel",
    "ObjectPart",
    "articulated",
    "boxes",
    "build_object",
    "desk_and_food",
    "handles",
    "open_boxes",
    "rods",
    "round",
    "stands",
    "tools",
    "vessels",
]
