"""Frames of one roll-out, camera pictures beside the policy's predictions, and the video made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aim.viz import videos
from aim.viz.videos import Frames, Panel, outline_frames, overlay_maps, resize_frames, tile_panels
from sim.types import CONTROL_HZ, AttemptFailure

Picture = NDArray[np.uint8]  # (h w 3)
SUCCESS_COLOUR, FAILURE_COLOUR = (46, 160, 95), (200, 70, 55)
NUM_VERDICT_FRAMES = 2  # times the last picture is shown, outlined in the colour of its verdict


@dataclass
class RolloutFrames:
    """Frames of one world, one every picture period.

    `future` and `maps` begin with the second; they are empty where the policy predicts none.
    """

    real: list[Picture] = field(default_factory=list)
    future: list[Picture] = field(default_factory=list)
    maps: list[Picture] = field(default_factory=list)
    steps_per_prediction: int = 0  # control steps from one predicted picture to the next

    @property
    def predictions(self) -> tuple[str, ...]:
        """What there is of the policy's predictions: "pictures", "maps"."""
        return tuple(name for name, frames in (("pictures", self.future), ("maps", self.maps)) if frames)


def select_predicted_frame(
    extras: Mapping[str, NDArray], camera: str, step: int, steps_per_prediction: int
) -> tuple[NDArray | None, NDArray | None]:
    """Picture and map (n h w 3) that a chunk predicted for control step `step`, or for the first one after it.

    Predicted frame i is due at (i + 1)·`steps_per_prediction` control steps. None for what the policy does not predict.
    """
    due = -(-step // steps_per_prediction) - 1

    def select_due(name: str) -> NDArray | None:
        frames = extras.get(f"{name}/{camera}")
        return None if frames is None else frames[:, min(due, frames.shape[1] - 1)]

    return select_due("images"), select_due("maps")


def render_rollout(rollout: RolloutFrames, failure: AttemptFailure | None, height: int) -> Frames:
    """Video of a roll-out: camera pictures and, if the policy predicts them, expected pictures and maps.

    The last picture of an attempt that failed has the reason under it.
    """
    real = np.stack(rollout.real)
    if not rollout.predictions:
        return videos.add_footer(
            _append_verdict(resize_frames(real, height), failure is None), _format_failure(failure), NUM_VERDICT_FRAMES
        )
    assert all(len(frames) in (0, len(real) - 1) for frames in (rollout.future, rollout.maps)), rollout.predictions
    real = resize_frames(real[1:], height)
    panels = [Panel("what happened", _append_verdict(real, failure is None))]
    if rollout.future:
        caption = f"predicted picture, up to {rollout.steps_per_prediction / CONTROL_HZ:.2f} s ahead"
        panels.append(Panel(caption, _hold_last_frame(resize_frames(np.stack(rollout.future), height))))
    if rollout.maps:
        overlaid = overlay_maps(real, np.stack(rollout.maps))
        panels.append(Panel("predicted map", _hold_last_frame(overlaid), legend=True))
    return videos.add_footer(tile_panels(panels, height), _format_failure(failure), NUM_VERDICT_FRAMES)


def _format_failure(failure: AttemptFailure | None) -> tuple[str, ...]:
    """Footer lines of a failed episode: its reason, and the predicates that do not hold."""
    if failure is None:
        return ()
    skill = f" in {failure.skill}" if failure.skill else ""
    unmet = (f"does not hold: {', '.join(failure.unmet)}",) if failure.unmet else ()
    return (f"{failure.reason}{skill}", *unmet)


def _append_verdict(frames: Frames, success: bool) -> Frames:
    """Frames with the last one repeated in the colour of success or failure."""
    verdict = outline_frames(frames[-1:], SUCCESS_COLOUR if success else FAILURE_COLOUR)
    return np.concatenate([frames, np.repeat(verdict, NUM_VERDICT_FRAMES, axis=0)])


def _hold_last_frame(frames: Frames) -> Frames:
    """Frames with the last one repeated for as long as the verdict is shown."""
    return np.concatenate([frames, np.repeat(frames[-1:], NUM_VERDICT_FRAMES, axis=0)])
