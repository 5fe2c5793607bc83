"""The torch vector keeps the contract of rsl_rl's VecEnv and is the Gymnasium vector in same-step mode."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from scenes import CLOSED, make_grip_task

from sim import robots
from sim.envs.gym import TaskVectorEnv
from sim.envs.torch_vec import TorchVecEnv

pytest.importorskip("tensordict", reason="the torch vector needs the extra `rl`")

OPTIONS = {"robot": "panda", "cameras": (), "privileged": True, "reward": "dense", "max_episode_steps": 4}
HOME = np.array(robots.load_robot("panda").home_action, np.float32)


def test_it_is_the_vector_in_tensors_over_several_resets() -> None:
    envs = TorchVecEnv(3, "click_bell", seed=5, **OPTIONS)
    plain = TaskVectorEnv(3, "click_bell", autoreset_mode=AutoresetMode.SAME_STEP, **OPTIONS)
    expected, _ = plain.reset(seed=5)
    rng = np.random.default_rng(0)
    assert (envs.num_envs, envs.num_actions, envs.max_episode_length) == (3, 8, 4)
    for step in range(10):
        seen = envs.get_observations()
        assert seen.batch_size == (3,) and set(seen.keys()) == {"state", "privileged"}
        for name, values in expected.items():
            np.testing.assert_array_equal(seen[name].numpy(), values)
        assert envs.episode_length_buf.tolist() == [step % 4] * 3
        action = np.tile(HOME, (3, 1)) + rng.uniform(-0.1, 0.1, (3, 8)).astype(np.float32)
        expected, reward, terminated, truncated, _ = plain.step(action)
        _, rewards, dones, extras = envs.step(torch.as_tensor(action))
        np.testing.assert_array_equal(rewards.numpy(), reward.astype(np.float32))
        assert rewards.dtype == torch.float32 and dones.tolist() == (terminated | truncated).astype(int).tolist()
        assert extras["time_outs"].tolist() == truncated.tolist()
        assert ("/success" in extras["log"]) == bool(dones.any())
    envs.episode_length_buf = torch.tensor([1, 2, 3])
    assert envs.step(torch.as_tensor(np.tile(HOME, (3, 1))))[2].tolist() == [0, 0, 1]
    envs.close()
    plain.close()


def test_a_success_is_an_end_and_no_time_out() -> None:
    options = {"robot": "panda", "cameras": (), "action_repeat": 2, "max_episode_steps": 3}
    envs = TorchVecEnv(3, make_grip_task(CLOSED), **options)
    open_, shut = HOME * 1.0, HOME * 1.0
    open_[-1], shut[-1] = 1.0, 0.0
    envs.episode_length_buf = torch.tensor([0, 1, 2])
    assert envs.episode_length_buf.tolist() == [0, 1, 2]
    _, rewards, dones, extras = envs.step(torch.as_tensor(np.stack([shut, open_, open_])))
    assert rewards.tolist() == [1.0, 0.0, 0.0]
    assert dones.tolist() == [1, 0, 1] and extras["time_outs"].tolist() == [False, False, True]
    assert extras["log"]["/success"] == 0.5
    assert envs.episode_length_buf.tolist() == [0, 2, 0]
    envs.close()
