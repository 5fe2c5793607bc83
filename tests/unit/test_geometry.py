"""Laws of rotations and poses, and of the kinematics built on them."""

import dataclasses

import mujoco
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sim import robots
from sim.embodiment.kinematics import KinematicChain
from sim.geometry import (
    align_z_axis,
    compose,
    conjugate,
    cross,
    invert,
    make_pose,
    multiply,
    quat_from_axes,
    quat_from_axis_angle,
    quat_from_matrix,
    quat_to_matrix,
    quat_to_rotation_vector,
    rotate,
    slerp,
    transform_points,
)
from sim.scene.compile import compile_robot

numbers = st.floats(-3, 3).map(lambda v: round(v, 6))
vectors = arrays(float, 3, elements=numbers)
quaternions = (
    arrays(float, 4, elements=numbers).filter(lambda q: np.linalg.norm(q) > 0.1).map(lambda q: q / np.linalg.norm(q))
)
poses = st.builds(make_pose, vectors, quaternions)


def same_turn(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(abs(abs(np.dot(a, b)) - 1) < 1e-9)


@given(quaternions, quaternions, vectors)
def test_product_turns_by_one_and_then_the_other(a: np.ndarray, b: np.ndarray, v: np.ndarray) -> None:
    np.testing.assert_allclose(rotate(multiply(a, b), v), rotate(a, rotate(b, v)), atol=1e-9)
    np.testing.assert_allclose(quat_to_matrix(a) @ v, rotate(a, v), atol=1e-9)


@given(poses, poses, vectors)
def test_poses_are_a_group(a: np.ndarray, b: np.ndarray, v: np.ndarray) -> None:
    np.testing.assert_allclose(
        transform_points(compose(a, b), v), transform_points(a, transform_points(b, v)), atol=1e-8
    )
    np.testing.assert_allclose(transform_points(compose(invert(a), a), v), v, atol=1e-8)


@given(quaternions)
def test_matrix_and_back(q: np.ndarray) -> None:
    assert same_turn(quat_from_matrix(quat_to_matrix(q)), q)


@given(quaternions)
def test_rotation_vector_is_axis_times_angle(q: np.ndarray) -> None:
    turn = quat_to_rotation_vector(q)
    angle = np.linalg.norm(turn)
    assert angle <= np.pi + 1e-9
    if angle > 1e-6:
        assert same_turn(quat_from_axis_angle(turn / angle, angle), q)


@given(quaternions, quaternions)
def test_slerp_ends_where_it_should(a: np.ndarray, b: np.ndarray) -> None:
    assert same_turn(slerp(a, b, 0.0), a)
    assert same_turn(slerp(a, b, 1.0), b)
    half = slerp(a, b, 0.5)
    assert np.isclose(abs(half @ a), abs(half @ b), atol=1e-9)


@given(vectors, vectors)
def test_cross_is_numpys(a: np.ndarray, b: np.ndarray) -> None:
    np.testing.assert_allclose(cross(a, b), np.cross(a, b))


@given(quaternions)
def test_axes_make_the_tool(q: np.ndarray) -> None:
    assert same_turn(quat_from_axes(rotate(q, (0, 0, 1)), rotate(q, (0, 1, 0))), q)
    assert same_turn(multiply(q, conjugate(q)), np.array([1.0, 0, 0, 0]))


@given(vectors.filter(lambda v: np.linalg.norm(v) > 0.1))
@example(np.array((0.0, 0.0, -1.0)))
@example(np.array((0.0, 0.0, 2.0)))
def test_z_is_turned_to_a_direction_by_the_shortest_way(up: np.ndarray) -> None:
    q, direction = align_z_axis(up), up / np.linalg.norm(up)
    np.testing.assert_allclose(rotate(q, (0, 0, 1)), direction, atol=1e-8)
    angle = np.linalg.norm(quat_to_rotation_vector(q))
    np.testing.assert_allclose(angle, np.arccos(np.clip(direction[2], -1, 1)), atol=1e-6)


@pytest.mark.parametrize("name", robots.list_robots())
def test_kinematics_are_mujocos(name: str) -> None:
    robot = robots.load_robot(name)
    model = compile_robot(robot)
    data = mujoco.MjData(model)
    rng = np.random.default_rng(0)
    for arm in robot.arms:
        chain = KinematicChain(arm)
        for q in rng.uniform(chain.lower_limits, chain.upper_limits, (20, chain.joint_count)):
            for i, value in enumerate(q):
                data.joint(f"{arm.name}/joint{i}").qpos = value
            mujoco.mj_kinematics(model, data)
            site = data.site(f"{arm.name}/tool")
            found = chain.compute_tool_pose(q)
            np.testing.assert_allclose(found[:3], site.xpos, atol=1e-9)
            np.testing.assert_allclose(quat_to_matrix(found[3:]), site.xmat.reshape(3, 3), atol=1e-9)


@pytest.mark.parametrize("name", robots.list_robots())
def test_jacobian_is_the_derivative(name: str) -> None:
    chain = KinematicChain(robots.load_robot(name).arms[0])
    q = np.random.default_rng(1).uniform(chain.lower_limits, chain.upper_limits)
    _, _, jacobian = chain.forward_kinematics(q[None])
    for i in range(chain.joint_count):
        step = 1e-6 * np.eye(chain.joint_count)[i]
        up, down = chain.compute_tool_pose(q + step), chain.compute_tool_pose(q - step)
        np.testing.assert_allclose((up[:3] - down[:3]) / 2e-6, jacobian[0, :3, i], atol=1e-6)
        spin = quat_to_rotation_vector(multiply(up[3:], conjugate(down[3:]))) / 2e-6
        np.testing.assert_allclose(spin, jacobian[0, 3:, i], atol=1e-5)


@pytest.mark.parametrize("name", robots.list_robots())
def test_what_can_be_reached_is_found(name: str) -> None:
    chain = KinematicChain(robots.load_robot(name).arms[0])
    rng = np.random.default_rng(2)
    near = chain.lower_limits + (chain.upper_limits - chain.lower_limits) * rng.uniform(
        0.2, 0.8, (50, chain.joint_count)
    )
    goals = np.stack([chain.compute_tool_pose(q) for q in near])
    alone = [chain.solve_candidates(goal[None], chain.home_joints) for goal in goals]
    found, cost = np.concatenate([q for q, _ in alone]), np.concatenate([c for _, c in alone])
    reached = np.isfinite(cost)
    assert reached.mean() > 0.8
    for goal, q in zip(goals[reached], found[reached], strict=True):
        tool = chain.compute_tool_pose(q)
        assert np.linalg.norm(tool[:3] - goal[:3]) < 1e-3
        assert np.linalg.norm(quat_to_rotation_vector(multiply(conjugate(goal[3:]), tool[3:]))) < 1e-2
        assert ((q >= chain.lower_limits) & (q <= chain.upper_limits)).all()


@pytest.mark.parametrize("axis", np.eye(3), ids="xyz")
@pytest.mark.parametrize("name", robots.list_robots())
def test_what_is_half_a_turn_off_does_not_count_as_reached(name: str, axis: np.ndarray) -> None:
    """A half turn has no axis of its own; it must be corrected all the same, never be taken for none."""
    chain = KinematicChain(robots.load_robot(name).arms[0])
    start = chain.home_joints
    goal = compose(chain.compute_tool_pose(start), make_pose(np.zeros(3), quat_from_axis_angle(axis, np.pi)))
    (found,), (reached,) = chain.solve_ik(goal[None], start[None])
    assert np.abs(found - start).max() > 0.1
    if reached:
        tool = chain.compute_tool_pose(found)
        assert np.linalg.norm(quat_to_rotation_vector(multiply(conjugate(goal[3:]), tool[3:]))) < 1e-2


def test_a_spare_joint_leans_home_and_leaves_the_tool_where_it_is() -> None:
    chain = KinematicChain(robots.load_robot("panda").arms[0])
    assert chain.joint_count == 7
    q = chain.home_joints + np.random.default_rng(0).uniform(-0.3, 0.3, (20, 7))
    at_goal = np.zeros((20, 6))
    after = q + chain._compute_damped_step(q, at_goal, chain.forward_kinematics(q)[2])
    gaps = [np.linalg.norm(joints - chain.home_joints, axis=1) for joints in (q, after)]
    assert (gaps[1] < gaps[0]).all()
    moved = [chain.forward_kinematics(joints)[0] for joints in (q, after)]
    assert np.linalg.norm(moved[1] - moved[0], axis=1).max() < 1e-3


def test_what_is_not_allowed_is_no_solution() -> None:
    chain = KinematicChain(robots.load_robot("panda").arms[0])
    goal = chain.compute_tool_pose(chain.home_joints + 0.1)[None]
    (q,), (cost,) = chain.solve_candidates(goal, chain.home_joints)
    assert np.isfinite(cost)
    (other,), (other_cost,) = chain.solve_candidates(goal, chain.home_joints, lambda tried: tried[:, 0] < q[0] - 0.05)
    assert other_cost == np.inf or other[0] < q[0] - 0.05
    _, (cost,) = chain.solve_candidates(goal, chain.home_joints, lambda tried: np.zeros(len(tried), bool))
    assert cost == np.inf


@pytest.mark.parametrize("name", robots.list_robots())
def test_parts_of_one_arm_never_meet(name: str) -> None:
    robot = robots.load_robot(name)
    model = compile_robot(dataclasses.replace(robot, arms=robot.arms[:1], cameras=()))
    data, rng = mujoco.MjData(model), np.random.default_rng(0)
    for _ in range(20):
        data.qpos[:] = rng.uniform(*model.jnt_range.T)
        mujoco.mj_forward(model, data)
        assert data.ncon == 0
