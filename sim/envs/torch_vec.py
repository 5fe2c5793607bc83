"""The vector environment as torch tensors, after the contract of rsl_rl's `VecEnv` (extra `rl`: tensordict).

Worlds reset themselves within the step in which they end. Observations are a TensorDict of groups: "state", and
"privileged" or a group a camera where these were asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from torch import Tensor

from sim.envs.gym import TaskVectorEnv
from sim.types import UserError

if TYPE_CHECKING:
    from tensordict import TensorDict

    from sim.task.spec import Task


class TorchVecEnv:
    """n worlds of a task; keywords are those of `TaskVectorEnv`. The first reset has been made."""

    def __init__(self, num_envs: int, task: str | Task, *, device: str = "cpu", seed: int = 0, **options: Any) -> None:  # noqa: ANN401
        try:
            import tensordict  # noqa: F401
        except ImportError as error:
            raise UserError("the torch vector needs tensordict: pip install 'aim-world-action[rl]'") from error
        self.vector = TaskVectorEnv(num_envs, task, autoreset_mode=AutoresetMode.SAME_STEP, **options)
        self.num_envs = num_envs
        self.num_actions = len(self.vector.env.controller.names)
        self.max_episode_length = self.vector.max_episode_steps
        self.device = torch.device(device)
        self.cfg: dict[str, Any] = {"task": task, "seed": seed, **options}
        self._seen, _ = self.vector.reset(seed=seed)

    @property
    def episode_length_buf(self) -> Tensor:
        """Steps (n,) of the running episodes; may be set, so that worlds do not all run out of time together."""
        return torch.as_tensor(self.vector.env.steps // self.vector.action_repeat, device=self.device)

    @episode_length_buf.setter
    def episode_length_buf(self, lengths: Tensor) -> None:
        self.vector.env.steps[:] = lengths.cpu().numpy() * self.vector.action_repeat

    def get_observations(self) -> TensorDict:
        """Return the present observations."""
        from tensordict import TensorDict

        groups = {name: torch.as_tensor(np.asarray(values), device=self.device) for name, values in self._seen.items()}
        return TensorDict(groups, batch_size=[self.num_envs], device=self.device)

    def step(self, actions: Tensor) -> tuple[TensorDict, Tensor, Tensor, dict[str, Any]]:
        """Advance as `TaskVectorEnv.step`.

        Returns observations, rewards (n,), dones (n,), and extras with "time_outs" (n,) and "log".
        """
        self._seen, reward, terminated, truncated, info = self.vector.step(actions.detach().cpu().numpy())
        dones = torch.as_tensor(terminated | truncated, device=self.device)
        last = info.get("final_info", info)
        extras: dict[str, Any] = {"time_outs": torch.as_tensor(truncated, device=self.device), "log": {}}
        if dones.any():
            extras["log"]["/success"] = float(last["success"][terminated | truncated].mean())
        rewards = torch.as_tensor(reward, dtype=torch.float32, device=self.device)
        return self.get_observations(), rewards, dones.long(), extras

    def close(self) -> None:
        """Release everything."""
        self.vector.close()
