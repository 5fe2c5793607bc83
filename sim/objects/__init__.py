"""The families of parametric objects, one file a group, found by file name."""

from sim.objects.base import FAMILIES, Grasp, ObjectModel, ObjectPart, build_object, register_family

__all__ = ["FAMILIES", "Grasp", "ObjectModel", "ObjectPart", "build_object", "register_family"]
