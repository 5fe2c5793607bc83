"""Metrics of predicted futures: PSNR of pictures, peak distances of maps, mean absolute errors of actions.

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
from aim.data.action_space import ChannelKind, is_delta
from aim.data.peaks import MIN_PEAK_VALUE
from aim.evaluate.intervals import clustered_wilson_interval

MIN_PIXEL_CHANGE = 25  # bytes: a pixel changed where any of its colours differs by more than this
MIN_SQUARED_ERROR = 1e-3  # squared bytes: the smallest error that is told apart from none
MAX_PEAK_ERROR_PX = 8.0  # a peak is right within this many pixels
REFERENCE_HEIGHT_PX = 128  # height of a picture, in pixels, that distances are told at
MAP_METRICS = (
    "peaks", "peak_within_8px", "peak_ci95", "peak_median_px", "peaks_missing", "places_found", "false_peaks",
    "maps_without_peak",
)  # fmt: skip
ACTION_ERRORS: Mapping[ChannelKind, str] = {
    "joint_position": "joint_error_rad", "joint_delta": "joint_chunk_error_rad",
    "ee_pose": "ee_error_m_or_rad", "ee_delta": "ee_chunk_error_m_or_rad",
    "gripper": "gripper_error_stroke",
}  # fmt: skip


@dataclass(frozen=True)
class PeakError:
    """Error at one map with peaks, by window, frame and channel, in pixels at REFERENCE_HEIGHT_PX; inf: no peak."""

    window: int
    frame: int
    channel: int
    distance: float  # from the highest predicted peak to the nearest true one
    missed: tuple[float, ...] = ()  # from each true peak to the nearest predicted one


@dataclass(frozen=True)
class SquaredError:
    """Squared error summed over `count` bytes."""

    total: float
    count: int

    def __add__(self, other: SquaredError) -> SquaredError:
        """Both errors pooled."""
        return SquaredError(self.total + other.total, self.count + other.count)

    @property
    def psnr(self) -> float | None:
        """PSNR in decibels, 10 log10(255² / mean squared error); None if nothing was compared."""
        return 10.0 * log10(255.0**2 / max(self.total / self.count, MIN_SQUARED_ERROR)) if self.count else None


def find_changed_pixels(now: Tensor, true: Tensor) -> Tensor:
    """Mask (r f h w) of future pixels that differ from the present (r h w 3) by more than MIN_PIXEL_CHANGE."""
    return (true.int() - now[:, None].int()).abs().amax(-1) > MIN_PIXEL_CHANGE


def compute_changed_share(now: Mapping[str, Tensor], true: Mapping[str, Tensor]) -> float:
    """Share of changed pixels over all views."""
    moved = [find_changed_pixels(now[view], true[view]) for view in true]
    return sum(int(part.sum()) for part in moved) / sum(part.numel() for part in moved)


def sum_squared_error(predicted: Tensor, true: Tensor, where: Tensor | None = None) -> SquaredError:
    """Squared error of a prediction, over all pixels or those of the mask `where` (r f h w)."""
    if where is not None:
        predicted, true = predicted[where], true[where]
    difference = predicted.float() - true.float()
    return SquaredError(float(difference.double().square().sum()), difference.numel())


def compute_psnr(
    now: Mapping[str, Tensor], true: Mapping[str, Tensor], predictions: Mapping[str, Mapping[str, Tensor]]
) -> dict[str, dict[str, float | None]]:
    """PSNR by prediction and "NAME_changed": of each view, and over the pixels of all views as "all"."""
    moved = {view: find_changed_pixels(now[view], true[view]) for view in true}
    errors: dict[str, dict[str, SquaredError]] = {}
    for name, prediction in predictions.items():
        errors[name] = {view: sum_squared_error(prediction[view], true[view]) for view in true}
        errors[f"{name}_changed"] = {
            view: sum_squared_error(prediction[view], true[view], moved[view]) for view in true
        }
    return {name: {**{v: e.psnr for v, e in views.items()}, "all": _pool_errors(views.values()).psnr} for name, views in
            errors.items()}  # fmt: skip


def compare_peaks(predicted: Tensor, true: Tensor) -> tuple[PeakError, ...]:
    """Peak errors of every true map that has peaks."""
    errors = []
    for window, frame, channel in np.ndindex(predicted.shape[0], predicted.shape[1], predicted.shape[4]):
        true_map, predicted_map = (maps[window, frame, ..., channel].numpy() for maps in (true, predicted))
        if true_map.max() >= MIN_PEAK_VALUE:
            true_peaks, predicted_peaks = places.find_peaks(true_map), places.find_peaks(predicted_map)
            scale = REFERENCE_HEIGHT_PX / len(true_map)
            distance = (
                scale * float(places.distance_to_nearest(predicted_peaks, true_peaks)[0])
                if len(predicted_peaks)
                else inf
            )
            missed = tuple((scale * places.distance_to_nearest(true_peaks, predicted_peaks)).tolist())
            errors.append(PeakError(window, frame, channel, distance, missed))
    return tuple(errors)


def count_false_peaks(predicted: Tensor, true: Tensor) -> tuple[int, int]:
    """Number of maps with a predicted but no true peak, and number of maps without a true peak."""
    has_peak, predicts_peak = (maps.flatten(2, 3).amax(2) >= MIN_PEAK_VALUE for maps in (true, predicted))
    return int((predicts_peak & ~has_peak).sum()), int((~has_peak).sum())


def compute_map_metrics(predicted: Tensor, true: Tensor, episode: Sequence[int]) -> dict[str, object]:
    """Metrics of predicted maps: highest peaks within MAX_PEAK_ERROR_PX, median, places found, false peaks.

    A map may want several places: `places_found` is the share of them with a predicted peak within MAX_PEAK_ERROR_PX.
    Maps of one `episode` are alike: the interval counts them for as much as they say.
    """
    errors = compare_peaks(predicted, true)
    num_false, num_empty = count_false_peaks(predicted, true)
    is_near = [one.distance <= MAX_PEAK_ERROR_PX for one in errors]
    median_distance = median(one.distance for one in errors) if errors else inf
    is_found = [far <= MAX_PEAK_ERROR_PX for one in errors for far in one.missed]
    figures = (
        len(errors),
        sum(is_near) / len(errors) if errors else None,
        list(clustered_wilson_interval(is_near, [episode[one.window] for one in errors])),
        median_distance if isfinite(median_distance) else None,  # None where most have no predicted peak
        sum(not isfinite(one.distance) for one in errors),
        sum(is_found) / len(is_found) if is_found else None,
        num_false / num_empty if num_empty else None,
        num_empty,
    )
    return dict(zip(MAP_METRICS, figures, strict=True))


def select_worst(errors: Iterable[PeakError], count: int) -> list[PeakError]:
    """The `count` windows with the largest peak errors, each by its worst peak; those without a peak first."""
    windows: dict[int, PeakError] = {}
    for one in errors:
        if one.window not in windows or one.distance > windows[one.window].distance:
            windows[one.window] = one
    return sorted(windows.values(), key=lambda peak: (-peak.distance, peak.window))[:count]


def compute_action_errors(
    predicted: Tensor, demonstrated: Tensor, hold: Tensor, kinds: Sequence[ChannelKind], moves: Sequence[bool]
) -> dict[str, float | None]:
    """Mean absolute errors of action chunks (r k d) by ACTION_ERRORS, None for a kind that no moving channel has.

    Positions and grippers are compared step by step; of displacements the sums over a chunk. "_still" is the error of
    the action that holds the robot where it was measured (r d), over the channels where it is finite: those that are
    measured. Channels that never move do not count.
    """
    found: dict[str, float | None] = {}
    for kind, name in ACTION_ERRORS.items():
        counts = torch.tensor([one == kind and moved for one, moved in zip(kinds, moves, strict=True)])
        held = counts & hold.isfinite().all(0)
        found[name] = _average_error((predicted - demonstrated)[..., counts], is_delta(kind))
        found[f"{name}_still"] = _average_error((hold[:, None] - demonstrated)[..., held], is_delta(kind))
    return found


def _average_error(error: Tensor, is_summed: bool) -> float | None:
    """Mean absolute error (r k d), of steps or of the sums over a chunk; None without channels."""
    total = error.double().sum(1) if is_summed else error.double()
    return float(total.abs().mean()) if error.shape[-1] else None


def _pool_errors(errors: Iterable[SquaredError]) -> SquaredError:
    return sum(errors, SquaredError(0.0, 0))
