"""Gymnasium faces: `import sim.envs.gym` registers every task as aim/TaskName-v0, single and vector.

An action holds for one control period (20 ms). Success terminates; the task's horizon, or physics that failed,
truncates. Seeds are scenes: `reset(seed=s)` begins in the scene of seed s, every later reset in one that follows from it.
World i of a vector is, step for step, the single environment that was reset with its seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from sim import robots, tasks
from sim.camera import ImageSize
from sim.envs.env import Env
from sim.envs.scene_queue import SceneQueue
from sim.registry import resolve_name
from sim.task.rewards import RewardSet
from sim.types import CONTROL_HZ, UserError

MAX_SEED = 2**31 - 1
RENDER_SIZE: ImageSize = (240, 320)
RESET_OPTIONS = ("reset_mask",)


def env_id(task: str) -> str:
    """Return the Gymnasium id of a task: "click_bell" -> "aim/ClickBell-v0"."""
    return "aim/" + "".join(word.capitalize() for word in task.split("_")) + "-v0"


def observation_space(env: Env) -> spaces.Dict:
    """Return the space of one world's observation: an image a camera, the measured state, and what else was asked for."""
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


class TaskEnv(gymnasium.Env[Any, Any]):
    """One world of a task."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": CONTROL_HZ}  # noqa: RUF012 - Gymnasium's own interface

    def __init__(
        self,
        task: str,
        robot: str = "aloha",
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
    ) -> None:
        self.render_mode = _check_render_mode(render_mode)
        self.env = Env(
            tasks.load_task(task), robots.load_robot(robot), 1, cameras, size, variation=variation, depth=depth, reward=reward,
            control=control, normalized=normalized, privileged=privileged, max_steps=max_episode_steps,
        )  # fmt: skip
        self.max_episode_steps = self.env.max_steps
        self.observation_space = observation_space(self.env)
        self.action_space = action_space(self.env)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict, dict]:
        """Begin in the scene of `seed`, or in the next one."""
        super().reset(seed=None if seed is None else int(seed))
        _check_options(options, ())
        scene = _next_scene(self.np_random) if seed is None else int(seed)
        self.env.reset([scene])
        return {name: rows[0] for name, rows in _observe(self.env).items()}, self._info()

    def step(self, action: NDArray) -> tuple[dict, float, bool, bool, dict]:
        """Advance 20 ms."""
        step = self.env.step(np.asarray(action)[None, None])
        observation = {name: rows[0] for name, rows in _observe(self.env).items()}
        return observation, float(step.reward[0, 0]), bool(step.terminated[0]), bool(step.truncated[0]), self._info()

    def render(self) -> NDArray[np.uint8] | None:
        """Return the first camera's image (h w 3), where `render_mode` is "rgb_array"."""
        if self.render_mode is None:
            return None
        return self.env.render_camera(self.env.robot.camera_names[0], RENDER_SIZE)[0]

    def close(self) -> None:
        """Release everything."""
        self.env.close()

    def _info(self) -> dict[str, Any]:
        return {name: values[0] for name, values in _infos(self.env).items()}


class TaskVectorEnv(VectorEnv[Any, Any, NDArray]):
    """n worlds of a task, stepped together; what happens to a world that ended is up to `autoreset_mode`.

    `scene_workers` processes prepare the next scenes ahead, so that resets cost little.
    """

    metadata = {  # noqa: RUF012 - Gymnasium's own interface
        "render_modes": ["rgb_array"], "render_fps": CONTROL_HZ, "autoreset_mode": AutoresetMode.NEXT_STEP,
    }  # fmt: skip

    def __init__(
        self,
        num_envs: int,
        task: str,
        robot: str = "aloha",
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
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        scene_workers: int = 0,
    ) -> None:
        self.num_envs = num_envs
        self.render_mode = _check_render_mode(render_mode)
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**type(self).metadata, "autoreset_mode": self.autoreset_mode}
        self.env = Env(
            tasks.load_task(task), robots.load_robot(robot), num_envs, cameras, size, threads, variation=variation, depth=depth,
            reward=reward, control=control, normalized=normalized, privileged=privileged, max_steps=max_episode_steps,
        )  # fmt: skip
        self.max_episode_steps = self.env.max_steps
        self.single_observation_space = observation_space(self.env)
        self.single_action_space = action_space(self.env)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._random: list[np.random.Generator] = [seeding.np_random()[0] for _ in range(num_envs)]
        self._next: list[int] = []
        self._queue = SceneQueue(self.env, scene_workers) if scene_workers else None
        self._ended = np.zeros(num_envs, bool)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict, dict]:
        """Begin in the scenes of `seed`, `seed` + 1, … or of a list (None: the world's next scene).

        `options["reset_mask"]` (n,) says which worlds; the others go on.
        """
        _check_options(options, RESET_OPTIONS)
        mask = self._check_mask((options or {}).get("reset_mask"))
        seeds = self._check_seeds(seed)
        for i, given in enumerate(seeds):
            if given is not None and mask[i]:
                self._random[i] = seeding.np_random(given)[0]
        scenes = [_next_scene(self._random[i]) if s is None and mask[i] else s for i, s in enumerate(seeds)]
        now = self.env.seeds or (0,) * self.num_envs
        self._begin([now[i] if s is None or not mask[i] else s for i, s in enumerate(scenes)], mask)
        return _observe(self.env), _infos(self.env)

    def step(self, actions: NDArray) -> tuple[dict, NDArray, NDArray, NDArray, dict]:
        """Advance every world 20 ms; in next-step mode those that ended before are reset instead."""
        fresh = np.zeros(self.num_envs, bool)
        if self.autoreset_mode == AutoresetMode.NEXT_STEP and self._ended.any():
            fresh = self._ended.copy()
            self._begin_next(fresh)
        step = self.env.step(np.asarray(actions)[:, None], hold=fresh)
        self._ended = step.done & ~fresh
        terminated, truncated = step.terminated & ~fresh, step.truncated & ~fresh
        final: dict[str, Any] = {}
        if self.autoreset_mode == AutoresetMode.SAME_STEP and self._ended.any():
            final = self._final(self._ended)
            self._begin_next(self._ended)
        return _observe(self.env), step.reward[:, 0], terminated, truncated, _infos(self.env) | final

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """Return the first camera's images, where `render_mode` is "rgb_array"."""
        if self.render_mode is None:
            return None
        return tuple(self.env.render_camera(self.env.robot.camera_names[0], RENDER_SIZE))

    def close_extras(self, **_: Any) -> None:  # noqa: ANN401 - Gymnasium's own interface
        """Release everything."""
        if self._queue is not None:
            self._queue.close()
        self.env.close()

    def _begin_next(self, mask: NDArray[np.bool_]) -> None:
        self._begin([self._next[i] if mask[i] else self.env.seeds[i] for i in range(self.num_envs)], mask)

    def _begin(self, seeds: list[int], mask: NDArray[np.bool_]) -> None:
        """Reset some worlds to seeds, and draw the seeds that will follow in them."""
        wanted = {i: seeds[i] for i in np.flatnonzero(mask).tolist()}
        ready = self._queue.take(wanted) if self._queue is not None else None
        self.env.reset(seeds, None if mask.all() else mask, ready)
        self._ended &= ~mask
        self._next = self._next or [0] * self.num_envs
        for i in wanted:
            self._next[i] = _next_scene(self._random[i])
        if self._queue is not None:
            self._queue.prefetch([self._next[i] for i in wanted])

    def _final(self, ended: NDArray[np.bool_]) -> dict[str, Any]:
        """Return what same-step mode says of worlds that are about to be reset."""
        last = _observe(self.env)
        rows = np.empty(self.num_envs, dtype=object)
        for i in np.flatnonzero(ended):
            rows[i] = {name: values[i] for name, values in last.items()}
        infos = {name: values.copy() for name, values in _infos(self.env).items()}
        return {"final_obs": rows, "_final_obs": ended.copy(), "final_info": infos, "_final_info": ended.copy()}

    def _check_mask(self, mask: NDArray | None) -> NDArray[np.bool_]:
        if mask is None:
            return np.ones(self.num_envs, bool)
        values = np.asarray(mask)
        if values.dtype != np.bool_ or values.shape != (self.num_envs,) or not values.any():
            raise UserError(f"reset_mask must hold {self.num_envs} truth values, at least one of them true")
        return values

    def _check_seeds(self, seed: int | Sequence[int | None] | None) -> list[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, (int, np.integer)):
            return [int(seed) + i for i in range(self.num_envs)]
        if len(seed) != self.num_envs:
            raise UserError(f"{len(seed)} seeds for {self.num_envs} worlds; give one seed, or one a world")
        return [None if one is None else int(one) for one in seed]


def _next_scene(random: np.random.Generator) -> int:
    return int(random.integers(MAX_SEED))


def _observe(env: Env) -> dict[str, NDArray]:
    seen = env.observe()
    depth = {f"depth/{name}": values for name, values in seen.depth.items()}
    privileged = {} if seen.privileged is None else {"privileged": seen.privileged}
    return {**seen.images, "state": seen.state, **depth, **privileged}


def _infos(env: Env) -> dict[str, NDArray]:
    return {
        "scene": np.array(env.seeds),
        "instruction": np.array(env.instructions, dtype=object),
        "success": env.success.copy(),
        "is_success": env.success.copy(),
        "progress": env.progress,
        "predicates": env.predicates,
        "failure": np.array(env.failure, dtype=object),
    }


def _check_render_mode(mode: str | None) -> str | None:
    return None if mode is None else resolve_name("render mode", mode, ("rgb_array",))


def _check_options(options: Mapping[str, Any] | None, valid: Sequence[str]) -> None:
    for name in options or {}:
        resolve_name("reset option", name, tuple(valid) or ("none",))


for _name in tasks.list_tasks():
    gymnasium.register(
        env_id(_name), "sim.envs.gym:TaskEnv", vector_entry_point="sim.envs.gym:TaskVectorEnv", kwargs={"task": _name},
        disable_env_checker=True, order_enforce=False,
    )  # fmt: skip
