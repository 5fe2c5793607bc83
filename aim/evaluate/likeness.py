"""How like the truth an imagined future is: pictures in decibels, maps by their peaks, actions in radians.

Pictures and maps are bytes (r f h w 3): r windows, f future frames. Errors are pooled over all windows before the
logarithm is taken. Copying the present picture is hard to beat where nothing moves; so everything is measured again
over the pixels that changed, where copying cannot be right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, log10
from statistics import median

import numpy as np
import torch
from torch import Tensor

from aim.data import peaks as places
from aim.data.peaks import PEAK
from aim.evaluate.intervals import grouped

CHANGED = 25  # bytes: a pixel changed where any of its colours differs by more than this
MIN_ERROR = 1e-3  # squared bytes: the smallest error that is told apart from none
NEAR_PX = 8.0  # a peak is right within this many pixels
SIDE = 128  # height of a picture, in pixels, that distances are told at
MAPS = (
    "peaks", "peak_within_8px", "peak_ci95", "peak_median_px", "peaks_missing", "places_found", "false_peaks",
    "maps_without_peak",
)  # fmt: skip


@dataclass(frozen=True)
class Peak:
    """A map with peaks, by window, frame and channel, and what a guess has there, in pixels at SIDE; inf: nothing."""

    window: int
    frame: int
    channel: int
    distance: float  # from the guess's highest peak to the nearest true one
    missed: tuple[float, ...] = ()  # from each true peak to the guess's nearest


@dataclass(frozen=True)
class Error:
    """A squared error summed over `count` bytes."""

    total: float
    count: int

    def __add__(self, other: Error) -> Error:
        """Return both pooled."""
        return Error(self.total + other.total, self.count + other.count)

    @property
    def psnr(self) -> float | None:
        """10 log10(255² / mean squared error) in decibels; None of nothing."""
        return 10.0 * log10(255.0**2 / max(self.total / self.count, MIN_ERROR)) if self.count else None


def changed(now: Tensor, true: Tensor) -> Tensor:
    """Return which pixels (r f h w) of the future differ from the present (r h w 3) by more than CHANGED."""
    return (true.int() - now[:, None].int()).abs().amax(-1) > CHANGED


def share_changed(now: Mapping[str, Tensor], true: Mapping[str, Tensor]) -> float:
    """Return the share of all views' pixels that changed."""
    moved = [changed(now[view], true[view]) for view in true]
    return sum(int(part.sum()) for part in moved) / sum(part.numel() for part in moved)


def error(guess: Tensor, true: Tensor, where: Tensor | None = None) -> Error:
    """Return the error of a guess, over all pixels or those `where` (r f h w) is true."""
    if where is not None:
        guess, true = guess[where], true[where]
    apart = guess.float() - true.float()
    return Error(float(apart.double().square().sum()), apart.numel())


def pictures(
    now: Mapping[str, Tensor], true: Mapping[str, Tensor], guesses: Mapping[str, Mapping[str, Tensor]]
) -> dict[str, dict[str, float | None]]:
    """Return PSNRs by name of the guess and "NAME_changed": of each view, and of all views' pixels as "all"."""
    moved = {view: changed(now[view], true[view]) for view in true}
    found: dict[str, dict[str, Error]] = {}
    for name, guess in guesses.items():
        found[name] = {view: error(guess[view], true[view]) for view in true}
        found[f"{name}_changed"] = {view: error(guess[view], true[view], moved[view]) for view in true}
    return {name: {**{v: e.psnr for v, e in views.items()}, "all": _pooled(views.values()).psnr} for name, views in
            found.items()}  # fmt: skip


def peaks(guess: Tensor, true: Tensor) -> tuple[Peak, ...]:
    """Return every map of the truth that has peaks, with how far off the guess is there."""
    found = []
    for window, frame, channel in np.ndindex(guess.shape[0], guess.shape[1], guess.shape[4]):
        here, there = (maps[window, frame, ..., channel].numpy() for maps in (true, guess))
        if here.max() >= PEAK:
            wanted, said, scale = places.peaks(here), places.peaks(there), SIDE / len(here)
            off = scale * float(places.away(said, wanted)[0]) if len(said) else inf
            found.append(Peak(window, frame, channel, off, tuple((scale * places.away(wanted, said)).tolist())))
    return tuple(found)


def invented(guess: Tensor, true: Tensor) -> tuple[int, int]:
    """Return how many maps without an annotated peak the guess gave one, and how many such maps there are."""
    has, answers = (maps.flatten(2, 3).amax(2) >= PEAK for maps in (true, guess))
    return int((answers & ~has).sum()), int((~has).sum())


def maps(guess: Tensor, true: Tensor, episode: Sequence[int]) -> dict[str, object]:
    """Return the figures of predicted maps: highest peaks within NEAR_PX, median, places found, false peaks.

    A map may want several places: `places_found` is the share of them with a predicted peak within NEAR_PX. Maps of
    one `episode` are alike: the interval counts them for as much as they say.
    """
    found = peaks(guess, true)
    false, empty = invented(guess, true)
    near = [one.distance <= NEAR_PX for one in found]
    middle = median(one.distance for one in found) if found else inf
    wanted = [far <= NEAR_PX for one in found for far in one.missed]
    figures = (
        len(found),
        sum(near) / len(found) if found else None,
        list(grouped(near, [episode[one.window] for one in found])),
        middle if isfinite(middle) else None,  # None where most have no predicted peak
        sum(not isfinite(one.distance) for one in found),
        sum(wanted) / len(wanted) if wanted else None,
        false / empty if empty else None,
        empty,
    )
    return dict(zip(MAPS, figures, strict=True))


def worst(found: Iterable[Peak], count: int) -> list[Peak]:
    """Return the `count` windows whose maps are furthest off, each by its worst peak; those without one first."""
    windows: dict[int, Peak] = {}
    for one in found:
        if one.window not in windows or one.distance > windows[one.window].distance:
            windows[one.window] = one
    return sorted(windows.values(), key=lambda peak: (-peak.distance, peak.window))[:count]


def actions(
    guess: Tensor, demonstrated: Tensor, state: Tensor, joints: Sequence[bool], moves: Sequence[bool]
) -> dict[str, float | None]:
    """Return mean absolute errors of chunks (r k d) in radians and in shares of a gripper's stroke.

    "_still" is the error of staying at the measured state (r d). Channels that never move do not count.
    """
    joint, counts = torch.tensor(joints), torch.tensor(moves)
    apart = {"": (guess - demonstrated).abs(), "_still": (state[:, None] - demonstrated).abs()}
    kinds = {"joint_error_rad": joint & counts, "gripper_error_stroke": ~joint & counts}
    return {
        kind + name: float(value[..., which].double().mean()) if which.any() else None
        for kind, which in kinds.items()
        for name, value in apart.items()
    }


def _pooled(errors: Iterable[Error]) -> Error:
    return sum(errors, Error(0.0, 0))
