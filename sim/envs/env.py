"""Env: a task on a robot in n parallel worlds. Physics, success, rewards and observations; whoever acts is outside.

The contract, in one place:

* `reset(seeds, mask)` starts the worlds where `mask` is true from the scenes of their seeds. A seed is a scene: the
  same seed gives the same bytes whatever the batch. A seed without a usable scene ends its world at once, with the
  reason in `failure`; it raises nothing.
* `step(actions)` with actions (n k d) advances k control periods; rewards are by control period (n k).
* A world that succeeded (`terminated`), ran out of time (`truncated`) or whose physics failed is frozen: its actions
  are ignored, its rewards are 0, its state stays. Nothing resets by itself.
* `snapshot()` and `restore()` hold everything that decides what comes next, latches, counters and command targets
  included, so that roll-outs can branch from one state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from sim.camera import ImageSize, compute_intrinsics, vertical_field
from sim.embodiment.model import Embodiment
from sim.envs.control import Controller
from sim.envs.settle import SceneFailure, SettledScene, settle_scenes
from sim.objects import build_object
from sim.registry import resolve_name
from sim.scene.randomize import VARIATIONS
from sim.scene.sample import check_arm_count
from sim.task.condition import SuccessCondition
from sim.task.rewards import Reward, RewardSet, RewardState
from sim.task.spec import Task
from sim.types import CONTROL_HZ, Observation, ResetNeeded, UserError
from sim.world import make_world
from sim.world.protocol import Mask, WorldSnapshot
from sim.world.scene_table import SceneTable
from sim.world.state import StateView, WorldView


@dataclass(frozen=True)
class StepResult:
    """What came of k control periods in n worlds."""

    reward: NDArray[np.float64]  # (n k) by control period; 0 where a world was frozen
    terminated: Mask  # (n,) the task succeeded
    truncated: Mask  # (n,) out of time, or without working physics: see `info["failure"]`
    success: Mask  # (n,)
    time: NDArray[np.float64]  # (n,) seconds since reset
    info: Mapping[str, NDArray]  # predicates (n p) bool, progress (n,) where it is tracked, failure (n,) str

    @property
    def done(self) -> Mask:
        """Which worlds (n,) have ended."""
        return self.terminated | self.truncated


@dataclass(frozen=True)
class EnvSnapshot:
    """All that decides what comes next in some worlds; each field is by world index."""

    seeds: Mapping[int, int]
    worlds: Mapping[int, WorldSnapshot]
    counters: Mapping[int, tuple[int, bool, bool, bool, str]]  # steps, success, terminated, truncated, failure
    latched: Mapping[int, NDArray[np.bool_]]
    reward: Mapping[int, tuple[NDArray, ...]]


class Env:
    """n worlds of a task on a robot; see the module's first lines for the contract."""

    def __init__(
        self,
        task: Task,
        robot: Embodiment,
        n: int = 1,
        cameras: Sequence[str] | None = None,
        size: ImageSize = (128, 128),
        threads: int = 1,
        stop_at_success: bool = True,
        variation: str = "clean",
        depth: bool = False,
        *,
        reward: str | RewardSet = "sparse",
        control: str = "joint_position",
        normalized: bool = False,
        privileged: bool = False,
        track_progress: bool = False,
        engine: str = "mujoco",
        max_steps: int | None = None,
    ) -> None:
        """Make the worlds; `cameras` None means all of the robot's, () none; see `reset` for scenes."""
        check_arm_count(task, robot)
        if not (isinstance(n, Integral) and n >= 1):
            raise UserError(f"n is {n!r}; valid: a number of worlds from 1")
        if not (len(size) == 2 and all(isinstance(side, Integral) and side >= 1 for side in size)):
            raise UserError(f"size is {size!r}; valid: (height, width) in pixels, as in (128, 128)")
        self.task, self.robot, self.n, self.size = task, robot, n, size
        chosen = robot.camera_names if cameras is None else cameras
        self.cameras = tuple(resolve_name("camera", name, robot.camera_names) for name in chosen)
        self.variation = resolve_name("variation", variation, VARIATIONS)
        self.controller = Controller(robot, control, normalized)
        self.world = make_world(engine, task, robot, n, threads)
        self.scenes = SceneTable(task, robot, n)
        self._condition = SuccessCondition(task)
        self._reward = Reward(task, reward, track_progress)
        self.has_depth, self.has_privileged, self._stop = depth, privileged, stop_at_success
        self.max_steps = task.horizon if max_steps is None else max_steps
        self.engine = engine
        self._object_columns = [
            column
            for thing in task.objects
            for column, body in enumerate(self.scenes.names.bodies)
            if body.partition(".")[0] == thing.name
        ]
        self._frames = _frames_of_interest(task)

        self.seeds: tuple[int, ...] = ()
        self.steps = np.zeros(n, int)
        self.success = np.zeros(n, bool)
        self.terminated = np.zeros(n, bool)
        self.truncated = np.zeros(n, bool)
        self.failure: list[str] = [""] * n
        self._latched = np.zeros((n, len(task.success)), bool)
        self._holds = self._latched.copy()
        self._remembered: RewardState | None = None

    @property
    def done(self) -> Mask:
        """Which worlds (n,) have ended and stand still."""
        return self.terminated | self.truncated

    @property
    def view(self) -> StateView:
        """The present state by the names of the task."""
        return StateView(self.scenes, self.world.state(), self.world.contacts)

    def world_view(self, index: int) -> WorldView:
        """Return one world's state by the names of the task, for those who may look into the simulator."""
        return WorldView(self.scenes, self.world, index)

    @property
    def instructions(self) -> tuple[str, ...]:
        """What each world's scene asks for; "" where there is no scene."""
        return tuple("" if scene is None else scene.instruction for scene in self.scenes.scenes)

    @property
    def tracks_progress(self) -> bool:
        """Whether the way along the plan is measured: asked for, or needed by the reward."""
        return self._reward.tracks_progress

    @property
    def progress(self) -> NDArray[np.float64]:
        """How far (n,) each world has come along the task's plan, 0 to 1; NaN unless progress is tracked."""
        if self._remembered is None or not self.tracks_progress:
            return np.full(self.n, np.nan)
        return np.where(self.success, 1.0, self._remembered.progress)

    @property
    def predicates(self) -> NDArray[np.bool_]:
        """Which success predicates (n p) hold, as of each world's last step."""
        return self._holds.copy()

    def reset(
        self,
        seeds: Sequence[int],
        mask: Mask | None = None,
        scenes: Mapping[int, SettledScene | SceneFailure] | None = None,
    ) -> None:
        """Start from the scenes of `seeds` (n,) the worlds where `mask` (n,) is true; the others go on.

        `scenes`, by world, are scenes of those seeds that were settled ahead (`sim.envs.scene_queue`).
        """
        if len(seeds) != self.n:
            raise UserError(f"{len(seeds)} seeds for {self.n} worlds; give one a world")
        if negative := [seed for seed in seeds if seed < 0]:
            raise UserError(f"seed {negative[0]} is negative; valid: whole numbers from 0")
        chosen = np.ones(self.n, bool) if mask is None else np.asarray(mask, bool)
        if mask is not None and not self.seeds and not chosen.all():
            raise ResetNeeded("the first reset must start all worlds")
        indices = np.flatnonzero(chosen).tolist()
        ready = dict(scenes or {})
        self._load_settled(ready)
        ready |= settle_scenes(self.world, {i: int(seeds[i]) for i in indices if i not in ready}, self.variation)
        for i in indices:
            self._begin_world(i, ready[i])
        self.seeds = tuple(int(seeds[i]) if chosen[i] else self.seeds[i] for i in range(self.n))
        evaluation = self._condition.evaluate(self.view)
        self._holds = np.where(chosen[:, None], evaluation.holds, self._holds)
        fresh = self._reward.begin(self.view, evaluation)
        self._remembered = fresh if self._remembered is None else _merge_reward_states(chosen, fresh, self._remembered)

    def step(self, actions: NDArray, hold: Mask | None = None) -> StepResult:
        """Apply `actions` (n k d), one a control period (20 ms), in the worlds that are not done nor in `hold` (n,)."""
        if self._remembered is None:
            raise ResetNeeded("reset the environment before stepping it")
        values = self.controller.check_actions(actions, self.n)
        reward = np.zeros(values.shape[:2])
        for k in range(values.shape[1]):
            active = ~self.done if hold is None else ~self.done & ~hold
            if not active.any():
                break
            command = self.world.state().command if self.controller.mode != "joint_position" else values[:, k]
            self.world.step(self.controller.joint_targets(values[:, k], command), active)
            reward[:, k] = self._account(active)
        return self._result(reward)

    def end(self, mask: Mask) -> None:
        """End the worlds where `mask` (n,) is true, as if they were out of time."""
        self.truncated |= np.asarray(mask, bool) & ~self.terminated

    def observe(self) -> Observation:
        """Return images, measured state and instruction of all worlds; with depth also what it takes to read it.

        Of a world without a scene images are black and numbers 0, whatever it held before.
        """
        if self._remembered is None:
            raise ResetNeeded("reset the environment before observing it")
        state = self.world.state().proprio.astype(np.float32)
        images, depth = self.world.render(self.cameras, self.size, self.has_depth)
        privileged = self.privileged_state() if self.has_privileged else None
        empty = [i for i, scene in enumerate(self.scenes.scenes) if scene is None]
        for rows in (state, *images.values(), *depth.values(), *(() if privileged is None else (privileged,))):
            rows[empty] = 0
        if self.has_depth:
            lenses = camera_intrinsics(self.robot, self.cameras, self.size)
            poses = self.world.camera_poses(self.cameras)
        else:
            lenses, poses = {}, {}
        return Observation(
            images, state, self.instructions, self.steps / CONTROL_HZ,
            depth=depth, intrinsics=lenses, extrinsics=poses, privileged=privileged,
        )  # fmt: skip

    def privileged_state(self) -> NDArray[np.float32]:
        """Return the simulator's state (n p) as one vector; what is absent is 0."""
        state = self.world.state()
        parts = [
            state.proprio, state.proprio_velocity, state.command, state.ee_pose.reshape(self.n, -1),
            state.body_pose[:, self._object_columns].reshape(self.n, -1),
            state.body_velocity[:, self._object_columns].reshape(self.n, -1), state.joint,
            *(self.view.position(name) for name in self._frames),
        ]  # fmt: skip
        return np.nan_to_num(np.concatenate(parts, axis=1)).astype(np.float32)

    @property
    def privileged_size(self) -> int:
        """The length of a world's privileged state."""
        d, a, columns = len(self.robot.action_limits), len(self.robot.arms), len(self._object_columns)
        return 3 * d + 7 * a + 10 * columns + len(self.scenes.names.joints) + 3 * len(self._frames)

    def render_camera(self, camera: str, size: ImageSize) -> NDArray[np.uint8]:
        """Return images (n h w 3) of one camera at any size, for films."""
        if self._remembered is None:
            raise ResetNeeded("reset the environment before rendering it")
        images, _ = self.world.render((resolve_name("camera", camera, self.robot.camera_names),), size)
        return images[camera]

    def snapshot(self, worlds: Sequence[int] | None = None) -> EnvSnapshot:
        """Return all that decides what comes next in some worlds, or in all."""
        if self._remembered is None:
            raise ResetNeeded("reset the environment before taking a snapshot of it")
        chosen = range(self.n) if worlds is None else worlds
        kept = self._remembered
        loaded = [i for i in chosen if self.scenes.scenes[i] is not None]
        return EnvSnapshot(
            seeds={i: self.seeds[i] for i in chosen},
            worlds=self.world.save(loaded),
            counters={
                i: (
                    int(self.steps[i]), bool(self.success[i]), bool(self.terminated[i]), bool(self.truncated[i]),
                    self.failure[i],
                )
                for i in chosen
            },
            latched={i: np.stack([self._latched[i], self._holds[i]]) for i in chosen},
            reward={i: (kept.stage[i].copy(), kept.potential[i].copy(), kept.scores[i].copy()) for i in chosen},
        )  # fmt: skip

    def restore(self, snapshot: EnvSnapshot) -> None:
        """Go back to a snapshot; its worlds must hold the scenes that they held then."""
        for i, seed in snapshot.seeds.items():
            if not self.seeds or self.seeds[i] != seed:
                raise UserError(f"world {i} holds another scene than the snapshot's, of seed {seed}; reset it first")
        assert self._remembered is not None
        self.world.restore(snapshot.worlds)
        kept = self._remembered
        stage, potential, scores = kept.stage.copy(), kept.potential.copy(), kept.scores.copy()
        for i, (steps, success, terminated, truncated, failure) in snapshot.counters.items():
            self.steps[i], self.success[i] = steps, success
            self.terminated[i], self.truncated[i], self.failure[i] = terminated, truncated, failure
            self._latched[i], self._holds[i] = snapshot.latched[i]
            stage[i], potential[i], scores[i] = snapshot.reward[i]
        self._remembered = RewardState(kept.applies, stage, potential, scores)

    def close(self) -> None:
        """Release the engine's threads and buffers."""
        self.world.close()

    def _load_settled(self, ready: Mapping[int, SettledScene | SceneFailure]) -> None:
        settled = {i: scene for i, scene in ready.items() if isinstance(scene, SettledScene)}
        if settled:
            compiled = {i: scene.compiled for i, scene in settled.items() if scene.compiled is not None}
            self.world.load({i: scene.scene for i, scene in settled.items()}, compiled)
            self.world.restore({i: scene.snapshot for i, scene in settled.items()})

    def _begin_world(self, i: int, ready: SettledScene | SceneFailure) -> None:
        failed = isinstance(ready, SceneFailure)
        self.scenes.set_scene(i, None if failed else ready.scene)
        if not failed:
            self.scenes.initial_body_pose[i] = ready.initial_body_pose
            self.scenes.initial_joint[i] = ready.initial_joint
        self.steps[i] = 0
        self.success[i] = self.terminated[i] = False
        self.truncated[i] = failed
        self.failure[i] = ready.reason if failed else ""
        self._latched[i] = False

    def _account(self, active: Mask) -> NDArray[np.float64]:
        """Update counters, latches and success after a control period, and return its reward (n,)."""
        assert self._remembered is not None
        for i, failure in self.world.failures().items():
            if active[i]:
                self.failure[i], self.truncated[i] = failure, True
                active = active & (np.arange(self.n) != i)
        view = self.view
        evaluation = self._condition.evaluate(view, self._latched)
        self._latched = np.where(active[:, None], evaluation.holds, self._latched)
        self._holds = np.where(active[:, None], evaluation.holds, self._holds)
        before, now = self.success, np.where(active, evaluation.success, self.success)
        reward, remembered = self._reward.step(view, evaluation, now & ~before & active, self._remembered)
        if remembered is not self._remembered:
            self._remembered = _merge_reward_states(active, remembered, self._remembered)
        self.success = now
        self.steps += active
        if self._stop:
            self.terminated |= active & now
        self.truncated |= active & ~self.terminated & (self.steps >= self.max_steps)
        return np.where(active, reward, 0.0)

    def _result(self, reward: NDArray[np.float64]) -> StepResult:
        info = {
            "predicates": self.predicates,
            "progress": self.progress,
            "failure": np.array(self.failure, dtype=object),
        }
        return StepResult(
            reward, self.terminated.copy(), self.truncated.copy(), self.success.copy(), self.steps / CONTROL_HZ, info
        )


def camera_intrinsics(robot: Embodiment, cameras: Sequence[str], size: ImageSize) -> dict[str, NDArray[np.float64]]:
    """Return K (3 3) of the named cameras of a robot for images of a (height, width)."""
    fields = {camera.name: camera.fovx for camera in robot.cameras}
    return {name: compute_intrinsics(vertical_field(fields[name], size), size) for name in cameras}


def _merge_reward_states(mask: Mask, new: RewardState, old: RewardState) -> RewardState:
    """Return the new state where `mask` (n,) is true, the old one elsewhere."""
    return RewardState(
        np.where(mask[:, None], new.applies, old.applies), np.where(mask, new.stage, old.stage),
        np.where(mask, new.potential, old.potential), np.where(mask[:, None], new.scores, old.scores),
    )  # fmt: skip


def _frames_of_interest(task: Task) -> tuple[str, ...]:
    """Return the named frames ("bell.top") that success predicates and plan speak of."""
    objects = {thing.name for thing in task.objects}
    frames: dict[str, None] = {}
    for item in (*task.success, *(part for skill in task.plan for part in skill.list_concurrent())):
        for value in item.args.values():
            for word in value if isinstance(value, tuple) else (value,):
                if isinstance(word, str) and "." in word and word.partition(".")[0] in objects:
                    frames[word] = None
    joints = {f"{o.name}.{part.joint}" for o in task.objects for s in o.variants for part in build_object(s).parts}
    return tuple(frame for frame in frames if frame not in joints)
