"""Settings of Stage II, stored beside what it makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from aim.config import Count, NotNegative, Positive, Probability, Size, check_ranges
from sim.task.values import Bound

RL_SCHEMA, RL_FILE = "aim.rl/1", "rl.json"
Method = Literal["verifier", "distill", "nft"]  # what is learned from tried chunks: `aim.rl.objectives`


@dataclass(frozen=True)
class RlConfig:
    """What decides a Stage II run; iteration 0 rolls the policy out as it is, for the critic to begin with."""

    policy: str  # SHA-256 of the policy that it starts from
    task: str  # name, or NAME-DIGEST of a task from a file
    variation: str
    method: Method
    episodes: Size  # of each iteration
    candidates: Annotated[int, Bound(ge=2)]  # chunks that are tried at each decision, the policy's own first
    futures: Size  # predicted at each decision, with equally many candidates for each
    batch: Size  # worlds that run beside each other
    first_seed: Count  # of the scenes: each iteration takes the next `episodes` of them
    seed: Count  # of sampling noise, learning and the critic
    steps: Size  # optimizer steps of each iteration
    batch_size: Size  # decisions a step
    lr: Positive
    temperature: Positive  # difference of success probability by which a candidate is e times as likely
    history: Size  # iterations whose trials are learned from, the newest ones
    min_auc: Probability  # of the critic over all decisions, for anything to be learned from it
    weight_decay: NotNegative = 0.01

    def __post_init__(self) -> None:
        """Refuse, with `UserError`, a number that is outside its range."""
        check_ranges(self)
