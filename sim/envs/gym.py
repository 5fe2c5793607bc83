"""The Gymnasium face: `import sim.envs.gym` registers every task as aim/TaskName-v0, single and vector.

An action holds for one control step (20 ms). The reward is 1 at the step that succeeds, else 0; success
terminates, the task's horizon truncates. Seeds are scenes: the same seed resets to the same scene. `variation` is
"clean", "random", or "random-eval" with the looks and words kept for evaluation.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from sim import robots, tasks
from sim.embodiment.model import Embodiment
from sim.envs.env import Env
from sim.types import CONTROL_HZ, Observation
from sim.world.render_gl import ImageSize

LARGEST_SEED = 2**31 - 1


def env_id(task: str) -> str:
    """Return the Gymnasium id of a task: "click_bell" -> "aim/ClickBell-v0"."""
    return "aim/" + "".join(word.capitalize() for word in task.split("_")) + "-v0"


def observation_space(robot: Embodiment, cameras: tuple[str, ...], size: ImageSize) -> spaces.Dict:
    """Return the space of one observation: a picture a camera, and the measured state."""
    pictures = {name: spaces.Box(0, 255, (*size, 3), np.uint8) for name in cameras}
    state = spaces.Box(-np.inf, np.inf, (len(robot.action_limits),), np.float32)
    return spaces.Dict({**pictures, "state": state})


def action_space(robot: Embodiment) -> spaces.Box:
    """Return the space of one action: joint targets (radians) and grippers (0 closed to 1 open)."""
    low, high = (np.array(side, np.float32) for side in zip(*robot.action_limits, strict=True))
    return spaces.Box(low, high, dtype=np.float32)


class TaskEnv(gymnasium.Env[Any, Any]):
    """One copy of a task."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": CONTROL_HZ}  # noqa: RUF012 - Gymnasium's own interface

    def __init__(
        self,
        task: str,
        robot: str = "aloha",
        size: ImageSize = (128, 128),
        variation: str = "clean",
        render_mode: str | None = None,
    ) -> None:
        self.render_mode = render_mode
        self._env = Env(tasks.load_task(task), robots.load_robot(robot), 1, size=size, variation=variation)
        self.observation_space = observation_space(self._env.robot, self._env.cameras, size)
        self.action_space = action_space(self._env.robot)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict, dict]:
        """Draw the scene of `seed`, or of the next random one."""
        super().reset(seed=seed)
        scene = int(self.np_random.integers(LARGEST_SEED)) if seed is None else seed
        self._env.reset([scene])
        return _rows(self._env.observe())[0], self._info(scene)

    def step(self, action: NDArray[np.float32]) -> tuple[dict, float, bool, bool, dict]:
        """Advance 20 ms."""
        step = self._env.advance(np.asarray(action)[None, None])
        success = bool(step.success[0])
        seen = _rows(self._env.observe())[0]
        return seen, float(success), success, bool(step.done[0]) and not success, self._info(self._env.seeds[0])

    def render(self) -> NDArray[np.uint8] | None:
        """Return the head camera's picture (h w 3), where `render_mode` is "rgb_array"."""
        if self.render_mode is None:
            return None
        return self._env.frames(self._env.cameras[0], (240, 320))[0]

    def close(self) -> None:
        """Let everything go."""
        self._env.close()

    def _info(self, scene: int) -> dict[str, Any]:
        return {"scene": scene, "instruction": self._env.instruction[0], "success": bool(self._env.success[0])}


class TaskVectorEnv(VectorEnv[Any, Any, NDArray]):
    """n copies stepped together; a copy that ended starts its next scene at the following step."""

    metadata = {  # noqa: RUF012 - Gymnasium's own interface
        "render_modes": [],
        "render_fps": CONTROL_HZ,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int,
        task: str,
        robot: str = "aloha",
        size: ImageSize = (128, 128),
        variation: str = "clean",
        threads: int = 1,
    ) -> None:
        self.num_envs = num_envs
        self._env = Env(
            tasks.load_task(task), robots.load_robot(robot), num_envs, size=size, threads=threads, variation=variation
        )
        self.single_observation_space = observation_space(self._env.robot, self._env.cameras, size)
        self.single_action_space = action_space(self._env.robot)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(self, *, seed: int | list[int] | None = None, options: dict[str, Any] | None = None) -> tuple[dict, dict]:
        """Draw the scenes of `seed`, `seed` + 1 … (or of a list), or random ones."""
        super().reset(seed=seed if isinstance(seed, int) else None)
        first = self.np_random.integers(LARGEST_SEED, size=self.num_envs).tolist() if seed is None else seed
        self._env.reset(range(first, first + self.num_envs) if isinstance(first, int) else first)
        return self._seen(), self._info()

    def step(self, actions: NDArray[np.float32]) -> tuple[dict, NDArray, NDArray, NDArray, dict]:
        """Advance every copy 20 ms; those that ended before are reset instead."""
        over = self._env.done.copy()
        if over.any():
            fresh = self.np_random.integers(LARGEST_SEED, size=self.num_envs)
            self._env.restart(np.where(over, fresh, self._env.seeds).tolist(), over)
        step = self._env.advance(np.asarray(actions)[:, None], hold=over)
        reward = np.where(over, 0.0, step.success.astype(float))
        return self._seen(), reward, step.success & ~over, step.done & ~step.success & ~over, self._info()

    def close_extras(self, **_: Any) -> None:  # noqa: ANN401 - Gymnasium's own interface
        """Let everything go."""
        self._env.close()

    def _seen(self) -> dict[str, NDArray]:
        seen = self._env.observe()
        return {**seen.images, "state": seen.state}

    def _info(self) -> dict[str, Any]:
        instructions = np.array(self._env.instruction, dtype=object)
        return {"scene": np.array(self._env.seeds), "instruction": instructions, "success": self._env.success.copy()}


def _rows(seen: Observation) -> list[dict[str, NDArray]]:
    return [
        {**{name: pictures[i] for name, pictures in seen.images.items()}, "state": seen.state[i]}
        for i in range(len(seen.state))
    ]


for _name in tasks.list_tasks():
    gymnasium.register(
        env_id(_name),
        "sim.envs.gym:TaskEnv",
        vector_entry_point="sim.envs.gym:TaskVectorEnv",
        kwargs={"task": _name},
        disable_env_checker=True,
        order_enforce=False,
    )
