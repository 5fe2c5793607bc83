"""The learned policy: pictures and the measured state in, a chunk of actions out.

The history is a value (`aim.policy.history`): `step(observation, history)` returns the chunk and the next history.
`act` keeps that value between calls, as the simulator and the server want it. A chunk is the whole prediction, and says
how much of it to carry out before the world is looked at again (receding horizon). Whoever carries out something else
than was planned says so in `Observation.executed`.

What a world does depends on what it sees, on the policy's seed, on the number of the world and on its own time alone:
its noise is drawn from (policy seed, world number, control step). In an evaluation the number is the seed of the scene,
so neither the batch nor the place in it matters; worlds of one scene that are numbered apart act apart.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aim.config import Run
from aim.data import latents
from aim.data.action_space import ActionSpace
from aim.data.fovea import make_cropper
from aim.data.mapping import RobotMapping
from aim.data.patch_points import compute_observed_points
from aim.data.transforms import Transform
from aim.model import canvas, text
from aim.model.batch import Context, Fovea, PredictedFuture, move_batch
from aim.model.flow import RowNoise
from aim.model.image_codec import Kind, PictureCodec
from aim.model.verifier import Verifier
from aim.model.world_action_model import WorldActionModel
from aim.policy.foresight import Foresight, check_futures, list_noised, split_by_future
from aim.policy.history import (
    History,
    forget_worlds,
    hold_last_action,
    make_history,
    recall_actions,
    recall_frames,
    record_frame,
    record_step,
    select_history,
    spread_history,
    spread_rows,
)
from aim.policy.observation import check_observation, select_worlds
from aim.policy.precision import ComputePrecision, autocast
from aim.policy.smooth_noise import add_smooth_noise
from aim.util.horizons import HISTORY_TOLERANCE_STEPS, check_horizon
from aim.util.seeds import make_generator
from sim.types import CONTROL_HZ, ActionChunk, Observation, UserError

VIDEO_STEPS, ACTION_STEPS = 2, 4  # more of them changed nothing that counts: scripts/steps.sh


class LearnedPolicy:
    """A `sim.types.Policy` from a checkpoint."""

    def __init__(
        self,
        run: Run,
        transform: Transform,
        codec: PictureCodec,
        model: WorldActionModel,
        *,
        execution_horizon: int = 0,
        seed: int = 0,
        video_steps: int = VIDEO_STEPS,
        action_steps: int = ACTION_STEPS,
        imagine: bool = False,
        precision: ComputePrecision = "fp32",
        worlds: Sequence[int] = (),
        mapping: RobotMapping | None = None,
        verifier: Verifier | None = None,
        candidates: int = 1,
        futures: int = 1,
        candidate_noise_rad: float = 0.0,
        ticket: Tensor | None = None,
    ) -> None:
        """Hold the parts; `imagine` asks for predicted pictures and maps.

        `execution_horizon` 0 stands for what the run says. `mapping` is how a recorded set's numbers became ours:
        `aim.policy.own_units` acts by it.

        `worlds` are the numbers that tell the noise of n worlds apart; 0 to n - 1 if left out. Of `candidates` chunks,
        equally many for each of so many predicted `futures`, the one is carried out that the `verifier` scores highest.
        With a `ticket` (k d) the policy's own chunk is always denoised from that noise.
        """
        if candidates < 1 or (candidates > 1 and verifier is None):
            raise UserError(f"candidates is {candidates}; valid: 1, or more for a policy with a verifier (aim rl)")
        check_futures(candidates, futures)
        self.run, self.transform, self.codec, self.model = run, transform, codec.eval(), model.eval()
        self.execution_horizon = execution_horizon or run.data.execution_horizon
        check_horizon(self._stride, self.execution_horizon, run.model.chunk, run.model.past_frames)
        self.seed, self.video_steps, self.action_steps = seed, video_steps, action_steps
        self.imagine, self.worlds, self.mapping = imagine, tuple(worlds), mapping
        self.precision: ComputePrecision = precision
        self.verifier, self.candidates, self.futures = verifier, candidates, futures
        self.candidate_noise_rad = candidate_noise_rad  # of smooth noise in every other candidate of a future
        self.ticket = ticket
        self.device = next(model.parameters()).device
        self.valid = torch.tensor(transform.action.moves, device=self.device)
        self.history: History | None = None
        self._history_works = not (run.model.past_frames or run.model.past_actions)
        self.grids = canvas.compute_token_grids(run.codec)

    def fork(self, seed: int, worlds: Sequence[int] = (), imagine: bool = False) -> LearnedPolicy:
        """Policy of the same weights with a history, a seed and worlds of its own."""
        return LearnedPolicy(
            self.run, self.transform, self.codec, self.model, execution_horizon=self.execution_horizon, seed=seed,
            video_steps=self.video_steps, action_steps=self.action_steps, imagine=imagine, precision=self.precision,
            worlds=worlds, mapping=self.mapping, verifier=self.verifier, candidates=self.candidates,
            futures=self.futures, candidate_noise_rad=self.candidate_noise_rad, ticket=self.ticket,
        )  # fmt: skip

    @property
    def cameras(self) -> tuple[str, ...]:
        """The cameras whose pictures an observation must hold."""
        return tuple(view.name for view in self.run.codec.views)

    @property
    def state_space(self) -> ActionSpace:
        """Channels of `Observation.state`."""
        return self.transform.state_space

    @property
    def action_space(self) -> ActionSpace:
        """Channels of the actions; where they were recorded, low and high are those of the recordings."""
        return self.transform.action_space

    def reset(self, mask: NDArray[np.bool_]) -> None:
        """Forget the history of the worlds where `mask` (n,) is true."""
        same = self.history is not None and len(mask) == len(self.history.step)
        self.history = forget_worlds(self.history, mask) if same and self.history is not None else None

    def act(self, observation: Observation) -> ActionChunk:
        """Chunk of actions for all worlds; `UserError` for an invalid observation, of which nothing is remembered.

        Worlds that are not active cost nothing: their actions are 0, and what they went through is forgotten.
        """
        model = self.run.model
        check_observation(observation, self.cameras, model.state_dim, model.action_dim, model.geometry)
        known = self.history
        if known is None or len(known.step) != len(observation.state):
            known = self.begin_history(len(observation.state))
        if observation.active is None or observation.active.all():
            chunk, self.history = self.step(observation, known)
        else:
            chunk, self.history = self._step_active(observation, known, np.flatnonzero(observation.active))
        return chunk

    def begin_history(self, worlds: int) -> History:
        """History of worlds that have not been seen yet."""
        return make_history(worlds, self.run.model.past_actions, self.run.model.action_dim)

    def _step_active(
        self, observation: Observation, history: History, rows: NDArray[np.int64]
    ) -> tuple[ActionChunk, History]:
        """Chunk and next history for all worlds, of which those in `rows` (r,) are active."""
        count, model = len(observation.state), self.run.model
        if not len(rows):
            idle = np.zeros((count, model.chunk, model.action_dim), np.float32)
            return ActionChunk(idle, {}, self.execution_horizon), forget_worlds(history, np.ones(count, bool))
        numbers = np.array(self._resolve_worlds(count, ()))[rows].tolist()
        part, after = self.step(select_worlds(observation, rows), select_history(history, rows), numbers)

        spread = functools.partial(spread_rows, rows=rows, count=count)
        extras = {name: spread(value) for name, value in part.extras.items()}
        return ActionChunk(spread(part.actions), extras, part.execution_horizon), spread_history(after, rows, count)

    @torch.inference_mode()
    def step(
        self, observation: Observation, history: History, worlds: Sequence[int] = ()
    ) -> tuple[ActionChunk, History]:
        """Chunk for an observation, given the history, and the next history; `worlds` as in `foresee`."""
        foresight = self.foresee(observation, history, worlds, self.futures)
        self._warn_without_history(foresight.context, foresight.history)
        chunks = self.sample_chunks(foresight, self.candidates)
        best = self.choose_candidates(foresight, chunks)
        chunk, history = self.hand_out(foresight, chunks[torch.arange(len(chunks), device=best.device), best])
        if not self.imagine:
            return chunk, history
        rows = torch.arange(len(best), device=best.device) * self.futures + best // (self.candidates // self.futures)
        return replace(chunk, extras=self._decode_future(foresight.future, rows)), history

    @torch.inference_mode()
    def foresee(
        self, observation: Observation, history: History, worlds: Sequence[int] = (), futures: int = 1
    ) -> Foresight:
        """Predicted futures of an observation, given the history; `worlds` are the policy's own if left out.

        The first of several `futures` is the one that is predicted alone.
        """
        now = np.round(np.asarray(observation.time) * CONTROL_HZ).astype(np.int64)
        worlds = self._resolve_worlds(len(now), worlds)
        own = RowNoise(tuple(self._make_generator("act", w, int(s)) for w, s in zip(worlds, now, strict=True)))
        history = record_step(history, now, observation.executed)
        tokens = self.codec.encode(self._collect_pictures(observation), "rgb")  # in full, as when the model was trained
        predict = self.model.predict_future if self.imagine else self.model.predict_future_if_needed
        with autocast(self.precision, self.device):
            context = self.build_context(observation, history, tokens)
            context = replace(context, past_action=context.past_action * self.valid)
            noise = self.model.draw_action_noise(len(now), own, self.valid)  # with a ticket too, for equal futures
            noise = noise if self.ticket is None else self.ticket.expand_as(noise) * self.valid
            draws = RowNoise(
                tuple(
                    self._make_generator("future", w, int(s), number) if number else first
                    for w, s, first in zip(worlds, now, own.generators, strict=True)
                    for number in range(futures)
                )
            )
            pictures = observation.images[self.cameras[0]]
            future = predict(
                context, self.video_steps, draws, self.known_maps(len(draws.generators)),
                self.make_crop(np.repeat(pictures, futures, 0) if futures > 1 else pictures), futures,
            )  # fmt: skip
        reach = self.run.model.past_frames * self._stride + HISTORY_TOLERANCE_STEPS
        history = record_frame(history, now, tokens, reach)
        return Foresight(context, future, noise, observation.state.astype(np.float32), worlds, history, futures)

    @torch.inference_mode()
    def choose_candidates(self, foresight: Foresight, chunks: Tensor) -> Tensor:
        """Return which of the chunks (n r k d) are carried out (n,): those that the verifier scores highest.

        Without a verifier, or with a single candidate, they are the policy's own.
        """
        if self.verifier is None or chunks.shape[1] == 1:
            return torch.zeros(len(chunks), dtype=torch.long, device=chunks.device)
        with autocast(self.precision, self.device):
            return (
                self.verifier(foresight.future.cache, split_by_future(chunks, foresight.futures))
                .reshape(chunks.shape[:2])
                .argmax(1)
            )

    @torch.inference_mode()
    def sample_chunks(self, foresight: Foresight, count: int = 1) -> Tensor:
        """Normalised actions (n r k d) of `count` = r chunks, those of a future side by side; the first is the own."""
        check_futures(count, foresight.futures)
        noise = [foresight.noise]
        for number in range(1, count):
            keys = zip(foresight.worlds, foresight.history.step, strict=True)
            draws = RowNoise(tuple(self._make_generator("candidate", w, int(s), number) for w, s in keys))
            noise.append(self.model.draw_action_noise(len(foresight.noise), draws, self.valid))
        with autocast(self.precision, self.device):
            chain = self.model.denoise_actions(
                foresight.future.cache, split_by_future(torch.stack(noise, 1), foresight.futures), self.action_steps,
                self.valid,
            )  # fmt: skip
        chunks = chain.actions.float().reshape(len(foresight.noise), count, *chain.actions.shape[-2:])
        if self.candidate_noise_rad:
            for number in list_noised(count, foresight.futures):
                keys = zip(foresight.worlds, foresight.history.step, strict=True)
                draws = RowNoise(tuple(self._make_generator("candidate noise", w, int(s), number) for w, s in keys))
                chunks[:, number], _ = add_smooth_noise(
                    chunks[:, number], draws, self.candidate_noise_rad, self.execution_horizon, self.transform
                )
        return chunks

    def hand_out(self, foresight: Foresight, actions: Tensor) -> tuple[ActionChunk, History]:
        """Chunk of normalised `actions` (n k d) in the units of the action space, and the next history."""
        planned = self.transform.action_out(actions.cpu().numpy(), foresight.state)
        handed_out = hold_last_action(planned[:, : self.execution_horizon], self.action_space.is_delta)
        return ActionChunk(planned, {}, self.execution_horizon), replace(foresight.history, handed_out=handed_out)

    def _warn_without_history(self, context: Context, history: History) -> None:
        """Say once that the history cannot be used, if it never could though there was time enough."""
        if self._history_works:
            return
        model = self.run.model
        length = max(model.past_frames * self._stride, model.past_actions) + self._stride
        self._history_works = bool(context.past_valid.any())
        if not self._history_works and (history.step - history.began >= length).any():
            self._history_works = True
            period, around = (1000 * steps // CONTROL_HZ for steps in (self._stride, HISTORY_TOLERANCE_STEPS))
            warnings.warn(
                f"the policy acts without its history: no observation was made {period} ± {around} ms before another",
                stacklevel=3,
            )

    @property
    def _stride(self) -> int:
        """Control steps from one latent frame to the next."""
        return self.run.model.actions_per_frame

    def _collect_pictures(self, observation: Observation) -> list[Tensor]:
        return [torch.from_numpy(np.ascontiguousarray(observation.images[name])) for name in self.cameras]

    def build_context(self, observation: Observation, history: History, tokens: Tensor) -> Context:
        """Return what the model is told, given tokens (n t c) of the pictures: as the loader makes it of an episode."""
        past, valid = recall_frames(history, tokens, self.run.model.past_frames, self._stride)
        executed, known = recall_actions(history)
        valid &= known
        words, words_valid = text.encode_sentences(observation.instruction, self.run.weights)
        state = observation.state.astype(np.float32)
        put = self._to_device
        points = None
        if self.run.model.geometry:
            points = put(compute_observed_points(observation, self.run.codec.views, self.grids))
        return Context(
            past_rgb=past, past_action=put(self.transform.action_in(executed, state)), past_valid=put(valid),
            rgb=tokens, state=put(self.transform.state_in(state)), text=words.to(self.device),
            text_valid=words_valid.to(self.device), points=points,
        )  # fmt: skip

    @property
    def predicts_maps(self) -> bool:
        """Whether future maps, where the model has any, are imagined; else they are given, and are no prediction."""
        return self.transform.mapped

    def known_maps(self, rows: int) -> Tensor | None:
        """Return the future maps (n f t c) that are known beforehand: black ones, where none were learned from."""
        if self.predicts_maps:
            return None
        return self._black[:, None].expand(rows, self.run.model.num_future_frames, -1, -1)

    @functools.cached_property
    def _black(self) -> Tensor:
        """The tokens (1 n c) of maps on which nothing is wanted."""
        return latents.black_tokens(self.codec)

    def _resolve_worlds(self, rows: int, worlds: Sequence[int]) -> tuple[int, ...]:
        """Return the numbers of `rows` worlds, those given or the policy's own; `UserError` where they do not fit."""
        chosen = tuple(worlds or self.worlds or range(rows))
        if len(chosen) != rows:
            raise UserError(f"the policy is for {len(chosen)} worlds, and was shown {rows}")
        return chosen

    def _make_generator(self, stream: str, *numbers: int) -> torch.Generator:
        return make_generator(self.seed, stream, *numbers)

    def make_crop(self, pictures: NDArray[np.uint8]) -> Callable[[Tensor], Fovea] | None:
        """Function from predicted map tokens (n f t c) to foveal crops of the first view's present pictures (n h w 3).

        None for a model without a fovea; `UserError` where pictures are not of the recorded size.
        """
        if not self.run.model.fovea:
            return None
        height, width = self.transform.size
        if pictures.shape[1:3] != (height, width):
            given = "x".join(map(str, pictures.shape[1:3]))
            raise UserError(f"the fovea looks at pictures of {height}x{width} of {self.cameras[0]!r}, not of {given}")
        crop = make_cropper(pictures, self.run.model.fovea)

        def crop_at_peak(maps: Tensor) -> Fovea:
            with torch.autocast(self.device.type, enabled=False):  # in full, as pictures are coded
                (decoded,) = self.codec.decode(maps[:, 0].float(), "map", views=1)
            return move_batch(crop(decoded.cpu().numpy()), self.device)

        return crop_at_peak

    def _decode_future(self, future: PredictedFuture, rows: Tensor) -> dict[str, NDArray[np.uint8]]:
        """Predicted pictures "images/head" and maps "maps/head" of every view, as far as there are any.

        They are (n f h w 3) for f future frames of the `rows` (n,) of the futures.
        """
        streams: tuple[tuple[str, Kind, Tensor | None], ...] = (
            ("images", "rgb", future.rgb), ("maps", "map", future.map if self.predicts_maps else None),
        )  # fmt: skip
        return {
            f"{name}/{camera}": pictures.numpy()
            for name, kind, tokens in streams
            if tokens is not None
            for camera, pictures in self.decode_views(tokens[rows], kind).items()
        }

    def decode_views(self, tokens: Tensor, kind: Kind) -> dict[str, Tensor]:
        """Pictures (r f h w 3) of every view, on the CPU, decoded from tokens (r f n c)."""
        decoded = self.codec.decode(tokens.flatten(0, 1), kind)
        return {
            camera: view.unflatten(0, tokens.shape[:2]).cpu()
            for camera, view in zip(self.cameras, decoded, strict=True)
        }

    def _to_device(self, x: NDArray) -> Tensor:
        return torch.from_numpy(x).to(self.device)
