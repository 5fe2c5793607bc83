"""The learned policy: pictures and joints in, a chunk of joint targets out.

Its memory is a value: `step(observation, memory)` returns the chunk and the next memory. `act` keeps that value between
calls, as the simulator and the server want it. A chunk is longer than what is carried out: the first `execute` actions
are returned, then the world is looked at again. The past is known where an observation was made exactly one latent
frame ago: so `execute` should divide the control steps of a frame, 16 (16, 8 or 4), else the model acts without past.

What a world does depends on what it sees, on the policy's seed, on the number of the world and on its own time alone:
its noise is drawn from (policy seed, world number, control step). In an evaluation the number is the seed of the scene,
so neither the batch nor the place in it matters; worlds of one scene that are numbered apart act apart.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aim import config
from aim.config import Run
from aim.data import latents, transforms
from aim.data.patch_points import compute_observed_points
from aim.data.transforms import Transform
from aim.model import canvas, graphs, lora, text
from aim.model.aim import AIM
from aim.model.batch import Context, Imagined
from aim.model.codec import Kind, PictureCodec
from aim.model.flow import Draws
from aim.train import checkpoint, precision, pretrained, schedule
from aim.train.precision import ComputePrecision
from sim.types import CONTROL_HZ, ActionChunk, Observation, UserError

VIDEO_STEPS, ACTION_STEPS = 2, 4  # more of them changed nothing that counts: scripts/steps.sh


@dataclass(frozen=True)
class Memory:
    """What the policy remembers of n copies. `step` is -1 where a copy has not been seen yet."""

    step: NDArray[np.int64]  # (n,) control step of the last observation
    began: NDArray[np.int64]  # (n,) control step of the first one
    seen: tuple[tuple[NDArray[np.int64], Tensor], ...]  # control steps (n,) and rgb tokens (n t c), oldest first
    done: NDArray[np.float32]  # (n q d) the last actions that were carried out
    planned: NDArray[np.float32]  # (n k d) the last chunk that was returned


class LearnedPolicy:
    """A `sim.types.Policy` from a checkpoint."""

    def __init__(
        self, run: Run, transform: Transform, codec: PictureCodec, model: AIM, *, execute: int = 0, seed: int = 0,
        video_steps: int = VIDEO_STEPS, action_steps: int = ACTION_STEPS, imagine: bool = False,
        number: ComputePrecision = "fp32", worlds: Sequence[int] = (),
    ) -> None:  # fmt: skip
        """Hold the parts; `execute` 0 stands for what the run says, `imagine` asks for predicted pictures and maps.

        `worlds` are the numbers that tell the noise of n worlds apart; 0 to n - 1 if left out.
        """
        if not 0 <= execute <= run.model.chunk:
            raise UserError(f"execute must lie in 1 to {run.model.chunk}, the length of a chunk")
        self.run, self.transform, self.codec, self.model = run, transform, codec.eval(), model.eval()
        self.execute = execute or run.data.execute
        self.seed, self.video_steps, self.action_steps = seed, video_steps, action_steps
        self.imagine, self.worlds = imagine, tuple(worlds)
        self.number: ComputePrecision = number
        self.device = next(model.parameters()).device
        self.valid = torch.tensor(transform.action.moves, device=self.device)
        self.memory: Memory | None = None
        self.grids = canvas.grids(run.codec)

    @property
    def cameras(self) -> tuple[str, ...]:
        """The cameras whose pictures an observation must hold."""
        return tuple(view.name for view in self.run.codec.views)

    def reset(self, mask: NDArray[np.bool_]) -> None:
        """Forget the history of the copies where `mask` (n,) is true."""
        if self.memory is None or len(mask) != len(self.memory.step):
            self.memory = None
        else:
            self.memory = forgotten(self.memory, mask)

    def act(self, observation: Observation) -> ActionChunk:
        """Return the next `execute` actions of all copies; `UserError` where the observation lacks a camera."""
        known = self.memory
        if known is None or len(known.step) != len(observation.state):
            known = fresh(self.run, len(observation.state))
        chunk, self.memory = self.step(observation, known)
        return chunk

    @torch.inference_mode()
    def step(self, observation: Observation, memory: Memory) -> tuple[ActionChunk, Memory]:
        """Return the chunk for an observation, given what is remembered, and what to remember next."""
        now = np.round(np.asarray(observation.time) * CONTROL_HZ).astype(np.int64)
        memory = observed(forgotten(memory, now < memory.step), now)
        tokens = self.codec.encode(self._pictures(observation), "rgb")  # in full, as when the model was trained
        with precision.autocast(self.number, self.device):
            context = self.context(observation, memory, tokens)
            action, future = self.model.act(
                context, self.video_steps, self.action_steps, self._draws(now), self.valid, self.imagine,
                self.maps(len(now)),
            )  # fmt: skip
        state = observation.state.astype(np.float32)
        planned = self.transform.action_out(action.float().cpu().numpy(), state)[:, : self.execute]
        extras = self._pictured(future) if self.imagine else {}
        kept = self.run.model.past_frames * self._stride // max(self.execute, 1) + 1
        seen = (*memory.seen, (now, tokens))[-kept:]
        return ActionChunk(planned, extras), Memory(memory.step, memory.began, seen, memory.done, planned)

    @property
    def _stride(self) -> int:
        """Control steps from one latent frame to the next."""
        return self.run.model.actions_per_frame

    def _pictures(self, observation: Observation) -> list[Tensor]:
        lacking = [name for name in self.cameras if name not in observation.images]
        if lacking:
            raise UserError(f"the policy needs {', '.join(self.cameras)}; there is no {', '.join(lacking)}")
        if observation.state.shape[1] != self.run.model.state_dim:
            raise UserError(f"the policy is for {self.run.robot!r}: {self.run.model.state_dim} joints and grippers")
        return [torch.from_numpy(np.ascontiguousarray(observation.images[name])) for name in self.cameras]

    def context(self, observation: Observation, memory: Memory, tokens: Tensor) -> Context:
        """Return what the model is told, given tokens (n t c) of the pictures: as the loader makes it of an episode."""
        past, valid = recalled(memory, memory.step, tokens, self.run.model.past_frames, self._stride)
        valid &= memory.step - memory.began >= self.run.model.past_actions
        words, words_valid = text.encode(observation.instruction, self.run.weights)
        state = observation.state.astype(np.float32)
        put = self._put
        points = None
        if self.run.model.geometry:
            points = put(compute_observed_points(observation, self.run.codec.views, self.grids))
        return Context(
            past_rgb=past, past_action=put(self.transform.action_in(memory.done, state)), past_valid=put(valid),
            rgb=tokens, state=put(self.transform.state_in(state)), text=words.to(self.device),
            text_valid=words_valid.to(self.device), points=points,
        )  # fmt: skip

    def maps(self, rows: int) -> Tensor | None:
        """Return the future maps (n f t c) that are known beforehand: black ones, where none were learned from."""
        if self.transform.mapped:
            return None
        return self._black[:, None].expand(rows, self.run.model.futures, -1, -1)

    @functools.cached_property
    def _black(self) -> Tensor:
        """The tokens (1 n c) of maps on which nothing is wanted."""
        return latents.black_tokens(self.codec)

    def _draws(self, now: NDArray[np.int64]) -> Draws:
        """Noise of the worlds at their control steps `now` (n,)."""
        worlds = self.worlds or range(len(now))
        if len(worlds) != len(now):
            raise UserError(f"the policy is for {len(worlds)} worlds, and was shown {len(now)}")
        return Draws(
            tuple(schedule.make_generator(self.seed, "act", w, int(s)) for w, s in zip(worlds, now, strict=True))
        )

    def _pictured(self, future: Imagined) -> dict[str, NDArray[np.uint8]]:
        """Return the predicted pictures, and maps where the model has them, of every view."""
        rgb = {} if future.rgb is None else self._decoded(future.rgb, "rgb", "images")
        return rgb if future.map is None else {**rgb, **self._decoded(future.map, "map", "maps")}

    def _decoded(self, tokens: Tensor, kind: Kind, name: str) -> dict[str, NDArray[np.uint8]]:
        """Return predicted pictures "images/head" (n f h w 3) of every view."""
        rows, frames = tokens.shape[:2]
        back = self.codec.decode(tokens.flatten(0, 1), kind)
        return {
            f"{name}/{camera}": p.unflatten(0, (rows, frames)).cpu().numpy()
            for camera, p in zip(self.cameras, back, strict=True)
        }

    def _put(self, x: NDArray) -> Tensor:
        return torch.from_numpy(x).to(self.device)


def fresh(run: Run, copies: int) -> Memory:
    """Return the memory of copies that have not been seen yet."""
    none, width = np.full(copies, -1), run.model.action_dim
    done = np.zeros((copies, run.model.past_actions, width), np.float32)
    return Memory(step=none, began=none, seen=(), done=done, planned=np.zeros((copies, 0, width), np.float32))


def forgotten(memory: Memory, mask: NDArray[np.bool_]) -> Memory:
    """Return the memory as if the copies where `mask` (n,) is true had not been seen yet."""
    return Memory(
        step=np.where(mask, -1, memory.step), began=np.where(mask, -1, memory.began),
        seen=tuple((np.where(mask, -1, when), tokens) for when, tokens in memory.seen),
        done=memory.done, planned=memory.planned,
    )  # fmt: skip


def observed(memory: Memory, now: NDArray[np.int64]) -> Memory:
    """Return the memory once control step `now` (n,) is reached: the planned actions up to it were carried out."""
    done = memory.done.copy()
    for i, (before, step) in enumerate(zip(memory.step, now, strict=True)):
        if before >= 0:
            carried = memory.planned[i, : step - before]
            done[i] = np.concatenate([done[i], carried])[-done.shape[1] :]
    began = np.where(memory.step < 0, now, memory.began)
    return Memory(now, began, memory.seen, done, memory.planned)


def recalled(
    memory: Memory, now: NDArray[np.int64], tokens: Tensor, frames: int, stride: int
) -> tuple[Tensor, NDArray[np.bool_]]:
    """Return the past tokens (n p t c), `stride` control steps apart, and for which copies all of them are known."""
    past = tokens[:, None].repeat(1, frames, 1, 1)
    valid = np.ones(len(now), bool)
    for place in range(frames):
        wanted = now - stride * (frames - place)
        found = np.zeros(len(now), bool)
        for when, then in memory.seen:
            hit = (when == wanted) & (wanted >= 0)
            past[torch.from_numpy(hit), place] = then[torch.from_numpy(hit)]
            found |= hit
        valid &= found
    return past, valid


def load_policy(
    path: Path | str, *, execute: int = 0, seed: int = 0, video_steps: int = VIDEO_STEPS,
    action_steps: int = ACTION_STEPS, imagine: bool = False, device: str = "cpu", compiled: bool = False,
    number: ComputePrecision | None = None, worlds: Sequence[int] = (),
) -> LearnedPolicy:  # fmt: skip
    """Return the policy of a checkpoint, or of the newest one in a run's folder; `UserError` where there is none.

    It computes with `number`, by itself what the run asks for; `compiled`, which takes a while once, pays on a GPU.
    """
    folder = checkpoint.resolve_checkpoint(Path(path))
    run = config.load(folder)
    place = torch.device(device)
    codec, model = pretrained.build_codec(run, half=place.type == "cuda"), pretrained.build_for_loading(run)
    checkpoint.load_module(folder / "codec.safetensors", codec)
    pretrained.check_fingerprint(codec, run.weights)
    checkpoint.load_trained(folder / "ema.safetensors", model)
    transform = transforms.read(folder, run.robot, run.model.action_dim)
    number = number or precision.resolve_precision(run.train.precision, place)
    if run.model.lora_rank:
        lora.merge(model)
    precision.cast_linear_weights(model, number)
    if compiled:
        graphs.compile_inference(model)
    return LearnedPolicy(
        run, transform, codec.to(place), model.to(place), execute=execute, seed=seed, video_steps=video_steps,
        action_steps=action_steps, imagine=imagine, number=number, worlds=worlds,
    )  # fmt: skip
