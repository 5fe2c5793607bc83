"""What is said of a scene: two things of one noun are told apart by colour or place."""

from __future__ import annotations

import itertools

import pytest

from sim import robots, tasks
from sim.scene import sample
from sim.scene.instructions import ObjectDescription, find_slots
from sim.task.spec import ObjectSpec

CAN = ObjectSpec("can", {"radius": 0.03, "height": 0.1}, category="can", nouns=("soda can", "drink"), unseen=("tin",))
BOX = ObjectSpec("block", {"size": (0.1, 0.1, 0.1)}, category="box", nouns=("box",))


def describe(colour: str, x: float = 0.0, y: float = 0.0, spec: ObjectSpec = CAN) -> ObjectDescription:
    return ObjectDescription(spec, colour, False, (x, y))


def test_a_thing_alone_needs_no_colour() -> None:
    can = describe("blue")
    assert can.list_phrases(False, [describe("red", spec=BOX)]) == can.list_phrases(False)
    assert can.list_phrases(False) == ("the soda can", "the drink", "the blue soda can", "the blue drink")


def test_two_of_one_noun_are_called_by_their_colours() -> None:
    assert describe("blue").list_phrases(False, [describe("red")]) == ("the blue soda can", "the blue drink")
    assert describe("blue").list_phrases(True, [describe("red")]) == ("the blue tin",)


def test_a_noun_of_its_own_is_enough() -> None:
    tea = ObjectSpec("can", CAN.params, category="can", nouns=("tea tin", "drink"))
    assert describe("blue").list_phrases(False, [describe("blue", spec=tea)]) == ("the soda can", "the blue soda can")


@pytest.mark.parametrize(("places", "says"), [
    ([(-0.2, 0.0), (0.2, 0.1)], ["the left soda can", "the right soda can"]),
    ([(0.1, 0.2), (0.0, -0.2)], ["the far soda can", "the near soda can"]),
    ([(0.2, 0.0), (-0.2, 0.0), (0.0, 0.0)], ["the right soda can", "the left soda can", "the middle soda can"]),
    ([(0.0, 0.0), (0.1, 0.0), (0.2, 0.0), (0.3, 0.0)],
     ["the left soda can", "the second soda can from the left",
      "the third soda can from the left", "the right soda can"]),
    ([(0.0, 0.0), (0.0, 0.1), (0.0, 0.2), (0.0, 0.3)],
     ["the near soda can", "the second nearest soda can", "the third nearest soda can", "the far soda can"]),
])  # fmt: skip
def test_equal_things_are_called_by_their_places(places: list[tuple[float, float]], says: list[str]) -> None:
    cans = [describe("blue", *place) for place in places]
    found = [can.list_phrases(False, [other for other in cans if other is not can])[0] for can in cans]
    assert found == says


@pytest.mark.parametrize("name", tasks.list_tasks())
def test_no_scene_of_a_task_gives_two_things_one_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    task, robot = tasks.load_unvalidated_task(name), robots.load_robot("aloha")
    seen: list[dict[str, ObjectDescription]] = []
    original = sample.instructions.sample_instruction

    def watch(task, descriptions, *rest) -> str:  # noqa: ANN001, ANN002
        seen.append(descriptions)
        return original(task, descriptions, *rest)

    monkeypatch.setattr(sample.instructions, "sample_instruction", watch)
    for seed in range(12):
        sample.sample_scene(task, robot, seed)
    spoken = {slot.partition(".")[0] for said in (*task.instructions, *task.unseen) for slot in find_slots(said)}
    for descriptions, unseen in itertools.product(seen, (False, True)):
        phrases = {
            thing: set(one.list_phrases(unseen, [other for other in descriptions.values() if other is not one]))
            for thing, one in descriptions.items()
        }
        for a, b in itertools.combinations(sorted(phrases), 2):
            assert not (spoken & {a, b}) or not phrases[a] & phrases[b], (a, b, phrases[a] & phrases[b])
