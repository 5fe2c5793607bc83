"""One contract for every task on every robot that can do it."""

import dataclasses
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from sim import robots, tasks
from sim.env import Env
from sim.expert import Expert
from sim.record import record
from sim.scene.layout import draw
from sim.skills import SKILLS
from sim.spec import Skill, SpecError, Task, Term, from_json, to_json
from sim.terms import TERMS
from sim.types import UserError

PAIRS = [(t, r) for t, r in product(tasks.names(), robots.names())
         if tasks.load(t).arms_needed <= len(robots.load(r).arms)]


@pytest.mark.parametrize("name", tasks.names())
def test_json_and_back(name: str) -> None:
    task = tasks.load(name)
    assert task.name == name
    assert from_json(to_json(task)) == task


@pytest.mark.parametrize("name", tasks.names())
def test_speaks_the_vocabulary(name: str) -> None:
    task = tasks.load(name)
    assert {term.name for term in task.success} <= set(TERMS)
    assert {skill.name for item in task.plan for skill in (item, *item.alongside)} <= set(SKILLS)


@pytest.mark.parametrize(("name", "robot"), PAIRS)
def test_solved_by_its_plan_and_not_before(name: str, robot: str) -> None:
    env = Env(tasks.load(name), robots.load(robot), n=4)
    env.reset(range(4))
    still = np.tile(np.array(env.robot.home), (4, 1, 1))
    assert not env.advance(still).success.any()
    expert = Expert(env)
    while not (env.done | expert.finished).all():
        step = env.advance(expert.act().actions)
    assert step.success.all()
    assert all("{" not in words for words in env.instruction)
    env.close()


@pytest.mark.parametrize(("name", "robot"), PAIRS)
def test_every_instruction_can_be_said(name: str, robot: str) -> None:
    task = tasks.load(name)
    for template in task.instructions:
        layout = draw(dataclasses.replace(task, instructions=(template,)), robots.load(robot), 0)
        assert layout.instruction and "{" not in layout.instruction


@pytest.mark.parametrize(("name", "robot"), PAIRS)
def test_a_seed_is_an_episode_whatever_the_batch(name: str, robot: str) -> None:
    task, body = tasks.load(name), robots.load(robot)
    together = {e.seed: e for e in record(task, body, [3, 4, 5], ("head",), (32, 32))}
    (alone,) = record(task, body, [4], ("head",), (32, 32))
    for field in dataclasses.fields(alone):
        np.testing.assert_equal(vars(together[4])[field.name] if field.name != "events" else
                                [dataclasses.astuple(e) for e in together[4].events],
                                vars(alone)[field.name] if field.name != "events" else
                                [dataclasses.astuple(e) for e in alone.events])


def spoiled(**changes: object) -> Task:
    return dataclasses.replace(tasks.load("click_bell"), **changes)


def run_once(task: Task) -> None:
    env = Env(task, robots.load("panda"))
    env.reset([0])
    env.advance(Expert(env).act().actions)


@pytest.mark.parametrize(("task", "complaint"), [
    (spoiled(success=(Term("shiny", {}),)), "unknown term 'shiny'; valid: at, near"),
    (spoiled(success=(Term("opened", {"joint": "bell.top", "much": 1}),)), "unexpected keyword argument 'much'"),
    (spoiled(success=(Term("near", {"a": "bell.hat", "b": "bell.top"}),)), "unknown point 'bell.hat'; valid: bell.bo"),
    (spoiled(plan=(Skill("juggle", {}),)), "unknown skill 'juggle'; valid: carry, home"),
    (spoiled(instructions=("hit it with {z}",)), "unknown slot 'z'"),
])
def test_what_the_vocabulary_lacks_is_named(task: Task, complaint: str) -> None:
    with pytest.raises(SpecError, match=complaint):
        run_once(task)


def test_a_robot_with_too_few_arms_is_refused() -> None:
    with pytest.raises(UserError, match="needs 2 arms; robot 'panda' has 1"):
        Env(tasks.load("handover_block"), robots.load("panda"))


@pytest.mark.parametrize(("load", "message"), [
    (tasks.load, "unknown task 'click_bel'; did you mean 'click_bell'"),
    (robots.load, "unknown robot 'click_bel'; valid: aloha, panda"),
])
def test_unknown_names_are_answered_with_the_valid_ones(load: Callable[[str], object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load("click_bel")
