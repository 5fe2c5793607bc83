"""Mutations of real tasks, and what became of a mutated one: refused with one line, or playable."""

from __future__ import annotations

import json
import random
import re
from typing import Any

from sim import robots, tasks
from sim.envs.settle import SceneFailure, settle_scenes
from sim.task.spec import SpecError, to_json
from sim.task.validate import parse_task_json
from sim.world import make_world

FILE = "mutated.json"
REFUSAL = re.compile(rf"{FILE}:[1-9]\d*: [^\n]+")
OTHER_VALUES: tuple[Any, ...] = (
    None, True, 0, 1, -1, 3, 0.5, 1e9, -1e9, float("nan"), float("inf"),
    "", "half", "4cm", "cup", "all", "any", "table",
    "a.b", "{x}", [], [0.1], [0.1, 0.2], [0.1, 0.2, 0.3], [0, 0, 0], ["a"], [[0.1, 0.2]], {},
    {"x": 1}, {"name": "near"},
)  # fmt: skip
FACTORS = (-1.0, 0.0, 1e-3, 0.1, 0.5, 2.0, 10.0, 1e4)

Node = dict[str, Any] | list[Any]


def mutate_task(name: str, seed: int) -> str:
    """JSON of a task of the project with one to three mutations; the same seed gives the same text."""
    rng = random.Random(f"{name} {seed}")
    raw = json.loads(to_json(tasks.load_unvalidated_task(name)))
    for _ in range(rng.randint(1, 3)):
        slots = list(_list_slots(raw))
        node, key = rng.choice(slots)
        _mutate(rng, node, key, slots)
    return json.dumps(raw, indent=1)


def _list_slots(node: Node) -> list[tuple[Node, Any]]:
    """All places (container, key) of a JSON value."""
    items = list(node.items()) if isinstance(node, dict) else list(enumerate(node))
    slots: list[tuple[Node, Any]] = []
    for key, value in items:
        slots.append((node, key))
        if isinstance(value, (dict, list)):
            slots += _list_slots(value)
    return slots


def _mutate(rng: random.Random, node: Node, key: Any, slots: list[tuple[Node, Any]]) -> None:  # noqa: ANN401
    value = node[key]
    if isinstance(value, (int, float)) and not isinstance(value, bool) and rng.random() < 0.5:
        scaled = value * rng.choice(FACTORS) + rng.choice((0.0, 0.0, 0.3, -0.3))
        node[key] = int(scaled) if isinstance(value, int) and rng.random() < 0.5 else scaled
        return
    match rng.choice(("replace", "swap", "drop", "repeat", "rename", "misspell")):
        case "replace":
            node[key] = rng.choice(OTHER_VALUES)
        case "swap":
            other, other_key = rng.choice(slots)
            if other_key in other if isinstance(other, dict) else other_key < len(other):
                node[key] = json.loads(json.dumps(other[other_key]))
        case "drop":
            del node[key]
        case "repeat" if isinstance(node, list):
            node.insert(key, json.loads(json.dumps(value)))
        case "rename" if isinstance(node, dict):
            node[f"{key}s"] = node.pop(key)
        case _ if isinstance(value, str):
            node[key] = value[:-1] if rng.random() < 0.5 else value + "x"
        case _:
            node[key] = rng.choice(OTHER_VALUES)


def try_task(text: str) -> str:
    """What becomes of a task's JSON: "refused", "no scene" or "runs". Any other exception than a refusal passes."""
    try:
        task = parse_task_json(text, FILE)
    except SpecError as error:
        assert REFUSAL.fullmatch(str(error)), f"not one line with file and line: {error}"
        return "refused"
    world = make_world("mujoco", task, robots.load_robot("aloha"), 1, 1)
    try:
        (result,) = settle_scenes(world, {0: 0}, "clean").values()
    finally:
        world.close()
    return "no scene" if isinstance(result, SceneFailure) else "runs"
