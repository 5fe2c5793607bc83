# ruff: noqa: F722
"""The whole model. What is unusual: the actions learn of the future only through the value map.

Three streams, rgb, map and action, each with weights of its own, meet in one attention whose table is in `intent`.
Future pictures and maps are denoised together; the actions afterwards, against the keys and values of what they may
see: o, past actions and the final map. x never sees m or a, m never sees a, a never sees x or text.

Training sees one sequence: past, o, noisy x, noisy m, a clean copy c of the map, noisy a. Inference runs the same
segments in three turns, each against the cache of those before.

b batch, f future latent frames, n tokens of a frame, c channels of a token, k actions, d action channels, w width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from aim.config import ModelConfig
from aim.model import flow, intent, rope
from aim.model.batch import Cache, Context, Imagined, Sample
from aim.model.embed import Embed, widths
from aim.model.intent import STREAM
from aim.model.mot import PARTS, Hidden, Trunk, Vectors, modulate

Frames = Float[Tensor, "b f n c"]
Actions = Float[Tensor, "b k d"]
Tokens = Float[Tensor, "b _ _"]  # of any stream, in or out
Levels = Float[Tensor, " _"]  # flow times: one a row, or one for all

DISTURBANCE = 0.5  # the highest level at which history and map condition are noised


class Head(nn.Module):
    """The last normalisation and the map from hidden states to velocities; starts at zero."""

    def __init__(self, width: int, channels: int) -> None:
        """Make the head of a stream."""
        super().__init__()
        self.table = nn.Parameter(torch.zeros(2, width))
        self.out = nn.Linear(width, channels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, z: Hidden, time: Vectors) -> Float[Tensor, "b n out"]:
        """Return velocities (b n channels) in single precision."""
        shift, scale = (time + self.table).unbind(-2)
        return self.out(modulate(z, shift, scale)).float()


class AIM(nn.Module):
    """The intent-aware world action model. Weights come from torch's global generator: seed it first."""

    def __init__(self, config: ModelConfig) -> None:
        """Make the model that `config` describes; `UserError` for an unknown variant."""
        super().__init__()
        self.config = config
        self.sequence = intent.segments(config)
        self.embed = Embed(config)
        self.trunk = Trunk(config, intent.variant(config.variant))
        channels = {"rgb": config.token_channels, "map": config.token_channels}
        channels["action"] = config.action_patch * config.action_dim
        self.heads = nn.ModuleDict({name: Head(width, channels[name]) for name, width in widths(config).items()})
        for kind, where in rope.positions(config).items():
            self.register_buffer(f"turn_{kind}", rope.turn(where, config.head_dim), persistent=False)

    def losses(self, sample: Sample, generator: torch.Generator) -> dict[str, Float[Tensor, ""]]:
        """Return the flow-matching losses `rgb`, `map`, `action` and their weighted sum `total`."""
        config, valid = self.config, sample.action_valid
        rows = len(sample.rgb)
        s_video = flow.shifted(flow.uniform(rows, sample.rgb, generator), config.video_shift)
        s_action = flow.shifted(flow.uniform(rows, sample.rgb, generator), config.action_shift)
        clean = {"x": sample.rgb, "m": sample.map, "a": sample.action * valid}
        noise = {kind: flow.gaussian(z, generator) for kind, z in clean.items()}
        noise["a"] = noise["a"] * valid
        level = {"x": s_video, "m": s_video, "a": s_action}
        noisy = {kind: flow.interpolate(z, noise[kind], level[kind]) for kind, z in clean.items()}
        condition = _disturbed((sample.map,), config.condition_noise, generator)[0]
        past = (sample.context.past_rgb, sample.context.past_action)
        past_rgb, past_action = _disturbed(past, config.history_noise, generator)
        context = replace(sample.context, past_rgb=past_rgb, past_action=past_action * valid)
        guess = self.velocities(context, noisy["x"], noisy["m"], noisy["a"], condition, s_video, s_action)
        error = {
            kind: flow.loss(v, clean[kind], noise[kind], level[kind]) for kind, v in zip(noisy, guess, strict=True)
        }
        result = {
            "rgb": error["x"].mean(),
            "map": _mean(error["m"].mean((1, 2, 3)), sample.map_valid),
            "action": _mean(error["a"].mean((0, 1)), valid),
        }
        total = result["rgb"] + config.map_weight * result["map"] + config.action_weight * result["action"]
        return {**result, "total": total}

    def velocities(
        self, context: Context, rgb: Frames, maps: Frames, action: Actions, condition: Frames, s_video: Levels,
        s_action: Levels,
    ) -> tuple[Frames, Frames, Actions]:  # fmt: skip
        """Return the velocities of x, m and a, all from one pass over the whole training sequence."""
        tokens = {
            **self.embed.context(context),
            "x": self.embed.frames(rgb),
            "m": self.embed.maps(maps, noisy=True),
            "c": self.embed.maps(condition, noisy=False),
            "a": self.embed.chunk(action),
        }
        levels = {"x": s_video, "m": s_video, "a": s_action}
        outs, _ = self._run(tokens, levels, self._read(context))
        return self._frames(outs["x"]), self._frames(outs["m"]), self._steps(outs["a"])

    def remember(self, context: Context) -> Cache:
        """Return the cache of the past, of o and of the text: all that pictures and maps are denoised against."""
        cache = self._read(context)
        return self._cached(self.embed.context(context), cache)

    def condition(self, cache: Cache, maps: Frames) -> Cache:
        """Return the cache with `maps` added as the condition of the actions."""
        return self._cached({"c": self.embed.maps(maps, noisy=False)}, cache)

    def video_velocity(self, cache: Cache, rgb: Frames, maps: Frames, s: Levels) -> tuple[Frames, Frames]:
        """Return the velocities of pictures and maps at level s (b,), or (1,) for all rows, after `remember`."""
        tokens = {"x": self.embed.frames(rgb), "m": self.embed.maps(maps, noisy=True)}
        outs, _ = self._run(tokens, {"x": s, "m": s}, cache)
        return self._frames(outs["x"]), self._frames(outs["m"])

    def action_velocity(self, cache: Cache, action: Actions, s: Levels) -> Actions:
        """Return the velocity of the actions at level s (b,), or (1,) for all rows, after `condition`."""
        outs, _ = self._run({"a": self.embed.chunk(action)}, {"a": s}, cache)
        return self._steps(outs["a"])

    @torch.no_grad()
    def imagine(self, context: Context, steps: int, generator: torch.Generator) -> Imagined:
        """Return the future pictures and maps after `steps` Euler steps, and the cache for `action_velocity`."""
        config, cache = self.config, self.remember(context)
        shape = (2, len(context.rgb), config.futures, *context.rgb.shape[1:])
        noise = flow.gaussian(context.rgb.new_empty(shape), generator)

        def velocity(z: Tensor, s: float) -> Tensor:
            return torch.stack(self.video_velocity(cache, z[0], z[1], z.new_tensor([s])))

        rgb, maps = flow.walk(noise, flow.schedule(steps, config.video_shift), velocity)
        return Imagined(rgb, maps, self.condition(cache, maps))

    @torch.no_grad()
    def act(
        self, context: Context, video_steps: int, action_steps: int, generator: torch.Generator,
        action_valid: Bool[Tensor, " d"] | None = None,
    ) -> tuple[Actions, Imagined]:  # fmt: skip
        """Return a chunk of normalised actions and the future it was made for; channels not valid are zero."""
        config = self.config
        every = torch.ones(config.action_dim, dtype=torch.bool, device=context.rgb.device)
        valid = every if action_valid is None else action_valid
        context = replace(context, past_action=context.past_action * valid)
        imagined = self.imagine(context, video_steps, generator)
        noise = flow.gaussian(context.rgb.new_empty(len(context.rgb), config.chunk, config.action_dim), generator)

        def velocity(z: Tensor, s: float) -> Tensor:
            return self.action_velocity(imagined.cache, z, z.new_tensor([s])) * valid

        return flow.walk(noise * valid, flow.schedule(action_steps, config.action_shift), velocity), imagined

    def _run(
        self, tokens: Mapping[str, Tokens], levels: Mapping[str, Levels], cache: Cache
    ) -> tuple[dict[str, Tokens], Cache]:
        """Return the heads' outputs for the kinds that have a level, and the cache with all given tokens added."""
        still = next(iter(tokens.values())).new_zeros(1, dtype=torch.float32)  # clean tokens are at flow time 0
        moments = {(STREAM[kind], kind in levels): levels.get(kind, still) for kind in tokens}
        modulation = {moment: self.trunk.times[moment[0]](s) for moment, s in moments.items()}
        hidden, times, turns = {}, {}, {}
        for kind, z in tokens.items():
            start = 0
            for segment in (segment for segment in self.sequence if segment.kind == kind):
                part = slice(start, start + segment.length)
                hidden[segment], turns[segment] = z[:, part], self.get_buffer(f"turn_{kind}")[:, part]
                times[segment] = modulation[STREAM[kind], kind in levels]
                start = part.stop
            assert start == z.shape[1], f"{kind} has {z.shape[1]} tokens, not {start}"
        layered = {segment: time[..., :PARTS, :] for segment, time in times.items()}
        wanted = [segment for segment in hidden if segment.kind in levels]
        outs, kept = self.trunk(hidden, layered, turns, cache, wanted)
        heads = {s.kind: self.heads[STREAM[s.kind]](z, times[s][..., PARTS:, :]) for s, z in outs.items()}
        return heads, replace(cache, segments={**cache.segments, **kept})

    def _cached(self, tokens: Mapping[str, Tokens], cache: Cache) -> Cache:
        return self._run(tokens, {}, cache)[1]

    def _read(self, context: Context) -> Cache:
        words, seen = self.embed.words(context)
        return Cache(text=self.trunk.words(words), text_seen=seen)

    def _frames(self, z: Tokens) -> Frames:
        return z.unflatten(1, (self.config.futures, -1))

    def _steps(self, z: Tokens) -> Actions:
        return z.unflatten(2, (self.config.action_patch, -1)).flatten(1, 2)


def _disturbed(data: tuple[Tensor, ...], probability: float, generator: torch.Generator) -> tuple[Tensor, ...]:
    """Return the data, each row noised with `probability` at a random level: the same for all tensors of the row."""
    rows = len(data[0])
    chosen = flow.uniform(rows, data[0], generator) < probability
    level = flow.uniform(rows, data[0], generator) * DISTURBANCE * chosen
    return tuple(flow.interpolate(z, flow.gaussian(z, generator), level) for z in data)


def _mean(error: Float[Tensor, " r"], valid: Bool[Tensor, " r"]) -> Float[Tensor, ""]:
    """Return the mean of the errors that count, zero where none does."""
    return (error * valid).sum() / valid.sum().clamp(min=1)
