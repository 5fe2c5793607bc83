"""Open loop: from the true past and present of held-out episodes, is the imagined future the one that came?

Windows are cut by the loader of training, so that a sample means the same in both; only the pictures that windows
need are read and coded. What is imagined of a window follows from the seed, its episode and its picture alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aim.config import Run
from aim.data import latents, loader
from aim.data.latents import Latents
from aim.data.loader import Loader, Windows
from aim.data.source import Source
from aim.evaluate import likeness
from aim.model.batch import Sample, move
from aim.model.codec import STREAM_KINDS, Kind, PictureCodec
from aim.model.flow import Draws
from aim.policy import LearnedPolicy
from aim.train import pipeline, precision, schedule
from aim.util import console
from sim.types import STEPS_PER_IMAGE, UserError

Views = Mapping[str, Tensor]  # view -> bytes: (r f h w 3) of futures, (r h w 3) of the present

BATCH = 8  # windows imagined at once


@dataclass(frozen=True)
class Truth:
    """What came in r windows, f frames each. There is no map where the dataset has none."""

    now: Views
    rgb: Views
    map: Views | None
    episode: tuple[int, ...]  # which windows belong together
    state: Tensor  # (r d) measured joints and grippers
    action: Tensor  # (r k d) demonstrated


@dataclass(frozen=True)
class Guess:
    """What the model made of the same windows; None where its variant does not imagine it."""

    rgb: Views | None
    map: Views | None
    codec: Views  # the true future as it comes back from the codec: no imagined one can be much better
    action: Tensor  # (r k d) in the robot's numbers


def spread(count: int, total: int, seed: int) -> NDArray[np.int64]:
    """Return `count` of `total` numbers in rising order: one drawn from each of as many equal parts."""
    count = min(count, total)
    bounds = np.arange(count + 1) * total // max(count, 1)
    return np.random.default_rng([seed, 17]).integers(bounds[:-1], bounds[1:])


def imagine(
    policy: LearnedPolicy, source: Source, count: int, seed: int, true_maps: bool = False
) -> tuple[Truth, Guess]:
    """Return true and imagined futures of `count` windows spread over a dataset; `UserError` where it does not fit.

    With `true_maps` the future maps are given, not imagined: what is left of the actions' error is not theirs.
    """
    if count < 1:
        raise UserError("at least one window is needed")
    if true_maps and not (source.has_maps and "m" in policy.model.who):
        raise UserError("true maps can be given where the data has maps and the model's variant reads them")
    pipeline.check(policy.run, source, "the policy")
    every, moves = loader.windows(source), loader.motions(source)
    rows = spread(count, len(every), seed)
    chosen = Windows(every.episode[rows], every.picture[rows])
    tokens, seen = glance(policy.codec, source, policy.run, chosen)
    if policy.run.model.geometry:
        tokens = latents.with_points(tokens, source, policy.run.codec)
    words = loader.read_words(moves.instructions, policy.run.weights)
    batches = Loader(policy.run, tokens, moves, every, words, policy.transform)
    made, acted = [], []
    with console.show_progress("windows", len(rows)) as bar:
        for part in np.split(np.arange(len(rows)), range(BATCH, len(rows), BATCH)):
            names = [(source.episodes[chosen.episode[i]].name, int(chosen.picture[i])) for i in part.tolist()]
            sample = batches.batch(rows[part])
            acted.append(sample.action)
            made.append(_imagined(policy, sample, names, seed, true_maps))
            bar.step(len(part))
    state = moves.state[moves.starts[chosen.episode] + STEPS_PER_IMAGE * chosen.picture]
    robot = policy.transform.action_out
    names = policy.cameras
    truth = Truth(
        now={name: seen[i, "rgb"][:, 0] for i, name in enumerate(names)},
        rgb={name: seen[i, "rgb"][:, 1:] for i, name in enumerate(names)},
        map={name: seen[i, "map"][:, 1:] for i, name in enumerate(names)} if source.has_maps else None,
        episode=tuple(chosen.episode.tolist()), state=torch.from_numpy(state),
        action=torch.from_numpy(robot(torch.cat(acted).numpy(), state)),
    )  # fmt: skip
    return truth, _joined(made, lambda z: torch.from_numpy(robot(z.numpy(), state)))


def measure(truth: Truth, guess: Guess, joints: Sequence[bool], moves: Sequence[bool]) -> dict[str, object]:
    """Return all figures; None where there is nothing to compare. Peaks are those of the first view."""
    guesses = {"copy": still(truth), "codec": guess.codec, **({} if guess.rgb is None else {"imagined": guess.rgb})}
    views = likeness.pictures(truth.now, truth.rgb, guesses)
    head = next(iter(truth.rgb))
    maps: dict[str, object] = {name: None for name in likeness.MAPS}
    if guess.map is not None and truth.map is not None:
        maps = likeness.maps(guess.map[head], truth.map[head], truth.episode)
    whole = {name: figures["all"] for name, figures in views.items()}
    return {
        "psnr": whole.get("imagined"),
        "psnr_copy": whole["copy"],
        "psnr_codec": whole["codec"],
        "psnr_changed": whole.get("imagined_changed"),
        "psnr_copy_changed": whole["copy_changed"],
        "psnr_codec_changed": whole["codec_changed"],
        "psnr_by_view": views,
        "changed_above": likeness.CHANGED,
        "changed_share": likeness.share_changed(truth.now, truth.rgb),
        **maps,
        **likeness.actions(guess.action, truth.action, truth.state, joints, moves),
        "windows": len(truth.state),
    }


def glance(
    codec: PictureCodec, source: Source, run: Run, windows: Windows
) -> tuple[Latents, dict[tuple[int, Kind], Tensor]]:
    """Return the tokens that the loader reads for `windows`, and their pictures (r 1+f h w 3): present, then future.

    The tokens of other pictures are zero. Windows come episode by episode.
    """
    past, stride = run.model.past_frames, run.data.frame_stride
    offsets = stride * np.arange(-past, run.model.futures + 1)
    starts = np.cumsum([0, *(ref.pictures for ref in source.episodes)])
    tokens = {
        kind: torch.zeros(int(starts[-1]), run.model.tokens, run.model.token_channels).half() for kind in STREAM_KINDS
    }
    cut: dict[tuple[int, Kind], list[Tensor]] = {}
    episodes = np.unique(windows.episode).tolist()
    with console.show_progress("episodes", len(episodes)) as bar:
        for episode in episodes:
            ref = source.episodes[episode]
            wanted = windows.picture[windows.episode == episode][:, None] + offsets
            wanted = np.clip(wanted, 0, ref.pictures - 1)
            frames, place = np.unique(wanted, return_inverse=True)
            place = torch.from_numpy(place.reshape(wanted.shape))[:, past:]
            seen = latents.pictures(source, ref, codec.config, frames.tolist())
            for kind in STREAM_KINDS:
                coded = codec.encode([seen[view, kind] for view in range(len(codec.config.views))], kind)
                tokens[kind][torch.from_numpy(starts[episode] + frames)] = coded.half().cpu()
            for key, pictures in seen.items():
                cut.setdefault(key, []).append(pictures[place])
            bar.step()
    found = {key: torch.cat(parts) for key, parts in cut.items()}
    shifts = torch.zeros(1, len(source.episodes), len(codec.config.views), 2, dtype=torch.int64)
    return Latents(tokens["rgb"][None], tokens["map"][None], torch.from_numpy(starts), shifts), found


def still(truth: Truth) -> Views:
    """Return the guess that nothing will move: the present picture in every frame."""
    return {name: truth.now[name][:, None].expand_as(came) for name, came in truth.rgb.items()}


@torch.inference_mode()
def _imagined(
    policy: LearnedPolicy, sample: Sample, names: Sequence[tuple[str, int]], seed: int, true_maps: bool
) -> Guess:
    """Return what the model makes of windows, actions in its own numbers; episode and picture decide the noise."""
    assert sample.rgb.any(-1).all() and sample.context.rgb.any(-1).all(), "the loader read a picture that is not coded"
    sample = move(sample, policy.device)
    draws = Draws(tuple(schedule.generator(seed, f"open loop {episode}", picture) for episode, picture in names))
    with precision.autocast(policy.number, policy.device):
        action, future = policy.model.act(
            sample.context, policy.video_steps, policy.action_steps, draws, policy.valid, True,
            sample.map if true_maps else policy.maps(len(names)),
        )  # fmt: skip
    return Guess(
        rgb=None if future.rgb is None else _decoded(policy, future.rgb, "rgb"),
        map=None if future.map is None else _decoded(policy, future.map, "map"),
        codec=_decoded(policy, sample.rgb, "rgb"),
        action=action.float().cpu(),
    )


def _decoded(policy: LearnedPolicy, tokens: Tensor, kind: Kind) -> Views:
    """Return the pictures (r f h w 3) of every view that tokens (r f n c) stand for."""
    back = policy.codec.decode(tokens.flatten(0, 1), kind)
    return {name: view.unflatten(0, tokens.shape[:2]).cpu() for name, view in zip(policy.cameras, back, strict=True)}


def _joined(parts: Sequence[Guess], robot: Callable[[Tensor], Tensor]) -> Guess:
    """Return the guesses one behind another, the actions by `robot` in the robot's numbers."""

    def views(some: Sequence[Views | None]) -> Views | None:
        whole = [part for part in some if part is not None]
        return {name: torch.cat([part[name] for part in whole]) for name in whole[0]} if whole else None

    codec = views([part.codec for part in parts])
    assert codec is not None
    action = robot(torch.cat([part.action for part in parts]))
    return Guess(views([part.rgb for part in parts]), views([part.map for part in parts]), codec, action)
