"""What the camera saw of one episode beside what the policy expected to see, and the film that is cut from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aim.evaluate import films
from aim.evaluate.films import Frames, Panel, outline, overlay, resize, tile
from sim.types import CONTROL_HZ, AttemptFailure

Picture = NDArray[np.uint8]  # (h w 3)
WON, LOST = (46, 160, 95), (200, 70, 55)
HOLD = 2  # times the last picture is shown, outlined in the colour of its verdict


@dataclass
class RolloutFilm:
    """Pictures of one copy, one every picture period; `future` and `maps` begin with the second."""

    real: list[Picture] = field(default_factory=list)
    future: list[Picture] = field(default_factory=list)
    maps: list[Picture] = field(default_factory=list)
    ahead: int = 0  # control steps from one predicted picture to the next


def foreseen(extras: Mapping[str, NDArray], camera: str, step: int, ahead: int) -> tuple[NDArray, NDArray] | None:
    """Return the picture and the map (n h w 3) that a chunk predicted for its control step `step` or soon after.

    Predicted frame i is due at (i + 1)·`ahead` control steps. None where the policy predicts nothing.
    """
    images, maps = f"images/{camera}", f"maps/{camera}"
    if images not in extras or maps not in extras:
        return None
    frame = min(-(-step // ahead) - 1, extras[images].shape[1] - 1)
    return extras[images][:, frame], extras[maps][:, frame]


def cut(take: RolloutFilm, failure: AttemptFailure | None, height: int) -> Frames:
    """Return the film: what happened and, of a policy that predicts, the picture and the map that it expected.

    The last picture of an attempt that failed has the reason under it.
    """
    real = np.stack(take.real)
    if not take.future:
        return films.add_footer(_verdict(resize(real, height), failure is None), _describe(failure), HOLD)
    assert len(take.future) == len(take.maps) == len(real) - 1, (len(real), len(take.future), len(take.maps))
    real, future = resize(real[1:], height), resize(np.stack(take.future), height)
    panels = [
        Panel("what happened", _verdict(real, failure is None)),
        Panel(f"predicted picture, up to {take.ahead / CONTROL_HZ:.2f} s ahead", _held(future)),
        Panel("predicted map", _held(overlay(real, np.stack(take.maps))), legend=True),
    ]
    return films.add_footer(tile(panels, height), _describe(failure), HOLD)


def _describe(failure: AttemptFailure | None) -> tuple[str, ...]:
    """Return the lines under a film's last picture: the reason of a failure, and the predicates that do not hold."""
    if failure is None:
        return ()
    skill = f" in {failure.skill}" if failure.skill else ""
    unmet = (f"does not hold: {', '.join(failure.unmet)}",) if failure.unmet else ()
    return (f"{failure.reason}{skill}", *unmet)


def _verdict(frames: Frames, success: bool) -> Frames:
    """Return the frames with the last one shown again in the colour of success or failure."""
    return np.concatenate([frames, np.repeat(outline(frames[-1:], WON if success else LOST), HOLD, axis=0)])


def _held(frames: Frames) -> Frames:
    """Return the frames with the last one shown as long as the verdict."""
    return np.concatenate([frames, np.repeat(frames[-1:], HOLD, axis=0)])
