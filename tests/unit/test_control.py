"""Control modes move the robot by what an action says, in metres and radians."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import sim
from sim import robots
from sim.embodiment.kinematics import KinematicChain
from sim.embodiment.model import Embodiment
from sim.envs.control import CONTROL_MODES, EE_AXES, MAX_EE_SPEED_M_S, MAX_EE_SPEED_RAD_S, Controller
from sim.types import CONTROL_HZ, UserError

ROBOTS = robots.list_robots()


def home(robot: Embodiment, n: int = 1) -> NDArray[np.float64]:
    """Return the home command (n d)."""
    return np.tile(np.array(robot.home_action, float), (n, 1))


def far_from_singular(robot: Embodiment) -> NDArray[np.float64]:
    """Return a command (1 d) with each arm far from the ends of its joints and from singular postures.

    Of 500 postures drawn per arm, that with the largest least singular value of the Jacobian.
    """
    command, first, rng = home(robot), 0, np.random.default_rng(0)
    for arm in robot.arms:
        chain, joints = KinematicChain(arm), slice(first, first + len(arm.links))
        low, high = np.array([link.range for link in arm.links]).T
        postures = low + rng.uniform(0.2, 0.8, (500, len(arm.links))) * (high - low)
        jacobians = chain.forward_kinematics(postures)[2]
        command[0, joints] = postures[np.linalg.svd(jacobians, compute_uv=False)[:, -1].argmax()]
        first = joints.stop + 1
    return command


def still(controller: Controller, command: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the action (1 d) of a delta mode that changes nothing."""
    action = np.zeros((1, len(controller.names)))
    grippers = [name.endswith("/gripper") for name in controller.names]
    openings = command[:, [name.endswith("/gripper") for name in controller.robot.action_names]]
    action[:, grippers] = 2 * openings - 1 if controller.normalized else openings
    return action


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("mode", ["joint_delta", "ee_delta"])
@pytest.mark.parametrize("name", ROBOTS)
def test_no_delta_holds_still_to_the_bit_wherever_the_robot_is(name: str, mode: str, normalized: bool) -> None:
    robot = robots.load_robot(name)
    controller = Controller(robot, mode, normalized)
    low, high = np.array(robot.action_limits).T
    rng = np.random.default_rng(0)
    for _ in range(5):
        start = command = rng.uniform(low, high)[None]
        for _ in range(50):
            command = controller.joint_targets(still(controller, start), command)
        arms = [not name.endswith("/gripper") for name in robot.action_names]
        np.testing.assert_array_equal(command[:, arms], start[:, arms])
        np.testing.assert_allclose(command, start, atol=1e-12)


@pytest.mark.parametrize("name", ROBOTS)
def test_a_joint_delta_adds_up_in_radians(name: str) -> None:
    robot = robots.load_robot(name)
    controller, command = Controller(robot, "joint_delta"), home(robot)
    for joint in range(len(robot.arms[0].links)):
        action = still(controller, command)
        action[0, joint] = 0.01
        after = command
        for _ in range(4):
            after = controller.joint_targets(action, after)
        moved = after - command
        assert moved[0, joint] == pytest.approx(0.04)
        assert np.count_nonzero(moved) == 1


@pytest.mark.parametrize("name", ROBOTS)
@pytest.mark.parametrize("axis", range(len(EE_AXES)), ids=EE_AXES)
def test_an_ee_delta_adds_up_in_metres_and_radians_along_the_axes_of_the_world(name: str, axis: int) -> None:
    robot = robots.load_robot(name)
    controller, command = Controller(robot, "ee_delta"), far_from_singular(robot)
    action, step, count = still(controller, command), 0.002 if axis < 3 else 0.01, 10
    action[0, axis] = step
    chain, joints = KinematicChain(robot.arms[0]), len(robot.arms[0].links)
    after = command
    for _ in range(count):
        after = controller.joint_targets(action, after)
    position, rotation, _ = chain.forward_kinematics(np.stack([command[0, :joints], after[0, :joints]]))
    turn = rotation[1] @ rotation[0].T
    sine = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 2
    moved = np.concatenate([position[1] - position[0], sine])
    expected = np.zeros(6)
    expected[axis] = step * count if axis < 3 else np.sin(step * count)
    # what damping and the curve within a step leave
    np.testing.assert_allclose(moved, expected, atol=0.05 * step * count)
    np.testing.assert_array_equal(after[0, joints:], command[0, joints:])


@pytest.mark.parametrize("name", ROBOTS)
def test_joints_never_exceed_their_speed_however_large_the_ee_delta(name: str) -> None:
    robot = robots.load_robot(name)
    controller, command = Controller(robot, "ee_delta", normalized=True), home(robot)
    most = np.concatenate([[link.max_speed / CONTROL_HZ for link in arm.links] + [1.0] for arm in robot.arms])
    rng = np.random.default_rng(0)
    for _ in range(200):
        after = controller.joint_targets(np.sign(rng.normal(size=(1, len(controller.names)))), command)
        assert (np.abs(after - command) <= most + 1e-12).all()
        command = after
    low, high = np.array(robot.action_limits).T
    assert (command >= low).all() and (command <= high).all()


@pytest.mark.parametrize("mode", CONTROL_MODES)
@pytest.mark.parametrize("name", ROBOTS)
def test_normalised_limits_are_the_plain_ones(name: str, mode: str) -> None:
    robot = robots.load_robot(name)
    plain, scaled = Controller(robot, mode), Controller(robot, mode, normalized=True)
    assert plain.names == scaled.names and len(set(plain.names)) == len(plain.names)
    assert (scaled.low == -1).all() and (scaled.high == 1).all() and (plain.low < plain.high).all()
    command, rng = home(robot, 3), np.random.default_rng(0)
    for share in (np.zeros((3, 1)), np.ones((3, 1)), rng.uniform(size=(3, len(plain.names)))):
        plain_action, scaled_action = plain.low + share * (plain.high - plain.low), 2 * share - 1
        np.testing.assert_allclose(
            scaled.joint_targets(scaled_action + np.zeros_like(plain_action), command),
            plain.joint_targets(plain_action, command), atol=1e-9,
        )  # fmt: skip
        beyond = np.clip(plain_action, plain.low, plain.high) + 10 * np.sign(share - 0.5) * (share % 1 == 0)
        np.testing.assert_array_equal(plain.joint_targets(beyond, command), plain.joint_targets(plain_action, command))


def test_end_effector_limits_are_speeds() -> None:
    controller = Controller(robots.load_robot("panda"), "ee_delta")
    np.testing.assert_allclose(controller.high[:6] * CONTROL_HZ, [MAX_EE_SPEED_M_S] * 3 + [MAX_EE_SPEED_RAD_S] * 3)
    assert controller.names[:6] == tuple(f"{controller.robot.arms[0].name}/ee_{axis}" for axis in EE_AXES)
    assert (controller.low[6], controller.high[6]) == (0.0, 1.0)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(
        UserError, match="unknown control mode 'velocity'; valid: joint_position, joint_delta, ee_delta"
    ):
        Controller(robots.load_robot("panda"), "velocity")


def test_the_simulated_tool_follows_an_ee_delta() -> None:
    env = sim.make("click_bell", robot="panda", cameras=(), control="ee_delta")
    env.reset([0])
    start = env.world.state().ee_pose[0, 0, :3].copy()
    action = still(env.controller, home(env.robot))
    action[0, 2] = 0.002  # up
    env.step(np.repeat(action[:, None], 25, axis=1))
    env.step(np.repeat(still(env.controller, home(env.robot))[:, None], 25, axis=1))
    np.testing.assert_allclose(env.world.state().ee_pose[0, 0, :3] - start, [0.0, 0.0, 0.05], atol=0.004)
    env.close()


@pytest.mark.parametrize("mode", CONTROL_MODES)
@pytest.mark.parametrize("name", ROBOTS)
def test_a_grippers_entry_is_its_opening_whatever_it_was(name: str, mode: str) -> None:
    robot = robots.load_robot(name)
    for normalized in (False, True):
        controller, command = Controller(robot, mode, normalized), home(robot)
        action = (controller.low + controller.high)[None] / 2
        openings = np.linspace(0.2, 0.9, len(robot.arms))
        grippers = [entry.endswith("/gripper") for entry in controller.names]
        action[:, grippers] = 2 * openings - 1 if normalized else openings
        targets = controller.joint_targets(action, command)
        np.testing.assert_allclose(targets[0, list(robot.is_gripper)], openings, atol=1e-12)
