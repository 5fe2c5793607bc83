"""What is said: instructions whose slots are filled with descriptions of the objects and the arms."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sim.task.spec import ObjectSpec, SpecError, Task

SLOT_PATTERN = re.compile(r"\{([^{}]*)\}")
# along x, along y: the first, the last, and one between them
PLACE_WORDS = (("left", "right", "{ordinal} {noun} from the left"), ("near", "far", "{ordinal} nearest {noun}"))
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
UNSEEN_VARIATION = "random-eval"  # the variation that speaks words kept for evaluation


@dataclass(frozen=True)
class ObjectDescription:
    """An object of a scene: its shape, the name of its colour, whether it is always called by it, and where it is."""

    spec: ObjectSpec
    colour: str
    colour_disambiguates: bool
    position: tuple[float, float] = (0.0, 0.0)  # x and y on the table, metres

    def list_nouns(self, unseen: bool) -> tuple[str, ...]:
        """Nouns that it may be called, without colour or article."""
        spec = self.spec
        return (spec.unseen if unseen else spec.nouns) or spec.nouns or (spec.category or spec.family,)

    def list_phrases(self, unseen: bool, others: Sequence[ObjectDescription] = ()) -> tuple[str, ...]:
        """All that it may be called, article included, and that no one of `others` may be called too.

        A noun that it shares with another needs the colour; where the colours are the same too, the place says which.
        """
        nouns = self.list_nouns(unseen)
        rivals = {noun: [other for other in others if noun in other.list_nouns(unseen)] for noun in nouns}
        plain_nouns = () if self.colour_disambiguates else nouns
        phrases = [f"the {noun}" for noun in plain_nouns if not rivals[noun]]
        for noun in nouns:
            if all(rival.colour != self.colour for rival in rivals[noun]):
                phrases.append(f"the {self.colour} {noun}")
        return tuple(phrases) or tuple(f"the {self._describe_place(noun, rivals[noun])}" for noun in nouns)

    def _describe_place(self, noun: str, rivals: Sequence[ObjectDescription]) -> str:
        """Noun with its place among its rivals, along the axis on which they are spread more: "left can"."""
        positions = [self.position, *(rival.position for rival in rivals)]
        spreads = [max(values) - min(values) for values in zip(*positions, strict=True)]
        axis = 0 if spreads[0] >= spreads[1] else 1
        rank = sum(rival.position[axis] < self.position[axis] for rival in rivals)
        first, last, in_order = PLACE_WORDS[axis]
        if rank in (0, len(rivals)):
            return f"{first if rank == 0 else last} {noun}"
        if len(rivals) == 2:
            return f"middle {noun}"
        return in_order.format(ordinal=ORDINALS[rank] if rank < len(ORDINALS) else f"{rank + 1}th", noun=noun)


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
        others = [description for name, description in descriptions.items() if name != slot]
        phrases = descriptions[slot].list_phrases(unseen, others)
        return phrases[rng.integers(len(phrases))]

    return SLOT_PATTERN.sub(fill_slot, template)
