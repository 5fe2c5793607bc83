"""What is said: instructions whose slots are filled with descriptions of the objects and the arms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sim.task.spec import Shape, SpecError, Task

SLOT = re.compile(r"\{([^{}]*)\}")
UNSEEN = "random-eval"  # the variation that speaks words kept for evaluation


@dataclass(frozen=True)
class Named:
    """An object of a scene: its shape, the name of its colour, and whether that colour tells it from others."""

    shape: Shape
    colour: str
    telling: bool

    def descriptions(self, unseen: bool) -> tuple[str, ...]:
        """Return all that it may be called, article included."""
        shape = self.shape
        nouns = (shape.unseen if unseen else shape.nouns) or shape.nouns or (shape.kind or shape.family,)
        plain = () if self.telling else tuple(f"the {noun}" for noun in nouns)
        return plain + tuple(f"the {self.colour} {noun}" for noun in nouns)


def slots(template: str) -> Iterator[str]:
    """Yield the slots of a template."""
    return (match.group(1) for match in SLOT.finditer(template))


def instruction(
    task: Task, names: dict[str, Named], arms: dict[str, str], kind: str, rng: np.random.Generator
) -> str:
    """Return an instruction with every slot filled; `SpecError` where none of the task's fits the scene.

    Templates that speak of absent objects are passed over.
    """
    unseen = kind == UNSEEN
    absent = {thing.name for thing in task.objects} - set(names)
    pool = (task.unseen if unseen else ()) or task.instructions
    fit = [t for t in pool if not any(slot.partition(".")[0] in absent for slot in slots(t))]
    if not fit:
        raise SpecError(f"task {task.name!r}: every instruction names an absent object: {', '.join(sorted(absent))}")
    template = fit[rng.integers(len(fit))]

    def fill(match: re.Match[str]) -> str:
        slot, _, detail = match.group(1).partition(".")
        if slot in arms and not detail:
            return arms[slot]
        if slot not in names or detail not in ("", "colour"):
            valid = ", ".join([*arms, *names, *(f"{name}.colour" for name in names)])
            raise SpecError(f"task {task.name!r}: unknown slot {match.group(1)!r} in {template!r}; valid: {valid}")
        if detail:
            return names[slot].colour
        said = names[slot].descriptions(unseen)
        return said[rng.integers(len(said))]

    return SLOT.sub(fill, template)
