"""Plain PPO (stable-baselines3) learns a task from privileged state with the dense reward; `learn_ppo.sh` runs it.

Prints the success of 50 episodes in scenes that training has not seen, before and after.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from sim.envs.gym import TaskVectorEnv

FIRST_EVALUATION_SEED = 1_000_000  # scenes of training follow from seeds 0 … n-1 and are drawn from 2^31
ACTION_REPEAT = 5  # 10 decisions a second


class PrivilegedVecEnv(VecEnv):
    """`TaskVectorEnv` after the contract of stable-baselines3; the observation is the privileged state."""

    def __init__(self, envs: TaskVectorEnv) -> None:
        self.envs = envs
        space = envs.single_observation_space["privileged"]  # type: ignore[index] - a Dict space
        super().__init__(envs.num_envs, space, envs.single_action_space)
        self._actions: NDArray = np.zeros(envs.action_space.shape)

    def reset(self) -> NDArray[np.float32]:
        """Begin in the scenes of the seeds given to `seed`, or in the next ones."""
        observation, _ = self.envs.reset(seed=self._seeds if any(s is not None for s in self._seeds) else None)
        self._reset_seeds()
        return observation["privileged"]

    def step_async(self, actions: NDArray) -> None:
        """Remember the actions of the step."""
        self._actions = actions

    def step_wait(self) -> tuple[NDArray, NDArray, NDArray, list[dict[str, Any]]]:
        """Step; worlds that ended have begun anew, and their last observation is in their info."""
        observation, reward, terminated, truncated, infos = self.envs.step(self._actions)
        done = terminated | truncated
        rows: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(done):
            rows[i] = {
                "terminal_observation": infos["final_obs"][i]["privileged"],
                "TimeLimit.truncated": bool(truncated[i] and not terminated[i]),
                "is_success": bool(infos["final_info"]["is_success"][i]),
            }
        return observation["privileged"], reward, done, rows

    def close(self) -> None:
        """Release everything."""
        self.envs.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:  # noqa: ANN401 - the contract's own
        """Return an attribute of the vector, once a world."""
        return [vars(self.envs).get(attr_name)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:  # noqa: ANN401
        """Worlds have no attributes of their own."""
        raise NotImplementedError

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:  # noqa: ANN401
        """Worlds have no methods of their own."""
        raise NotImplementedError

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:  # noqa: ANN401
        """No world is wrapped."""
        return [False] * self.num_envs


class Progress(BaseCallback):
    """Prints how many of the episodes that ended since the last line succeeded, and stops training in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds, self._begun, self._ended = seconds, time.monotonic(), []

    def _on_step(self) -> bool:
        self._ended += [info["is_success"] for info in self.locals["infos"] if "is_success" in info]
        return time.monotonic() - self._begun < self._seconds

    def _on_rollout_end(self) -> None:
        if self._ended:
            minutes = (time.monotonic() - self._begun) / 60
            print(
                f"{minutes:5.1f} min {self.num_timesteps:8d} steps {np.mean(self._ended):6.1%} of {len(self._ended)}",
                flush=True,
            )
            self._ended = []


def make_envs(task: str, robot: str, n: int, max_episode_steps: int | None, autoreset: AutoresetMode) -> TaskVectorEnv:
    """Return worlds without pictures, moved by normalised end-effector deltas."""
    return TaskVectorEnv(
        n, task, robot, cameras=(), privileged=True, reward="dense", control="ee_delta", normalized=True,
        max_episode_steps=max_episode_steps, action_repeat=ACTION_REPEAT, autoreset_mode=autoreset,
    )  # fmt: skip


def evaluate(task: str, robot: str, act: Callable[[NDArray], NDArray], seeds: Sequence[int]) -> float:
    """Return the success of one episode a seed, of the task's whole horizon."""
    envs = make_envs(task, robot, len(seeds), None, AutoresetMode.DISABLED)
    observation, _ = envs.reset(seed=list(seeds))
    ended = np.zeros(len(seeds), bool)
    while not ended.all():
        observation, _, terminated, truncated, infos = envs.step(act(observation["privileged"]))
        ended = terminated | truncated
    envs.close()
    return float(infos["is_success"].mean())


def main() -> None:
    """Train and evaluate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="click_bell")
    parser.add_argument("--robot", default="panda")
    parser.add_argument("--steps", type=int, default=400_000, help="decisions, of 100 ms each")
    parser.add_argument("--minutes", type=float, default=18.0, help="training ends at the latest after so many")
    parser.add_argument("--worlds", type=int, default=16)
    parser.add_argument("--episode", type=int, default=50, help="decisions an episode in training")
    parser.add_argument("--evaluations", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)

    envs = PrivilegedVecEnv(
        make_envs(options.task, options.robot, options.worlds, options.episode, AutoresetMode.SAME_STEP)
    )
    normalized = VecNormalize(envs, gamma=0.97, clip_obs=5.0)
    model = PPO(
        "MlpPolicy", normalized, n_steps=128, batch_size=512, n_epochs=8, gamma=0.97, gae_lambda=0.95,
        learning_rate=5e-4, ent_coef=0.0, seed=options.seed, device="cpu",
        policy_kwargs={"net_arch": [128, 128], "log_std_init": -0.5},
    )  # fmt: skip

    def act(observation: NDArray) -> NDArray:
        return model.predict(normalized.normalize_obs(observation), deterministic=True)[0]

    seeds = range(FIRST_EVALUATION_SEED, FIRST_EVALUATION_SEED + options.evaluations)
    before = evaluate(options.task, options.robot, act, seeds)
    print(f"before: {before:.0%} of {options.evaluations}", flush=True)
    begun = time.monotonic()
    model.learn(options.steps, callback=Progress(60 * options.minutes))
    minutes = (time.monotonic() - begun) / 60
    after = evaluate(options.task, options.robot, act, seeds)
    print(
        f"{options.task} on {options.robot}: {before:.0%} before, {after:.0%} after {model.num_timesteps} steps "
        f"in {minutes:.1f} minutes, {options.evaluations} episodes each"
    )


if __name__ == "__main__":
    main()
