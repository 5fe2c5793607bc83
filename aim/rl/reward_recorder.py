"""Recorder of what reward terms are computed from: chunks are carried out one control step at a time.

The response of a value map is its value, from 0 to 1, at the pixel of the tool. The map is the one that the policy
imagined at the decision: its first future frame in the first view, the maximum over channels. Pixel coordinates are
those of `sim.camera`: integers are centres of pixels.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from aim.data.peaks import MIN_PEAK_VALUE
from aim.model.batch import PredictedFuture
from aim.policy.learned import LearnedPolicy
from aim.rl.facts import FactReader
from sim.camera import ImageSize, project_points
from sim.envs.env import Env, camera_intrinsics
from sim.types import UserError

HALF_OPEN = 0.5  # commanded opening of a gripper; crossing it is a gripper event

Floats = NDArray[np.float64]


class RewardRecorder:
    """Carries out chunks in an environment, and records what reward terms are computed from."""

    def __init__(self, policy: LearnedPolicy, env: Env, with_maps: bool = True) -> None:
        """Record in `env`; `with_maps` asks for responses of the maps that `policy` imagines, else `UserError`."""
        if with_maps and not can_imagine_maps(policy):
            raise UserError("the policy imagines no value maps, and terms of their response were asked for")
        self.policy, self.env, self.with_maps = policy, env, with_maps
        self._facts = FactReader(env)

    @torch.inference_mode()
    def carry_out(
        self, future: PredictedFuture, planned: NDArray[np.float32], rows: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float32]]:
        """Carry out actions (n k d) made for some `rows` (n,) of imagined futures; return what was recorded, by world.

        time: (n,) share of the time limit that passed. scores: (n 2) mean score of the success predicates before and
        after. With maps also map_sum: (n,) sum of the response over control steps; map_ends: (n 2) response over the
        map's highest value, before and after; map_peak: (n,) that highest value; map_events: (n,) sum of the response
        at gripper events. Of several arms the tool with the highest response counts; at an event the arm whose gripper
        it is. Rows of worlds that stand still mean nothing.
        """
        env, reader = self.env, self._facts
        steps, before = env.steps.copy(), reader.read_scores().mean(1)
        maps = decode_first_map(self.policy, future, rows) if self.with_maps else None
        views = env.world.camera_poses(self.policy.cameras[:1]) if self.with_maps else {}
        tools, openings, acting = [self._read_tools()], [self._read_openings()], []
        for step in range(planned.shape[1]):
            if env.done.all():
                break
            acting.append(~env.done)
            env.step(planned[:, step : step + 1])
            tools.append(self._read_tools())
            openings.append(self._read_openings())
        found = {
            "time": (env.steps - steps) / env.max_steps,
            "scores": np.stack([before, reader.read_scores().mean(1)], 1),
        }
        if maps is not None:
            camera = self.policy.cameras[0]
            pixels = project_tools(env, camera, views[camera], np.stack(tools, 1), (maps.shape[1], maps.shape[2]))
            response = sample_maps(maps, pixels.reshape(env.n, -1, 2)).reshape(pixels.shape[:-1])
            found |= summarize_response(response, np.stack(openings, 1), np.stack(acting, 1), maps.max((1, 2)))
        return {name: np.nan_to_num(each).astype(np.float32) for name, each in found.items()}

    def _read_tools(self) -> Floats:
        """Return tool positions (n a 3) in the world's frame, metres."""
        return self.env.view.tool_positions("all").copy()

    def _read_openings(self) -> Floats:
        """Return commanded openings (n a) of the grippers."""
        return self.env.view.gripper_openings("all").copy()


def can_imagine_maps(policy: LearnedPolicy) -> bool:
    """Return whether a policy predicts value maps."""
    return policy.predicts_maps and "m" in policy.model.who


def decode_first_map(policy: LearnedPolicy, future: PredictedFuture, rows: NDArray[np.int64]) -> Floats:
    """Return the value maps (n h w), 0 to 1, of some `rows` (n,) of futures: the maximum over channels.

    They are those of the first future frame in the first view.
    """
    assert future.map is not None, "the policy must be asked to imagine"
    decoded = policy.decode_views(future.map[torch.from_numpy(rows), :1].float(), "map")[policy.cameras[0]]
    return decoded[:, 0].numpy().max(-1) / 255.0


def project_tools(env: Env, camera: str, extrinsics: Floats, tools: Floats, size: ImageSize) -> Floats:
    """Return pixels (n k a 2: u, v) of tool positions (n k a 3) in pictures of `size`; NaN behind the camera.

    `extrinsics` (n 4 4) are camera_from_world. Pictures of `size` show all that the environment's pictures show.
    """
    k = camera_intrinsics(env.robot, (camera,), env.size)[camera]
    pixels, _ = project_points(tools, k, extrinsics[:, None])
    scale = np.array([size[1] / env.size[1], size[0] / env.size[0]])
    return (pixels + 0.5) * scale - 0.5


def sample_maps(maps: Floats, pixels: Floats) -> Floats:
    """Return the values (n m) of maps (n h w) at pixels (n m 2: u, v), bilinear; 0 outside the picture and for NaN."""
    height, width = maps.shape[1:]
    size = np.array([width, height])
    inside = np.all((pixels >= -0.5) & (pixels <= size - 0.5), axis=-1)
    held = np.clip(np.where(inside[..., None], pixels, 0.0), 0.0, size - 1.0)
    low = np.floor(held).astype(int)
    high = np.minimum(low + 1, size - 1)
    share = held - low
    rows = np.arange(len(maps))[:, None]
    found = np.zeros(pixels.shape[:-1])
    for x, weight_x in ((low[..., 0], 1.0 - share[..., 0]), (high[..., 0], share[..., 0])):
        for y, weight_y in ((low[..., 1], 1.0 - share[..., 1]), (high[..., 1], share[..., 1])):
            found += weight_x * weight_y * maps[rows, y, x]
    return np.where(inside, found, 0.0)


def summarize_response(
    response: Floats, openings: Floats, acting: NDArray[np.bool_], peak: Floats
) -> dict[str, Floats]:
    """Return what is recorded of responses (n 1+k a) and commanded openings (n 1+k a), before and after each step.

    `acting` (n k) says in which control steps a world moved, `peak` (n,) is the highest value of its map. A map without
    a peak, one under MIN_PEAK_VALUE, has a normalised response of 0.
    """
    best = response.max(-1)
    is_open = np.greater(openings, HALF_OPEN)
    switched = np.logical_xor(is_open[:, 1:], is_open[:, :-1])
    last = acting.sum(1)  # acting worlds move until they end, and then stand still
    ends = np.stack([best[:, 0], best[np.arange(len(best)), last]], 1)
    has_peak = peak[:, None] >= MIN_PEAK_VALUE / 255.0
    return {
        "map_sum": (best[:, 1:] * acting).sum(1),
        "map_ends": np.where(has_peak, ends / np.where(has_peak, peak[:, None], 1.0), 0.0),
        "map_peak": peak,
        "map_events": (response[:, 1:] * (switched & acting[..., None])).sum((1, 2)),
    }
