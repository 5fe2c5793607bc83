"""Gymnasium faces: `import sim.envs.gym` registers every task as aim/TaskName-v0, single and vector.

An action holds for `action_repeat` control periods (20 ms each). Success terminates; the task's horizon, physics that
failed and a seed without a usable scene truncate, the latter two with the reason in `info["failure"]`.

Seeds are scenes: `reset(seed=s)` begins in the scene of seed s, every later reset in one that follows from it.
World i of a vector is, step for step, the single environment that was reset with its seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import index
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import EzPickle, seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from sim import DEFAULT_ROBOT, robots, tasks
from sim.camera import ImageSize
from sim.embodiment.model import Embodiment
from sim.envs.env import Env, StepResult
from sim.envs.scene_queue import SceneQueue
from sim.registry import resolve_name
from sim.task.rewards import RewardSet
from sim.task.spec import Task
from sim.types import CONTROL_HZ, ResetNeeded, UserError

MAX_SCENE_SEED = 2**31 - 1
RENDER_SIZE: ImageSize = (240, 320)
RENDER_MODES = ("rgb_array",)


class EpisodeNotBegun(ResetNeeded, gymnasium.error.ResetNeeded):
    """`ResetNeeded` as code that knows only Gymnasium expects it."""


def load_values(task: str | Task, robot: str | Embodiment) -> tuple[Task, Embodiment]:
    """Return a task and a robot that were given by name or as values."""
    return (
        tasks.load_task(task) if isinstance(task, str) else task,
        robots.load_robot(robot) if isinstance(robot, str) else robot,
    )


def env_id(task: str) -> str:
    """Return the Gymnasium id of a task: "click_bell" -> "aim/ClickBell-v0"."""
    return "aim/" + "".join(word.capitalize() for word in task.split("_")) + "-v0"


def observation_space(env: Env) -> spaces.Dict:
    """Return the space of one world's observation: images by camera, measured state, and what else was asked for."""
    height, width = env.size
    images = {name: spaces.Box(0, 255, (height, width, 3), np.uint8) for name in env.cameras}
    state = {"state": spaces.Box(-np.inf, np.inf, (len(env.robot.action_limits),), np.float32)}
    if env.has_depth:
        state |= {f"depth/{name}": spaces.Box(0, np.inf, (height, width), np.float32) for name in env.cameras}
    if env.has_privileged:
        state["privileged"] = spaces.Box(-np.inf, np.inf, (env.privileged_size,), np.float32)
    return spaces.Dict({**images, **state})


def action_space(env: Env) -> spaces.Box:
    """Return the space of one world's action in the environment's control mode."""
    low, high = env.controller.low.astype(np.float32), env.controller.high.astype(np.float32)
    return spaces.Box(low, high, dtype=np.float32)


class SeedStream:
    """The seeds of one world's scenes: the one that was given, then those that Gymnasium's generator draws from it."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = seeding.np_random(seed)[0]
        self._given = seed
        self._drawn: int | None = None

    def peek(self) -> int:
        """Return the seed of the next scene without using it up."""
        if self._given is not None:
            return self._given
        if self._drawn is None:
            self._drawn = int(self._random.integers(MAX_SCENE_SEED))
        return self._drawn

    def take(self) -> int:
        """Return the seed of the next scene, and use it up."""
        seed = self.peek()
        self._given = self._drawn = None
        return seed


class TaskEnv(gymnasium.Env[Any, Any], EzPickle):
    """One world of a task; keywords are those of `sim.envs.env.Env`.

    `max_episode_steps` None means the task's horizon. An episode that ended stands still until it is reset.
    """

    metadata = {"render_modes": list(RENDER_MODES), "render_fps": CONTROL_HZ}  # noqa: RUF012 - Gymnasium's interface

    def __init__(
        self,
        task: str | Task,
        robot: str | Embodiment = DEFAULT_ROBOT,
        size: ImageSize = (128, 128),
        variation: str = "clean",
        render_mode: str | None = None,
        cameras: Sequence[str] | None = None,
        depth: bool = False,
        privileged: bool = False,
        reward: str | RewardSet = "sparse",
        control: str = "joint_position",
        normalized: bool = False,
        max_episode_steps: int | None = None,
        action_repeat: int = 1,
        track_progress: bool = False,
    ) -> None:
        EzPickle.__init__(
            self, task, robot, size, variation, render_mode, cameras, depth, privileged, reward, control, normalized,
            max_episode_steps, action_repeat, track_progress,
        )  # fmt: skip
        self.render_mode = _check_render_mode(render_mode)
        self.env = Env(
            *load_values(task, robot), 1, cameras, size, variation=variation, depth=depth,
            reward=reward, control=control, normalized=normalized, privileged=privileged,
            track_progress=track_progress,
            max_steps=_count_control_steps(max_episode_steps, action_repeat),
        )  # fmt: skip
        self.action_repeat = action_repeat
        self.metadata = {**type(self).metadata, "render_fps": CONTROL_HZ / action_repeat}
        self.max_episode_steps = -(-self.env.max_steps // action_repeat)
        self.observation_space = observation_space(self.env)
        self.action_space: spaces.Box = action_space(self.env)  # pyright: ignore[reportIncompatibleVariableOverride]
        self._seeds = SeedStream()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict, dict]:
        """Begin in the scene of `seed`, or in the next one."""
        _check_options(options, ())
        given = None if seed is None else _check_seed(seed)
        super().reset(seed=given)
        if given is not None:
            self._seeds = SeedStream(given)
        self.env.reset([self._seeds.take()])
        return self._observe(), self._info()

    def step(self, action: ArrayLike) -> tuple[dict, float, bool, bool, dict]:
        """Advance `action_repeat` control periods; the reward is their sum."""
        _require_reset(self.env)
        step = _step(self.env, _check_action(action, self.action_space)[None], self.action_repeat)
        reward = float(step.reward[0].sum())
        return self._observe(), reward, bool(step.terminated[0]), bool(step.truncated[0]), self._info()

    def render(self) -> NDArray[np.uint8] | None:
        """Return the first camera's image (h w 3), where `render_mode` is "rgb_array"."""
        frames = _render(self.env, self.render_mode)
        return None if frames is None else frames[0]

    def close(self) -> None:
        """Release everything."""
        self.env.close()

    def _observe(self) -> dict[str, NDArray]:
        return {name: rows[0] for name, rows in _observe(self.env).items()}

    def _info(self) -> dict[str, Any]:
        rows = _infos(self.env).items()
        return {name: values.tolist()[0] if values.ndim == 1 else values[0] for name, values in rows}


class TaskVectorEnv(VectorEnv[Any, Any, NDArray]):
    """n worlds of a task, stepped together; keywords are those of `TaskEnv`.

    What happens to a world that ended is up to `autoreset_mode`; where it is "Disabled" it stands still until it is
    reset. `threads` step physics; `scene_workers` processes prepare the next scenes, so that resets cost little.
    """

    metadata = {  # noqa: RUF012 - Gymnasium's interface
        "render_modes": list(RENDER_MODES), "render_fps": CONTROL_HZ, "autoreset_mode": AutoresetMode.NEXT_STEP,
    }  # fmt: skip

    def __init__(
        self,
        num_envs: int,
        task: str | Task,
        robot: str | Embodiment = DEFAULT_ROBOT,
        size: ImageSize = (128, 128),
        variation: str = "clean",
        threads: int = 1,
        render_mode: str | None = None,
        cameras: Sequence[str] | None = None,
        depth: bool = False,
        privileged: bool = False,
        reward: str | RewardSet = "sparse",
        control: str = "joint_position",
        normalized: bool = False,
        max_episode_steps: int | None = None,
        action_repeat: int = 1,
        track_progress: bool = False,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        scene_workers: int = 0,
    ) -> None:
        self.num_envs = num_envs
        self.render_mode = _check_render_mode(render_mode)
        self.autoreset_mode = _check_autoreset_mode(autoreset_mode)
        self.env = Env(
            *load_values(task, robot), num_envs, cameras, size, threads, variation=variation,
            depth=depth, reward=reward, control=control, normalized=normalized, privileged=privileged,
            track_progress=track_progress,
            max_steps=_count_control_steps(max_episode_steps, action_repeat),
        )  # fmt: skip
        self.action_repeat = action_repeat
        self.metadata = {
            **type(self).metadata, "render_fps": CONTROL_HZ / action_repeat, "autoreset_mode": self.autoreset_mode,
        }  # fmt: skip
        self.max_episode_steps = -(-self.env.max_steps // action_repeat)
        self.single_observation_space = observation_space(self.env)
        self.single_action_space = action_space(self.env)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        batched = batch_space(self.single_action_space, num_envs)
        assert isinstance(batched, spaces.Box)
        self.action_space: spaces.Box = batched  # pyright: ignore[reportIncompatibleVariableOverride]
        self._seeds = [SeedStream() for _ in range(num_envs)]
        self._queue = SceneQueue(self.env, scene_workers) if scene_workers else None
        self._ended = np.zeros(num_envs, bool)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict, dict]:
        """Begin in the scenes of `seed`, `seed` + 1, … or of a list (None: the world's next scene).

        `options["reset_mask"]` (n,) says which worlds; the others go on.
        """
        _check_options(options, ("reset_mask",))
        mask = self._check_mask((options or {}).get("reset_mask"))
        for i, given in enumerate(self._check_seeds(seed)):
            if given is not None and mask[i]:
                self._seeds[i] = SeedStream(given)
        self.begin_scenes(mask)
        return _observe(self.env), _vector_infos(self.env, mask)

    def step(self, actions: ArrayLike) -> tuple[dict, NDArray, NDArray, NDArray, dict]:
        """Advance every world as `TaskEnv.step`; in next-step mode those that ended before are reset instead."""
        _require_reset(self.env)
        values = _check_action(actions, self.action_space)
        fresh = np.zeros(self.num_envs, bool)
        if self.autoreset_mode == AutoresetMode.NEXT_STEP and self._ended.any():
            fresh = self._ended.copy()
            self.begin_scenes(fresh)
        step = _step(self.env, values, self.action_repeat, hold=fresh)
        terminated, truncated = step.terminated & ~fresh, step.truncated & ~fresh
        self._ended = terminated | truncated
        final: dict[str, Any] = {}
        if self.autoreset_mode == AutoresetMode.SAME_STEP and self._ended.any():
            final = self._final(self._ended)
            self.begin_scenes(self._ended)
        infos = _vector_infos(self.env, np.ones(self.num_envs, bool)) | final
        return _observe(self.env), step.reward.sum(axis=1), terminated, truncated, infos

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """Return the first camera's images, where `render_mode` is "rgb_array"."""
        frames = _render(self.env, self.render_mode)
        return None if frames is None else tuple(frames)

    def close_extras(self, **_: Any) -> None:  # noqa: ANN401 - Gymnasium's interface
        """Release everything."""
        if self._queue is not None:
            self._queue.close()
        self.env.close()

    def begin_scenes(self, mask: NDArray[np.bool_]) -> None:
        """Reset the worlds where `mask` (n,) is true to their next scenes, and have those that follow prepared."""
        if not self.env.seeds and not mask.all():
            raise EpisodeNotBegun("the first reset must start all worlds")
        seeds = [stream.take() if mask[i] else self.env.seeds[i] for i, stream in enumerate(self._seeds)]
        chosen = np.flatnonzero(mask).tolist()
        ready = {} if self._queue is None else self._queue.take({i: seeds[i] for i in chosen})
        self.env.reset(seeds, mask, ready)
        self._ended = self._ended & ~mask
        if self._queue is not None:
            self._queue.prefetch([self._seeds[i].peek() for i in chosen])

    def _final(self, ended: NDArray[np.bool_]) -> dict[str, Any]:
        """Return what same-step mode says of worlds that are about to be reset."""
        last = _observe(self.env)
        rows = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(ended):
            rows[i] = {name: values[i] for name, values in last.items()}
        return {
            "final_obs": rows, "_final_obs": ended.copy(),
            "final_info": _vector_infos(self.env, ended), "_final_info": ended.copy(),
        }  # fmt: skip

    def _check_mask(self, mask: ArrayLike | None) -> NDArray[np.bool_]:
        if mask is None:
            return np.ones(self.num_envs, bool)
        values = np.asarray(mask)
        if values.dtype != np.bool_ or values.shape != (self.num_envs,) or not values.any():
            raise UserError(f"reset_mask must hold {self.num_envs} truth values, at least one of them true")
        return values

    def _check_seeds(self, seed: int | Sequence[int | None] | NDArray | None) -> list[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, Sequence) or (isinstance(seed, np.ndarray) and seed.ndim):
            if len(seed) != self.num_envs:
                raise UserError(f"{len(seed)} seeds for {self.num_envs} worlds; give one seed, or one a world")
            return [None if one is None else _check_seed(one) for one in seed]
        first = _check_seed(seed)
        return [first + i for i in range(self.num_envs)]


def _check_seed(seed: Any) -> int:  # noqa: ANN401 - from outside
    try:
        value = index(seed)
    except TypeError:
        value = -1
    if value < 0 or isinstance(seed, (bool, np.bool_)):
        raise UserError(f"seed {seed!r} is not valid; valid: whole numbers from 0, or None")
    return value


def _check_action(action: ArrayLike, space: spaces.Box) -> NDArray[np.float64]:
    values = np.asarray(action, float)
    if values.shape != space.shape:
        raise UserError(f"the action has shape {values.shape}; valid: {space.shape}")
    return values


def _check_render_mode(mode: str | None) -> str | None:
    return None if mode is None else resolve_name("render mode", mode, RENDER_MODES)


def _check_autoreset_mode(mode: AutoresetMode | str) -> AutoresetMode:
    if isinstance(mode, AutoresetMode):
        return mode
    return AutoresetMode(resolve_name("autoreset mode", mode, tuple(valid.value for valid in AutoresetMode)))


def _check_options(options: Mapping[str, Any] | None, valid: Sequence[str]) -> None:
    for name in options or {}:
        resolve_name("reset option", name, tuple(valid) or ("none",))


def _count_control_steps(max_episode_steps: int | None, action_repeat: int) -> int | None:
    """Return how many control steps an episode may have; None: as many as the task's horizon."""
    if action_repeat < 1:
        raise UserError(f"action_repeat is {action_repeat}; valid: 1 and more")
    if max_episode_steps is None:
        return None
    if max_episode_steps < 1:
        raise UserError(f"max_episode_steps is {max_episode_steps}; valid: 1 and more, or None for the task's horizon")
    return max_episode_steps * action_repeat


def _require_reset(env: Env) -> None:
    if not env.seeds:
        raise EpisodeNotBegun("reset the environment before stepping or rendering it")


def _step(env: Env, actions: NDArray, repeat: int, hold: NDArray[np.bool_] | None = None) -> StepResult:
    """Hold actions (n d) for some control periods."""
    return env.step(np.repeat(actions[:, None], repeat, axis=1), hold)


def _render(env: Env, mode: str | None) -> NDArray[np.uint8] | None:
    if mode is None:
        return None
    _require_reset(env)
    return env.render_camera(env.robot.camera_names[0], RENDER_SIZE)


def _observe(env: Env) -> dict[str, NDArray]:
    seen = env.observe()
    depth = {f"depth/{name}": values for name, values in seen.depth.items()}
    privileged = {} if seen.privileged is None else {"privileged": seen.privileged}
    return {**seen.images, "state": seen.state, **depth, **privileged}


def _infos(env: Env) -> dict[str, NDArray]:
    infos = {
        "scene": np.array(env.seeds),
        "instruction": np.array(env.instructions, dtype=object),
        "success": env.success.copy(),
        "is_success": env.success.copy(),
        "predicates": env.predicates,
        "failure": np.array(env.failure, dtype=object),
    }
    return infos | ({"progress": env.progress} if env.tracks_progress else {})


def _vector_infos(env: Env, mask: NDArray[np.bool_]) -> dict[str, NDArray]:
    """Return infos as Gymnasium's vectors have them: with a mask a name, and nothing in rows that it leaves out."""
    infos: dict[str, NDArray] = {}
    for name, values in _infos(env).items():
        absent = np.full_like(values, None if values.dtype == object else 0)
        infos[name] = np.where(mask.reshape(-1, *[1] * (values.ndim - 1)), values, absent)
        infos[f"_{name}"] = mask.copy()
    return infos


for _name in tasks.list_tasks():
    gymnasium.register(
        env_id(_name), "sim.envs.gym:TaskEnv", vector_entry_point="sim.envs.gym:TaskVectorEnv", kwargs={"task": _name},
        disable_env_checker=True, order_enforce=False,
    )  # fmt: skip
