"""What is said: instructions whose slots are filled with descriptions of the objects and the arms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sim.task.spec import ObjectSpec, SpecError, Task

SLOT_PATTERN = re.compile(r"\{([^{}]*)\}")
UNSEEN_VARIATION = "random-eval"  # the variation that speaks words kept for evaluation


@dataclass(frozen=True)
class ObjectDescription:
    """An object of a scene: its shape, the name of its colour, and whether that colour tells it from others."""

    spec: ObjectSpec
    colour: str
    colour_disambiguates: bool

    def list_phrases(self, unseen: bool) -> tuple[str, ...]:
        """Return all that it may be called, article included."""
        spec = self.spec
        nouns = (spec.unseen if unseen else spec.nouns) or spec.nouns or (spec.kind or spec.family,)
        plain_phrases = () if self.colour_disambiguates else tuple(f"the {noun}" for noun in nouns)
        return plain_phrases + tuple(f"the {self.colour} {noun}" for noun in nouns)


def find_slots(template: str) -> Iterator[str]:
    """Yield the slots of a template."""
    return (match.group(1) for match in SLOT_PATTERN.finditer(template))


def sample_instruction(
    task: Task,
    descriptions: dict[str, ObjectDescription],
    arm_phrases: dict[str, str],
    variation: str,
    rng: np.random.Generator,
) -> str:
    """Return an instruction with every slot filled; `SpecError` where none of the task's fits the scene.

    Templates that speak of absent objects are passed over.
    """
    unseen = variation == UNSEEN_VARIATION
    absent = {task_object.name for task_object in task.objects} - set(descriptions)
    templates = (task.unseen if unseen else ()) or task.instructions
    usable_templates = [
        candidate
        for candidate in templates
        if not any(slot.partition(".")[0] in absent for slot in find_slots(candidate))
    ]
    if not usable_templates:
        raise SpecError(f"task {task.name!r}: every instruction names an absent object: {', '.join(sorted(absent))}")
    template = usable_templates[rng.integers(len(usable_templates))]

    def fill_slot(match: re.Match[str]) -> str:
        slot, _, attribute = match.group(1).partition(".")
        if slot in arm_phrases and not attribute:
            return arm_phrases[slot]
        if slot not in descriptions or attribute not in ("", "colour"):
            valid = ", ".join([*arm_phrases, *descriptions, *(f"{name}.colour" for name in descriptions)])
            raise SpecError(f"task {task.name!r}: unknown slot {match.group(1)!r} in {template!r}; valid: {valid}")
        if attribute:
            return descriptions[slot].colour
        phrases = descriptions[slot].list_phrases(unseen)
        return phrases[rng.integers(len(phrases))]

    return SLOT_PATTERN.sub(fill_slot, template)
