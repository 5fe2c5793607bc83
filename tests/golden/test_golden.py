"""What users and scripts rely on stays as it is: flags of every verb, the fields of run.json, the course of a roll-out.

A change that is meant: run this file with AIM_GOLDEN=write, and look at the difference before it is kept.
"""

from __future__ import annotations

import inspect
import json
import os
from importlib import import_module
from pathlib import Path

import numpy as np

from aim import cli, config, presets
from sim import robots, tasks
from sim.envs.env import Env
from sim.expert.policy import ExpertPolicy

KEPT = Path(__file__).with_name("golden.json")


def same(name: str, found: object) -> bool:
    """Tell whether `found` is what was kept under `name`; write it down instead where that is asked for."""
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    if os.environ.get("AIM_GOLDEN") == "write":
        KEPT.write_text(json.dumps({**kept, name: found}, indent=1, sort_keys=True) + "\n")
        return True
    return kept[name] == found


def flags(where: str) -> list[str]:
    module, _, function = where.partition(":")
    return sorted(inspect.signature(vars(import_module(module))[function]).parameters)


def test_flags_of_every_verb() -> None:
    assert same("flags", {verb.name: flags(verb.target) for verb in cli.VERBS})


def keys(value: object) -> object:
    return {key: keys(inner) for key, inner in value.items()} if isinstance(value, dict) else type(value).__name__


def test_fields_of_a_run() -> None:
    run = presets.tiny("panda", ("head", "wrist"), 8, 8)
    assert same("run", keys(json.loads(config.encode_run(run))))


def test_course_of_a_rollout() -> None:
    env = Env(tasks.load_task("place_empty_cup"), robots.load_robot("panda"))
    env.reset([0])
    expert = ExpertPolicy(env)
    while not env.done.all():
        env.step(expert.act().actions)
    cup = env.view.position("cup")[0]
    # to the millimetre: processors differ in the last bits
    assert same("rollout", {"steps": int(env.steps[0]), "cup_mm": np.round(cup * 1000).astype(int).tolist()})
