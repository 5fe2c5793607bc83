"""What hands keep out of: the table, things, clutter and the other arm, where they are now."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scenes import GRIP, SceneUnderTest, make_grip_task

from sim import robots
from sim.embodiment.kinematics import KinematicChain
from sim.expert.obstacles import OBSTACLE_MARGIN_M, ObstacleSet
from sim.geometry import compose, make_pose, transform_points
from sim.task.spec import Predicate

ALOHA = robots.load_robot("aloha")
CHAINS = {arm.name: KinematicChain(arm) for arm in ALOHA.arms}
LIFTED = Predicate("raised", {"obj": "block", "low": 0.5})


@pytest.fixture(scope="module")
def scene() -> SceneUnderTest:
    """Return a scene with a block, clutter and two arms."""
    made = SceneUnderTest(make_grip_task(LIFTED), ALOHA, 0, "random")
    assert made.view.scene.visuals.distractors and made.view.scene.role_arms[GRIP] == "right"
    return made


def meets(scene: SceneUnderTest, point: NDArray, arm: str = "left", ignored: tuple[str, ...] = ()) -> bool:
    """Tell whether a point (3,) of the world is in something that an arm keeps out of."""
    return bool(ObstacleSet(scene.view, CHAINS).collect(arm, ignored).find_collisions(point[None, None])[0])


def test_clutter_and_table_are_in_the_way_and_the_air_is_not(scene: SceneUnderTest) -> None:
    for thing in scene.view.scene.visuals.distractors:
        for geom in thing.model.geoms:
            middle = compose(thing.pose, make_pose(geom.pos, geom.quat))[:3]
            assert not geom.collide or geom.ends or meets(scene, middle)
    top = scene.view.scene.table.top
    assert meets(scene, np.array((0.5, 0.3, top - 1e-4))) and not meets(scene, np.array((0.0, 0.0, top + 0.5)))


def test_a_thing_is_in_the_way_where_it_is_now_unless_it_is_ignored(scene: SceneUnderTest) -> None:
    half = 0.025 + OBSTACLE_MARGIN_M
    for spot in ((0.0, -0.1, 1.0), (0.1, -0.1, 1.2)):
        scene.put("block", spot)
        for shift, hit in (((half - 1e-4, 0, 0.025), True), ((half + 1e-4, 0, 0.025), False)):
            assert meets(scene, np.add(spot, shift)) == hit
        assert not meets(scene, np.add(spot, (0, 0, 0.025)), ignored=("block",))


@pytest.mark.parametrize("arm", ["left", "right"])
def test_the_other_arm_is_in_the_way_as_it_is_measured_and_the_own_is_not(scene: SceneUnderTest, arm: str) -> None:
    for model in ALOHA.arms:
        hand = scene.body_pose(f"{model.name}/hand")
        boxes = [geom for geom in model.links[-1].geoms if geom.collide and geom.type == "box"]
        corners = [transform_points(compose(hand, make_pose(g.pos, g.quat)), np.array(g.size) * 0.9) for g in boxes]
        assert corners and all(meets(scene, corner, arm) == (model.name != arm) for corner in corners)
