"""Laws of the open-loop figures, and that evaluation sees the very samples that training does."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoded import encode_directly
from models import randomised
from torch import Tensor
from toy import CAMERAS, JOINTS, dataset, episode

from aim import presets
from aim.config import Run
from aim.data import loader, source
from aim.data.action_space import CHANNEL_KINDS, MEASURED_KINDS, ChannelKind
from aim.data.loader import Loader, Windows
from aim.data.source import Source
from aim.evaluate import open_loop, prediction_figures, prediction_metrics
from aim.evaluate.intervals import wilson_interval
from aim.evaluate.open_loop import GroundTruth, Prediction
from aim.evaluate.prediction_metrics import ACTION_ERRORS, MAP_METRICS, PeakError
from aim.evaluate.prediction_summary import ACTION_ERROR_WORDS, summarize_figures
from aim.model import text
from aim.model.batch import Context
from aim.model.flow import RowNoise
from aim.model.image_codec import Codec
from aim.model.world_action_model import WorldActionModel
from aim.policy import LearnedPolicy
from aim.train import samples
from aim.util.seeds import make_generator
from aim.viz import pictures, videos
from sim.types import UserError

SIDE = 64


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Return a small toy dataset."""
    made = dataset(tmp_path_factory.mktemp("data") / "toy", [episode(seed, pictures=9 + seed) for seed in range(4)])
    return source.of(made)


@pytest.fixture(scope="module", params=["paper", "no_map", "video_free"])
def policy(request: pytest.FixtureRequest, data: Source) -> LearnedPolicy:
    """Return a policy with random weights."""
    return policy_of(data, request.param)


def run(variant: str) -> Run:
    """Return the tiny preset in a variant."""
    made = presets.tiny("aloha", CAMERAS, JOINTS, JOINTS)
    return replace(made, model=replace(made.model, variant=variant))


def policy_of(data: Source, variant: str) -> LearnedPolicy:
    """Return a policy with random weights, none of which is zero, and a codec that lets something through."""
    config = run(variant)
    torch.manual_seed(3)
    codec, model = Codec(config.codec), randomised(WorldActionModel(config.model))
    with torch.no_grad():
        codec.analysis.normal_(std=0.1)
        codec.synthesis.copy_(codec.analysis)
    transform = loader.fit_transform(config, loader.motions(data), loader.windows(data), data)
    return LearnedPolicy(config, transform, codec, model, video_steps=2, action_steps=2)


def test_maps_that_were_given_are_shown_and_scored_nowhere(data: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that learned without maps predicts none, whatever the data has; films of its training show none."""
    monkeypatch.setattr(text, "embed_sentence", lambda words, weights: torch.zeros(1, 384))  # loading it takes seconds
    policy, tiles = policy_of(data, "paper"), []
    moves, tokens = loader.motions(data), encode_directly(policy.codec, data)
    words = loader.read_words(moves.instructions)
    monkeypatch.setattr(samples, "STEPS", 1)
    for mapped in (True, False):
        policy.transform = replace(policy.transform, mapped=mapped)
        truth, guess = open_loop.predict_windows(policy, data, 3, seed=1)
        assert truth.map is not None and (guess.map is not None) == mapped
        assert (figures(truth, guess, policy)["peaks"] is not None) == mapped
        captions = [panel.caption for panel in prediction_figures.collect_panels(truth, guess)]
        assert ("imagined map" in captions) == mapped and "imagined future" in captions
        fed = Loader(policy.run, tokens, moves, loader.windows(data), words, policy.transform)
        with monkeypatch.context() as patch:
            patch.setattr(videos, "tile_panels", lambda panels, height: tiles.append(panels) or np.zeros((1, 1, 1, 3)))
            samples.render_samples(policy.model, policy.run, policy.codec, fed)
        expected = ["what came", "imagined", "map that came", "imagined map"]
        assert [panel.caption for panel in tiles[-1]] == expected[: 4 if mapped else 2]


def test_data_of_other_channels_is_refused_by_the_first(data: Source) -> None:
    policy = policy_of(data, "paper")
    space = policy.action_space
    other = replace(space, names=("knee", *space.names[1:]))
    policy.transform = replace(policy.transform, action_space=other)
    said = f"does not fit the policy: in its action channel 0 is {space.names[0]} (joint_position), not knee"
    with pytest.raises(UserError, match=re.escape(said)):
        open_loop.predict_windows(policy, data, 2, seed=0)


def bells(places: Tensor, side: int = SIDE, height: float = 255.0) -> Tensor:
    """Return maps (r f side side 3) with a bell in channel 0 at each place (r f 2: down, across)."""
    line = torch.arange(side).float()
    away = (line[:, None] - places[..., 0, None, None]) ** 2 + (line - places[..., 1, None, None]) ** 2
    result = torch.zeros(*places.shape[:2], side, side, 3)
    result[..., 0] = height * torch.exp(-0.5 * away / 3.0**2)
    return result.round().to(torch.uint8)


def noise(*shape: int, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=draw, dtype=torch.uint8)


def test_psnr_is_that_of_the_error_put_in() -> None:
    now = {"a": noise(4, 16, 16, 3) // 2, "b": noise(4, 8, 8, 3, seed=1) // 2}
    true = {name: view[:, None].repeat(1, 2, 1, 1, 1) for name, view in now.items()}
    off = {"a": true["a"] + 8, "b": true["b"] + 2}
    found = prediction_metrics.compute_psnr(now, true, {"off": off, "copy": true})
    expected = {"a": 20 * math.log10(255 / 8), "b": 20 * math.log10(255 / 2)}
    pooled = (16 * 16 * 64 + 8 * 8 * 4) / (16 * 16 + 8 * 8)
    for view, value in {**expected, "all": 10 * math.log10(255**2 / pooled)}.items():
        assert found["off"][view] == pytest.approx(value)
    assert found["copy"]["all"] == pytest.approx(10 * math.log10(255**2 / prediction_metrics.MIN_SQUARED_ERROR))
    assert set(found["off_changed"].values()) == {None}, "nothing changed, so there is nothing to tell"


def test_only_pixels_that_changed_count_as_changed() -> None:
    now = {"a": torch.full((2, 16, 16, 3), 100, dtype=torch.uint8)}
    true = now["a"][:, None].repeat(1, 2, 1, 1, 1)
    true[:, :, :4, :4, 1] = 100 + prediction_metrics.MIN_PIXEL_CHANGE + 1  # one colour is enough
    true[:, :, 8:, :, :] = 100 + prediction_metrics.MIN_PIXEL_CHANGE  # just not enough
    moved = prediction_metrics.find_changed_pixels(now["a"], true)
    assert moved.sum() == 2 * 2 * 16 and moved[:, :, :4, :4].all()
    right_there = now["a"][:, None].repeat(1, 2, 1, 1, 1)
    right_there[:, :, :4, :4] = true[:, :, :4, :4]
    found = prediction_metrics.compute_psnr(now, {"a": true}, {"guess": {"a": right_there}})
    best = 10 * math.log10(255**2 / prediction_metrics.MIN_SQUARED_ERROR)
    assert found["guess_changed"]["a"] == pytest.approx(best) and found["guess"]["a"] < best - 20
    assert prediction_metrics.compute_changed_share(now, {"a": true}) == pytest.approx(16 / 256)


def test_a_pixel_that_grew_darker_changed_too() -> None:
    now = torch.full((1, 4, 4, 3), 100, dtype=torch.uint8)
    true = now[:, None].clone()
    true[0, 0, 0, 0, 2] = 100 - prediction_metrics.MIN_PIXEL_CHANGE - 1
    true[0, 0, 1, 1, 0] = 100 + prediction_metrics.MIN_PIXEL_CHANGE + 1
    assert prediction_metrics.find_changed_pixels(now, true).nonzero().tolist() == [[0, 0, 0, 0], [0, 0, 1, 1]]


@pytest.mark.parametrize("side", [64, 128])
def test_a_shifted_peak_is_off_by_the_shift_whatever_the_size(side: int) -> None:
    places = torch.tensor([[[20.0, 20.0], [30.0, 25.0]], [[25.0, 32.0], [40.0, 36.0]]])
    shift = torch.tensor([3.0, 4.0]) * side / 128  # five pixels at 128
    found = prediction_metrics.compare_peaks(bells(places + shift * 2, side), bells(places, side))
    assert [peak.distance for peak in found] == pytest.approx([10.0] * 4, abs=0.3)
    assert [(p.window, p.frame, p.channel) for p in found] == [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0)]
    near = prediction_metrics.compute_map_metrics(bells(places + shift, side), bells(places, side), (0, 1))
    assert (near["peaks"], near["peak_within_8px"], near["false_peaks"]) == (4, 1.0, 0.0)
    assert near["peak_median_px"] == pytest.approx(5.0, abs=0.3)
    far = prediction_metrics.compute_map_metrics(bells(places + 2 * shift, side), bells(places, side), (0, 1))
    assert far["peak_within_8px"] == 0.0 and far["peak_ci95"] == pytest.approx(
        list(wilson_interval(0, 2))
    )  # two episodes


def test_no_peak_is_a_miss_and_a_peak_too_many_is_counted() -> None:
    places = torch.full((3, 2, 2), 30.0)
    true = bells(places)
    faint = bells(places, height=prediction_metrics.MIN_PEAK_VALUE - 1)
    found = prediction_metrics.compute_map_metrics(faint, true, (0, 1, 2))
    assert (found["peak_within_8px"], found["peak_median_px"], found["peaks_missing"]) == (0.0, None, 6)
    half = torch.cat([true[:2], faint[2:]])
    found = prediction_metrics.compute_map_metrics(half, true, (0, 1, 2))
    assert found["peak_within_8px"] == pytest.approx(4 / 6) and found["peak_median_px"] == 0.0
    elsewhere = true.roll(1, -1)  # the peak in a channel that is to be black
    found = prediction_metrics.compute_map_metrics(elsewhere, true, (0, 1, 2))
    assert (found["peaks_missing"], found["maps_without_peak"], found["false_peaks"]) == (6, 12, 0.5)
    none = prediction_metrics.compute_map_metrics(true, torch.zeros_like(true), (0, 1, 2))
    assert (none["peaks"], none["peak_within_8px"], none["false_peaks"]) == (0, None, pytest.approx(1 / 3))


def test_every_place_that_is_wanted_counts() -> None:
    left, middle, right, off = (bells(torch.tensor([[place]])) for place in
                                ([30.0, 10.0], [30.0, 32.0], [30.0, 54.0], [40.0, 54.0]))  # fmt: skip
    both = left | right
    cases = {  # how far the highest peak is off, how far both places are, in pixels of 128
        "the truth": (both, 0.0, (0.0, 0.0)),
        "one is lower": (left | right // 4 * 3, 0.0, (0.0, 0.0)),
        "one only": (left, 0.0, (0.0, 88.0)),
        "between them": (middle, 44.0, (44.0, 44.0)),
        "one is off": (left | off, 0.0, (0.0, 20.0)),
        "nothing": (torch.zeros_like(both), math.inf, (math.inf, math.inf)),
    }
    for name, (guess, distance, missed) in cases.items():
        (found,) = prediction_metrics.compare_peaks(guess, both)
        assert found.distance == pytest.approx(distance, abs=0.5), name
        assert sorted(found.missed) == pytest.approx(missed, abs=0.5), name
    assert prediction_metrics.compute_map_metrics(left, both, (0,))["places_found"] == 0.5


def test_the_worst_are_one_a_window_and_those_without_peak_first() -> None:
    near, far, none = (PeakError(w, f, 0, d) for w, f, d in ((0, 0, 2.0), (0, 1, 9.0), (1, 0, math.inf)))
    assert prediction_metrics.select_worst([near, far, none, PeakError(2, 0, 1, 30.0)], 2) == [
        none,
        PeakError(2, 0, 1, 30.0),
    ]
    assert prediction_metrics.select_worst([near, far], 5) == [far]


def test_action_errors_keep_joints_and_grippers_apart() -> None:
    state = torch.tensor([[1.0, 2.0, 0.5, 7.0]])
    demonstrated = state[:, None] + torch.tensor([0.1, -0.3, 0.5, 5.0]).expand(1, 6, 4)
    guess = demonstrated + torch.tensor([0.02, -0.04, 0.25, 9.0])
    kinds: list[ChannelKind] = ["joint_position", "joint_position", "gripper", "joint_position"]
    moves = (True, True, True, False)
    found = prediction_metrics.compute_action_errors(guess, demonstrated, state, kinds, moves)
    expected: dict[str, float | None] = {
        f"{name}{end}": None for name in ACTION_ERRORS.values() for end in ("", "_still")
    }
    expected |= {"joint_error_rad": 0.03, "joint_error_rad_still": 0.2}
    assert found == pytest.approx({**expected, "gripper_error_stroke": 0.25, "gripper_error_stroke_still": 0.5})
    still = prediction_metrics.compute_action_errors(guess, demonstrated, state, kinds, (True, True, False, False))
    assert still["gripper_error_stroke"] is None
    unmeasured = state * torch.tensor([1.0, torch.nan, torch.nan, 1.0])
    blind = prediction_metrics.compute_action_errors(guess, demonstrated, unmeasured, kinds, moves)
    two = [torch.cat([part, part]) for part in (guess, demonstrated)]
    halves = torch.cat([state, unmeasured])  # what one window does not measure is compared in none
    partly = prediction_metrics.compute_action_errors(two[0], two[1], halves, kinds, moves)
    assert partly == pytest.approx(blind)
    assert blind == pytest.approx(found | {"joint_error_rad_still": 0.1, "gripper_error_stroke_still": None})


@pytest.mark.parametrize("kind", CHANNEL_KINDS)
def test_action_errors_are_named_by_the_kind_of_channel(kind: ChannelKind) -> None:
    """Errors of displacements are those of their sums over a chunk: noise that cancels moves nothing astray."""
    steps, is_delta = 6, kind in MEASURED_KINDS
    noise = 0.3 * torch.tensor([1.0, -1.0]).repeat(steps // 2)[None, :, None]
    demonstrated, hold = torch.full((1, steps, 1), 0.2), torch.zeros(1, 1)
    found = prediction_metrics.compute_action_errors(demonstrated + noise + 0.01, demonstrated, hold, [kind], [True])
    name = ACTION_ERRORS[kind]
    assert found[name] == pytest.approx(steps * 0.01 if is_delta else 0.3)
    assert found[f"{name}_still"] == pytest.approx(steps * 0.2 if is_delta else 0.2)
    assert {key for key, value in found.items() if value is not None} == {name, f"{name}_still"}
    assert set(ACTION_ERROR_WORDS) == set(ACTION_ERRORS.values())


@pytest.mark.parametrize(("count", "total"), [(1, 5), (7, 100), (30, 30), (128, 150), (50, 20)])
def test_windows_are_spread_evenly_and_follow_from_the_seed(count: int, total: int) -> None:
    rows = open_loop.sample_stratified(count, total, 5)
    kept = min(count, total)
    assert len(rows) == kept and (np.diff(rows) > 0).all() and rows[0] >= 0 and rows[-1] < total
    bounds = np.arange(kept + 1) * total // kept
    assert (rows >= bounds[:-1]).all() and (rows < bounds[1:]).all()  # one from each part, and none twice
    assert (rows == open_loop.sample_stratified(count, total, 5)).all()
    assert kept == total or any(
        (rows != open_loop.sample_stratified(count, total, seed)).any() for seed in range(6, 12)
    )


def test_evaluation_cuts_the_samples_of_training(data: Source) -> None:
    policy = policy_of(data, "paper")
    every, moves = loader.windows(data), loader.motions(data)
    rows = np.unique([0, 3, 5, len(every) - 9, len(every) - 1, len(every) // 2])
    chosen = Windows(every.episode[rows], every.picture[rows])
    few, seen = open_loop.encode_windows(policy.codec, data, policy.run, chosen)
    words = loader.read_words(moves.instructions)
    whole = encode_directly(policy.codec, data)
    ours, theirs = (Loader(policy.run, t, moves, every, words, policy.transform).batch(rows) for t in (few, whole))
    assert torch.equal(few.starts, whole.starts)
    for name in ("rgb", "map", "action"):
        assert torch.allclose(vars(ours)[name], vars(theirs)[name], atol=4e-3), name
    for name in ("rgb", "past_rgb", "state"):
        assert torch.allclose(vars(ours.context)[name], vars(theirs.context)[name], atol=4e-3), name
    for kind, tokens in (("rgb", theirs.rgb), ("map", theirs.map)):
        future = [seen[view, kind][:, 1:].flatten(0, 1) for view in range(len(CAMERAS))]
        coded = policy.codec.encode(future, kind).unflatten(0, tokens.shape[:2])
        assert torch.allclose(coded, tokens, atol=4e-3), f"the true {kind} shown is not that of the sample"
    present = policy.codec.encode([seen[view, "rgb"][:, 0] for view in range(len(CAMERAS))], "rgb")
    assert torch.allclose(present, theirs.context.rgb, atol=4e-3)


def test_imagining_measures_every_variant(policy: LearnedPolicy, data: Source) -> None:
    truth, guess = open_loop.predict_windows(policy, data, 11, seed=2)
    found = figures(truth, guess, policy)
    variant, transform = policy.run.model.variant, policy.transform
    assert (guess.map is None) == (variant != "paper") and guess.rgb is not None
    assert found["windows"] == 11 and (found["peaks"] is None) == (variant != "paper")
    assert all(isinstance(found[name], float) for name in ("psnr", "psnr_copy", "psnr_codec", "psnr_changed"))
    assert guess.action.shape == truth.action.shape == (11, policy.run.model.chunk, JOINTS)
    moving = [i for i, counts in enumerate(transform.action.moves) if counts]
    every, rows = loader.windows(data), open_loop.sample_stratified(11, len(loader.windows(data)), 2)
    moves = loader.motions(data)
    for i, row in enumerate(rows.tolist()):
        first = moves.starts[every.episode[row]] + 4 * every.picture[row]
        assert np.allclose(truth.action[i, 0, moving], moves.action[first, moving], atol=1e-4)
        assert np.allclose(truth.state[i], moves.state[first])


def figures(truth: GroundTruth, guess: Prediction, policy: LearnedPolicy) -> dict:
    transform = policy.transform
    kinds: list[ChannelKind] = ["joint_position" if joint else "gripper" for joint in transform.joints]
    return open_loop.compute_metrics(truth, guess, kinds, transform.action.moves)


def test_the_truth_itself_is_perfect(data: Source) -> None:
    policy = policy_of(data, "paper")
    truth, _ = open_loop.predict_windows(policy, data, 8, seed=0)
    assert truth.map is not None
    found = figures(truth, Prediction(truth.rgb, truth.map, truth.rgb, truth.action), policy)
    assert found["peak_within_8px"] == 1.0 and found["peak_median_px"] == 0.0 and found["peaks"] > 0
    assert found["psnr"] == found["psnr_changed"] == found["psnr_codec"] > found["psnr_copy"]
    assert found["joint_error_rad"] == 0.0 < found["joint_error_rad_still"]
    copied = figures(truth, Prediction(open_loop.repeat_present(truth), None, truth.rgb, truth.action), policy)
    assert copied["psnr"] == copied["psnr_copy"] and copied["psnr_changed"] == copied["psnr_copy_changed"]


def test_true_maps_can_be_given(policy: LearnedPolicy, data: Source) -> None:
    if policy.run.model.variant != "paper":
        with pytest.raises(UserError, match="the model's variant reads them"):
            open_loop.predict_windows(policy, data, 4, seed=0, true_maps=True)
        return
    _, guess = open_loop.predict_windows(policy, data, 4, seed=0, true_maps=True)
    _, imagined = open_loop.predict_windows(policy, data, 4, seed=0)
    assert guess.map is not None and imagined.map is not None
    assert not torch.equal(guess.map["head"], imagined.map["head"])


def test_what_is_imagined_does_not_depend_on_what_is_beside_it(data: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = policy_of(data, "paper")
    _, eight = open_loop.predict_windows(policy, data, 9, seed=4)
    monkeypatch.setattr(open_loop, "WINDOW_BATCH_SIZE", 4)
    _, four = open_loop.predict_windows(policy, data, 9, seed=4)
    _, other = open_loop.predict_windows(policy, data, 9, seed=5)
    assert torch.allclose(eight.action, four.action, atol=1e-5)
    assert not torch.allclose(eight.action, other.action, atol=1e-3)
    assert eight.rgb is not None and four.rgb is not None
    assert all((eight.rgb[name].int() - four.rgb[name].int()).abs().max() <= 1 for name in eight.rgb)


def test_films_and_sheets_show_what_there_is(policy: LearnedPolicy, data: Source, tmp_path: Path) -> None:
    import cv2

    truth, guess = open_loop.predict_windows(policy, data, 5, seed=1)
    panels = prediction_figures.collect_panels(truth, guess)
    captions = ["present", "true future", "imagined future", "true map", "imagined map"]
    assert [panel.caption for panel in panels] == captions[: 4 if guess.map is None else 5]
    assert {len(panel.frames) for panel in panels} == {5 * policy.run.model.num_future_frames}
    sheet = prediction_figures.render_worst_maps(truth, guess)
    assert (sheet is None) == (guess.map is None)
    assert prediction_figures.collect_panels(truth, replace(guess, rgb=None, map=None)) == []
    assert truth.map is not None
    black = replace(guess, map={name: torch.zeros_like(maps) for name, maps in truth.map.items()})
    sheet = prediction_figures.render_worst_maps(truth, black)
    assert sheet is not None
    pictures.write_png(tmp_path / "misses.png", sheet)
    back = cv2.imread(str(tmp_path / "misses.png"))
    assert (back[..., ::-1] == sheet).all()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"true_maps": True}, {"maps": "the true ones were given"}),
        ({"psnr": None}, {"pictures": "none; the present repeated 20.0 dB; the codec alone 20.0 dB"}),
        ({"peaks": 4, "peak_within_8px": 0.5, "peak_ci95": [0.1, 0.9], "places_found": 0.25},
         {"maps": "50.0 % of 4 peaks within 8 pixels (95 % interval 10.0 to 90.0); 25.0 % of the places found"}),
        ({"joint_error_rad": 0.01}, {"actions": "joints off by 0.0100 rad"}),
    ],
)  # fmt: skip
def test_figures_are_told_in_words_and_none_over_nothing(change: dict, told: dict[str, str]) -> None:
    names = (*MAP_METRICS, *ACTION_ERROR_WORDS, *(f"{name}_still" for name in ACTION_ERROR_WORDS))
    kinds = ("psnr", "psnr_copy", "psnr_codec", "psnr_changed", "psnr_copy_changed", "psnr_codec_changed")
    figures = {**dict.fromkeys(names), **dict.fromkeys(kinds, 20.0), "true_maps": False, **change}
    assert told.items() <= summarize_figures(figures).items()
    assert summarize_figures({**figures, **dict.fromkeys(names), "true_maps": False})["maps"] == "none"


def test_what_does_not_fit_is_refused(data: Source) -> None:
    policy = policy_of(data, "paper")
    with pytest.raises(UserError, match="at least one window"):
        open_loop.predict_windows(policy, data, 0, seed=0)
    policy.run = replace(policy.run, robot="panda")
    with pytest.raises(UserError, match="'panda'"):
        open_loop.predict_windows(policy, data, 3, seed=0)


def test_the_noise_of_a_window_follows_from_seed_episode_and_picture(
    data: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, seeds = policy_of(data, "video_free"), []
    true = policy.model.sample_actions

    def spy(context: Context, video_steps: int, action_steps: int, draws: RowNoise, *words: Any) -> Any:  # noqa: ANN401
        seeds.extend(generator.initial_seed() for generator in draws.generators)
        return true(context, video_steps, action_steps, draws, *words)

    monkeypatch.setattr(policy.model, "sample_actions", spy)
    open_loop.predict_windows(policy, data, 11, seed=2)
    every, rows = loader.windows(data), open_loop.sample_stratified(11, len(loader.windows(data)), 2)
    expected = [
        make_generator(2, f"open loop {data.episodes[every.episode[row]].name}", int(every.picture[row])).initial_seed()
        for row in rows
    ]
    assert seeds == expected and len(set(seeds)) == 11
