# ruff: noqa: F722
"""The verifier: how likely a chunk of actions is to lead to success, by what the action expert sees.

A copy of the action expert reads a finished chunk against the same cache of keys and values that it was denoised
against, and says one number. Of several chunks sampled for one imagined future the policy carries out the one with the
highest score. Weights that are not the expert's are shared with the model, and never change.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from aim.model.batch import KvCache
from aim.model.world_action_model import Head, WorldActionModel


def fork_action_expert(model: WorldActionModel) -> WorldActionModel:
    """Model whose action expert is a copy; all other weights are those of `model`, not copies of them."""
    expert = model.list_action_expert_parameters()
    with torch.random.fork_rng(), torch.device("meta"):
        fork = WorldActionModel(model.config)
    weights = {name: value.detach().clone() if name in expert else value for name, value in model.state_dict().items()}
    fork.load_state_dict(weights, assign=True)
    kept = fork.state_dict().keys()
    for name, value in model.named_buffers():  # those that no state holds
        if name not in kept:
            owner, _, own_name = name.rpartition(".")
            fork.get_submodule(owner).register_buffer(own_name, value, persistent=False)
    fork.trunk.attention_backend = model.trunk.attention_backend
    return fork.eval().requires_grad_(False)


class Verifier(nn.Module):
    """Scores of chunks, in differences of the probability of success; it starts with 0 for every chunk."""

    def __init__(self, model: WorldActionModel, execution_horizon: int) -> None:
        """Copy the action expert of `model`; `execution_horizon` control steps of a chunk are judged."""
        super().__init__()
        self.model = fork_action_expert(model)
        self.model.heads["a"] = Head(model.config.action_width, 1).to(next(model.parameters()).device)
        self.execution_horizon = execution_horizon
        self.num_tokens = -(-execution_horizon // model.config.action_patch)

    def list_own_parameters(self) -> dict[str, nn.Parameter]:
        """Parameters that are the verifier's alone, by name: those that are trained and stored."""
        return self.model.list_action_expert_parameters()

    def forward(self, cache: KvCache, chunks: Float[Tensor, "b c k d"]) -> Float[Tensor, "b c"]:
        """Return the scores of c chunks of each row, given the cache of the row."""
        said = self.model.run_action_expert(cache, chunks, chunks.new_zeros(1))
        return said[:, :, : self.num_tokens, 0].mean(2)
