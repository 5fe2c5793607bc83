"""The reference engine: n MuJoCo scenes of one task on the CPU, stepped by threads (stepping releases the GIL)."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from math import degrees

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim.embodiment.model import Embodiment
from sim.geometry import rotate
from sim.scene.compile import Scene, compile_scene
from sim.scene.sample import check_arm_count
from sim.task.predicates import evaluate_success
from sim.task.spec import SpecError, Task
from sim.types import CONTACT_DTYPE, CONTROL_HZ, PHYSICS_HZ, Images
from sim.world.render_gl import ImageSize, renderer, vertical_field
from sim.world.state import Facts

SUBSTEPS = PHYSICS_HZ // CONTROL_HZ
STATE = mujoco.mjtState.mjSTATE_INTEGRATION
SETTLE = 25  # physics steps between looks at whether everything stands still
LONGEST_SETTLE = 12  # such looks
STILL = 0.004  # m, and FIRM rad: what may still move between two looks
FIRM = 0.02
UPRIGHT = 0.1  # rad; what leans over by more than this while it settles was not stable
PUSHED = 0.01  # m; what is pushed aside by more was drawn into something else
REDRAWS = 20  # of a scene that does not stand still, or is solved before anyone acts


class Copy:
    """One scene and its state."""

    def __init__(self, task: Task, robot: Embodiment, seed: int, variation: str = "clean") -> None:
        self.robot, self.task, self.variation = robot, task, variation
        for self.redraws in range(REDRAWS):
            self.scene: Scene = compile_scene(task, robot, seed, variation, self.redraws)
            self.model, self.layout = self.scene.model, self.scene.sample
            self.data = mujoco.MjData(self.model)
            self._index()
            if self._settled() and not self._solved():
                return
        raise SpecError(f"task {task.name!r}: none of {REDRAWS} draws of seed {seed} stands still and is unsolved")

    def _index(self) -> None:
        model, robot = self.model, self.robot
        hinged = {f"{o}.{h.name}": f"{o}.{h.joint}" for o, f in self.layout.models.items() for h in f.parts}
        grippers = [f"{arm.name}/{part}" for arm in robot.arms for part in ("hand", "finger0", "finger1")]
        things = [name for o, f in self.layout.models.items() for name in (o, *(f"{o}.{h.name}" for h in f.parts))]
        self.bodies: tuple[str, ...] = ("world", "table", *things, *grippers)
        self.body_ids = np.array([model.body(name).id for name in self.bodies])
        self._body_id = {name: int(body) for name, body in zip(self.bodies, self.body_ids, strict=True)}
        interest = np.full(model.nbody, -1)
        interest[self.body_ids] = np.arange(len(self.bodies))
        self._geom_body = interest[model.geom_bodyid]
        self.joints: tuple[str, ...] = tuple(hinged.values())
        self._joint_at = np.array([model.joint(name).qposadr[0] for name in self.joints], int)
        self.kinds = {
            name: f"hinged:{hinged[name]}" if name in hinged else "fixed" if task_object.fixed else "free"
            for task_object in self.task.objects
            if task_object.name in self.layout.models
            for name in things
            if name.split(".")[0] == task_object.name
        }
        self.tool_ids = np.array([model.site(f"{arm.name}/tool").id for arm in robot.arms])
        # per entry of an action: where it is measured and which actuators it drives
        self.entries: list[tuple[list[int], list[int], float, float]] = []
        for arm in robot.arms:
            for i in range(len(arm.links)):
                name = f"{arm.name}/joint{i}"
                self.entries.append(([model.joint(name).qposadr[0]], [model.actuator(name).id], 1.0, 0.0))
            grip = arm.gripper
            fingers = [f"{arm.name}/finger{k}" for k in range(2)]
            self.entries.append(
                (
                    [model.joint(f).qposadr[0] for f in fingers],
                    [model.actuator(f).id for f in fingers],
                    grip.stroke,
                    grip.squeeze_margin,
                )
            )
        self._target = np.zeros(model.nu)  # of the servos, where the command leads
        self._low, self._high = (np.array(side) for side in zip(*robot.action_limits, strict=True))
        for camera in robot.cameras:
            assert model.camera(camera.name).id >= 0

    def _settled(self) -> bool:
        """Put the robot at its start, let everything come to rest, and tell whether it did, as it was drawn."""
        data, model = self.data, self.model
        home = np.array(self.robot.home_action)
        for value, (qpos, _, scale, _) in zip(home, self.entries, strict=True):
            data.qpos[qpos] = value * scale
        for name, form in self.layout.models.items():
            for part in form.parts:
                data.qpos[model.joint(f"{name}.{part.joint}").qposadr[0]] = part.initial_value
        self.command(home)
        data.ctrl[:] = self._target
        self.refresh()
        things = [i for i, name in enumerate(self.bodies) if name in self.kinds]
        free = [i for i in things if self.kinds[self.bodies[i]] == "free" and not self._round(self.bodies[i])]
        drawn = before = self.body_poses()
        for _ in range(LONGEST_SETTLE):
            mujoco.mj_step(model, data, nstep=SETTLE)
            self.refresh()
            now = self.body_poses()
            moved = np.linalg.norm(now[things, :3] - before[things, :3], axis=1).max()
            still = moved < STILL and (_leaned(before[free], now[free]) < FIRM).all()
            if still:
                break
            before = now
        data.time = 0.0
        self.start = now
        pushed = np.linalg.norm(now[free, :2] - drawn[free, :2], axis=1)
        return bool(still and (_leaned(drawn[free], now[free]) < UPRIGHT).all() and (pushed < PUSHED).all())

    def _round(self, name: str) -> bool:
        return all(geom.type == "sphere" for geom in self.layout.models[name].geoms)

    def _solved(self) -> bool:
        return bool(evaluate_success(self.task, Facts([self]), np.zeros((1, len(self.task.success)), bool))[0][0])

    def command(self, action: NDArray) -> None:
        """Set the targets of one action (d,): radians, grippers 0..1; clipped to the robot's limits."""
        self.action = np.clip(np.asarray(action, float), self._low, self._high)
        for value, (_, actuators, scale, squeeze) in zip(self.action, self.entries, strict=True):
            self._target[actuators] = value * (scale + squeeze) - squeeze

    def step(self) -> None:
        """Advance one control period (20 ms), in which the servos' targets ramp from the last command to this one.

        Steps of the targets would jerk what is held out of the fingers; real controllers interpolate too.
        """
        start = self.data.ctrl.copy()
        for k in range(1, SUBSTEPS + 1):
            self.data.ctrl[:] = start + (self._target - start) * (k / SUBSTEPS)
            mujoco.mj_step(self.model, self.data)
        self.refresh()

    def refresh(self) -> None:
        """Bring body and camera poses up to the integrated state, which mj_step leaves one step behind."""
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)

    def state(self) -> NDArray[np.float32]:
        """Return what the robot measures (d,), in the action's order and units."""
        values = [float(self.data.qpos[qpos].mean()) / scale for qpos, _, scale, _ in self.entries]
        return np.array(values, np.float32)

    def sim_state(self) -> NDArray[np.float64]:
        """Return all that MuJoCo needs to go on from here."""
        state = np.empty(mujoco.mj_stateSize(self.model, STATE))
        mujoco.mj_getState(self.model, self.data, state, STATE)
        return state

    def set_sim_state(self, state: NDArray[np.float64]) -> None:
        """Go to a state that `sim_state` returned for the same seed."""
        mujoco.mj_setState(self.model, self.data, state, STATE)
        mujoco.mj_forward(self.model, self.data)
        self.refresh()

    def body_poses(self) -> NDArray[np.float64]:
        """Return world_from_body (bodies 7) of `self.bodies`."""
        return np.concatenate([self.data.xpos[self.body_ids], self.data.xquat[self.body_ids]], axis=1)

    def body_pose(self, name: str) -> NDArray[np.float64]:
        """Return world_from_body (7,)."""
        body = self._body_id[name]
        return np.concatenate([self.data.xpos[body], self.data.xquat[body]])

    def velocity(self, name: str) -> NDArray[np.float64]:
        """Return the linear velocity (3,) of a free body's origin, world frame, m/s."""
        return self.data.joint(f"{name}.free").qvel[:3].copy()

    def point(self, name: str) -> NDArray[np.float64]:
        """Return the world pose (7,) of a named point such as "cup.bottom", or of a body, "cup"."""
        thing, _, point = name.partition(".")
        if thing in self.layout.models and not point:
            return self.body_pose(thing)
        if thing not in self.layout.models or point not in self.layout.models[thing].frames:
            valid = ", ".join(f"{o}.{p}" for o, f in self.layout.models.items() for p in f.frames)
            raise SpecError(f"task {self.task.name!r}: unknown point {name!r}; valid: {valid}")
        part, local = self.layout.models[thing].frames[point]
        body = self._body_id[f"{thing}.{part}" if part else thing]
        found = np.empty(7)
        mujoco.mju_mulPose(found[:3], found[3:], self.data.xpos[body], self.data.xquat[body], local[:3], local[3:])
        return found

    def origin(self) -> NDArray[np.float64]:
        """Return where heights above the table are counted from (3,): the world's x and y, the table's top."""
        return np.array([0.0, 0.0, self.layout.table.top])

    def side(self, role: str) -> float:
        """Return -1 where `role` acts on the left of the table, 1 on the right."""
        if role not in self.layout.role_sides:
            raise SpecError(
                f"task {self.task.name!r}: unknown arm {role!r}; valid: {', '.join(self.layout.role_sides)}"
            )
        return -1.0 if self.layout.role_sides[role] == "left" else 1.0

    def joint(self, name: str) -> float:
        """Return the value of an object's joint (radians)."""
        return float(self.data.joint(name).qpos[0])

    def joint_fraction(self, name: str) -> float:
        """Return how far an object's joint is within its range, 0 to 1."""
        if name not in self.joints:
            valid = ", ".join(self.joints) or "none"
            raise SpecError(f"task {self.task.name!r}: unknown joint {name!r}; valid: {valid}")
        low, high = self.model.joint(name).range
        return (self.joint(name) - float(low)) / float(high - low)

    def joint_values(self) -> NDArray[np.float64]:
        """Return the values of `self.joints`."""
        return self.data.qpos[self._joint_at]

    def tools(self) -> NDArray[np.float64]:
        """Return world_from_tool (arms 7)."""
        quats = np.empty((len(self.tool_ids), 4))
        for row, site in zip(quats, self.tool_ids, strict=True):
            mujoco.mju_mat2Quat(row, self.data.site_xmat[site])
        return np.concatenate([self.data.site_xpos[self.tool_ids], quats], axis=1)

    def contacts(self, step: int) -> NDArray[np.void]:
        """Return the contacts (rows of CONTACT) between bodies of `self.bodies` in the last physics step."""
        contact = self.data.contact
        count = self.data.ncon
        pairs = self._geom_body[contact.geom[:count]]
        active = contact.efc_address[:count] >= 0
        keep = np.nonzero((pairs >= 0).all(axis=1) & (pairs[:, 0] != pairs[:, 1]) & active)[0]
        rows = np.zeros(len(keep), CONTACT_DTYPE)
        rows["step"], rows["a"], rows["b"] = step, pairs[keep, 0], pairs[keep, 1]
        rows["pos"] = contact.pos[keep]
        rows["force"] = self.data.efc_force[contact.efc_address[keep]]  # the first row of a contact is its normal
        return rows

    def render(self, cameras: Sequence[str], size: ImageSize, depth: bool = False) -> tuple[NDArray, NDArray | None]:
        """Return pictures (c h w 3) and depths (c h w) of the named cameras."""
        for camera in self.robot.cameras:
            self.model.cam_fovy[self.model.camera(camera.name).id] = degrees(vertical_field(camera.fovx, size))
        ids = [self.model.camera(name).id for name in cameras]
        return renderer().render(self.model, self.data, ids, size, depth)

    def camera_pose(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return position (3,) and axes (3 3, columns right, up, back) of a camera in the world."""
        camera = self.data.camera(name)
        return camera.xpos.copy(), camera.xmat.reshape(3, 3).copy()


class World:
    """n copies of a task on a robot. Copies share nothing: what one does never depends on the others."""

    def __init__(self, task: Task, robot: Embodiment, n: int, threads: int = 1, variation: str = "clean") -> None:
        check_arm_count(task, robot)
        self.task, self.robot, self.n, self.variation = task, robot, n, variation
        self.copies: list[Copy] = []
        self._threads = min(threads, n)
        self._pool = ThreadPoolExecutor(self._threads) if self._threads > 1 else None

    def reset(self, seeds: Sequence[int], mask: NDArray[np.bool_] | None = None) -> None:
        """Build the scenes of `seeds`, one a copy; with a mask only where it is true."""
        assert len(seeds) == self.n
        fresh = [mask is None or bool(mask[i]) or not self.copies for i in range(self.n)]
        self.copies = [
            Copy(self.task, self.robot, seed, self.variation) if new else self.copies[i]
            for i, (seed, new) in enumerate(zip(seeds, fresh, strict=True))
        ]

    def step(self, actions: NDArray, active: NDArray[np.bool_]) -> None:
        """Advance the active copies one control period with `actions` (n d)."""
        moving = [copy for copy, on in zip(self.copies, active, strict=True) if on]
        for copy, action in zip(moving, actions[active], strict=True):
            copy.command(action)
        if self._pool is None or len(moving) < 2:
            _step(moving)
        else:
            list(self._pool.map(_step, [moving[k :: self._threads] for k in range(self._threads)]))

    def state(self) -> NDArray[np.float32]:
        """Return the measured state (n d)."""
        return np.stack([copy.state() for copy in self.copies])

    def render(self, cameras: Sequence[str], size: ImageSize) -> Images:
        """Return pictures (n h w 3) of every camera."""
        pictures = np.stack([copy.render(cameras, size)[0] for copy in self.copies])
        return {name: pictures[:, i] for i, name in enumerate(cameras)}

    def facts(self) -> Facts:
        """Return what success terms may read of all copies."""
        return Facts(self.copies)

    def close(self) -> None:
        """Let the threads go."""
        if self._pool is not None:
            self._pool.shutdown()


def _leaned(before: NDArray[np.float64], now: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much (bodies,) the upward axes of poses (bodies 7) have turned, radians."""
    up = rotate(before[:, 3:], (0, 0, 1)), rotate(now[:, 3:], (0, 0, 1))
    return np.arccos(np.clip((up[0] * up[1]).sum(axis=1), -1.0, 1.0))


def _step(copies: list[Copy]) -> None:
    for copy in copies:
        copy.step()
