"""Policies from checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from aim import config
from aim.config import Run
from aim.data import transforms
from aim.data.mapping_file import recall_mapping
from aim.model import graphs, lora
from aim.model.verifier import Verifier
from aim.model.world_action_model import WorldActionModel
from aim.policy.checkpoint import (
    CANDIDATES_KEY,
    CODEC_FILE,
    EMA_FILE,
    FUTURES_KEY,
    HORIZON_KEY,
    NOISE_KEY,
    TICKET_FILE,
    TICKET_NAME,
    VERIFIER_FILE,
    load_module,
    load_trained,
    read_metadata,
    read_tensors,
    resolve_checkpoint,
)
from aim.policy.learned import ACTION_STEPS, VIDEO_STEPS, LearnedPolicy
from aim.policy.precision import ComputePrecision, cast_linear_weights, resolve_precision
from aim.policy.pretrained import build_codec, build_for_loading, check_fingerprint
from sim.types import UserError


def load_policy(
    path: Path | str, *, execution_horizon: int = 0, seed: int = 0, video_steps: int = VIDEO_STEPS,
    action_steps: int = ACTION_STEPS, imagine: bool = False, device: str = "cpu", compiled: bool = False,
    precision: ComputePrecision | None = None, worlds: Sequence[int] = (), candidates: int | None = None,
    futures: int | None = None,
) -> LearnedPolicy:  # fmt: skip
    """Return the policy of a checkpoint, or of the newest one in a run's folder; `UserError` where there is none.

    It computes in `precision`, if left out in that of the run; `compiled`, which takes a while once, pays on a GPU.
    A policy with a verifier chooses among `candidates` chunks for so many `futures`, if left out as many as the
    verifier learned from; a single candidate has a single future.
    """
    folder = resolve_checkpoint(Path(path))
    run = config.load_run(folder)
    place = torch.device(device)
    codec, model = build_codec(run, half=place.type == "cuda"), build_for_loading(run)
    load_module(folder / CODEC_FILE, codec)
    check_fingerprint(codec, run.weights)
    load_trained(folder / EMA_FILE, model)
    transform = transforms.read(folder, run.robot, run.model.action_dim, run.model.state_dim)
    precision = precision or resolve_precision(run.train.precision, place)
    if run.model.lora_rank:
        lora.merge_adapters(model)
    cast_linear_weights(model, precision)
    model = model.to(place)
    verifier, learned_from = load_verifier(folder / VERIFIER_FILE, model)
    if compiled:
        graphs.compile_inference(model)
    count = learned_from.candidates if candidates is None else candidates
    if futures is None:
        futures = learned_from.futures if count % learned_from.futures == 0 else 1
    return LearnedPolicy(
        run, transform, codec.to(place), model, execution_horizon=execution_horizon, seed=seed,
        video_steps=video_steps, action_steps=action_steps, imagine=imagine, precision=precision, worlds=worlds,
        mapping=recall_mapping(folder), verifier=verifier, candidates=count, futures=futures,
        candidate_noise_rad=learned_from.noise_rad, ticket=load_ticket(folder / TICKET_FILE, run, place),
    )  # fmt: skip


def load_ticket(path: Path, run: Run, device: torch.device) -> Tensor | None:
    """Return the noise (k d) in a file that every chunk is denoised from; None without a file."""
    if not path.exists():
        return None
    ((_, noise),) = read_tensors(path, {TICKET_NAME: torch.Size((run.model.chunk, run.model.action_dim))})
    return noise.to(device)


@dataclass(frozen=True)
class CandidateSettings:
    """How the candidates were made that a verifier learned from."""

    candidates: int = 1
    futures: int = 1
    noise_rad: float = 0.0  # of smooth noise in every other candidate


def load_verifier(path: Path, model: WorldActionModel) -> tuple[Verifier | None, CandidateSettings]:
    """Return the verifier in a file, and how its candidates were made; None without a file."""
    if not path.exists():
        return None, CandidateSettings()
    told = read_metadata(path)
    try:
        candidates, futures, horizon = (int(told[key]) for key in (CANDIDATES_KEY, FUTURES_KEY, HORIZON_KEY))
        noise_rad = float(told.get(NOISE_KEY, "0"))
    except (KeyError, ValueError) as error:
        raise UserError(f"{path} is damaged: it does not say what it learned from") from error
    verifier = Verifier(model, horizon)
    own = verifier.list_own_parameters()
    with torch.no_grad():
        for name, value in read_tensors(path, {name: value.shape for name, value in own.items()}):
            own[name].copy_(value)
    return verifier.eval(), CandidateSettings(candidates, futures, noise_rad)
