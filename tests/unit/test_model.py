"""Laws of the model: what cannot influence what, by bits and by gradients; caches; losses; that it learns.

Weights are random and nowhere zero, so that nothing is independent only because a gate is still shut.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from aim import presets
from aim.config import ModelConfig, Run
from aim.model.aim import AIM
from aim.model.batch import Context, Sample, move
from aim.model.intent import VARIANTS

TEXT = 12
torch.set_num_threads(1)  # the model is small: threads that wait for each other cost more than they give


def run(name: str) -> Run:
    return presets.preset(name)("panda", ("head", "wrist"), action_dim=5, state_dim=6, text_width=TEXT)


def history(name: str, frames: int, actions: int) -> ModelConfig:
    return replace(run(name).model, past_frames=frames, past_actions=actions)


CONFIGS = {
    **{f"tiny-{name}": replace(run("tiny").model, variant=name) for name in VARIANTS},
    **{f"nano-{name}": replace(run("nano").model, variant=name) for name in VARIANTS},
    "no-history": history("tiny", 0, 0),
    "long-history": history("tiny", 3, 32),
    "narrow-actions": replace(run("tiny").model, action_width=24),
}


def randomised(model: AIM, seed: int = 0) -> AIM:
    """Return the model with every weight drawn anew, none zero, large enough for influences to show."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            fan = parameter.shape[-1] if parameter.ndim > 1 else 4
            parameter.copy_(torch.randn(parameter.shape, generator=draw) / fan**0.5)
    return model


@pytest.fixture(params=list(CONFIGS), scope="module")
def model(request: pytest.FixtureRequest) -> AIM:
    return randomised(AIM(CONFIGS[request.param]))


def context(config: ModelConfig, rows: int = 2, seed: int = 1) -> Context:
    draw = torch.Generator().manual_seed(seed)

    def some(*shape: int) -> Tensor:
        return torch.randn(rows, *shape, generator=draw)

    tokens = (config.tokens, config.token_channels)
    valid = torch.arange(rows) != 1  # the second row has no history
    heard = torch.ones(rows, 4, dtype=torch.bool)
    heard[0, 2:] = False
    return Context(
        past_rgb=some(config.past_frames, *tokens), past_action=some(config.past_actions, config.action_dim),
        past_valid=valid, rgb=some(*tokens), state=some(config.state_dim), text=some(4, config.text_width),
        text_valid=heard,
    )  # fmt: skip


def sample(config: ModelConfig, rows: int = 2, seed: int = 1) -> Sample:
    draw = torch.Generator().manual_seed(seed + 100)
    frames = (rows, config.futures, config.tokens, config.token_channels)
    return Sample(
        context=context(config, rows, seed), rgb=torch.randn(frames, generator=draw),
        map=torch.randn(frames, generator=draw),
        action=torch.randn(rows, config.chunk, config.action_dim, generator=draw),
        map_valid=torch.ones(rows, dtype=torch.bool), action_valid=torch.ones(config.action_dim, dtype=torch.bool),
    )  # fmt: skip


NAMES = ("past_rgb", "past_action", "rgb", "state", "text", "x", "m", "a", "c")
OUTPUTS = ("x", "m", "a")
Inputs = dict[str, Tensor]


def inputs(config: ModelConfig) -> Inputs:
    known, future = context(config), sample(config)
    given = {name: getattr(known, name) for name in NAMES[:5]}
    return {**given, "x": future.rgb, "m": future.map, "a": future.action, "c": future.map * 0.5 + 0.1}


def predict(model: AIM, given: Inputs) -> dict[str, Tensor]:
    """Return the velocities of x, m, a from the whole sequence at once."""
    known = replace(context(model.config), **{name: given[name] for name in NAMES[:5]})
    s_video, s_action = torch.tensor([0.7, 0.4]), torch.tensor([0.3, 0.9])
    x, m, a = model.velocities(known, given["x"], given["m"], given["a"], given["c"], s_video, s_action)
    return {"x": x, "m": m, "a": a}


def cached(model: AIM, given: Inputs) -> dict[str, Tensor]:
    """Return the same in three turns, each against the cache of those before, as at inference."""
    known = replace(context(model.config), **{name: given[name] for name in NAMES[:5]})
    s_video, s_action = torch.tensor([0.7, 0.4]), torch.tensor([0.3, 0.9])
    cache = model.remember(known)
    x, m = model.video_velocity(cache, given["x"], given["m"], s_video)
    a = model.action_velocity(model.condition(cache, given["c"]), given["a"], s_action)
    return {"x": x, "m": m, "a": a}


# output -> inputs that must not reach it; text reaches a only through the maps that it helped to imagine
FORBIDDEN = {"x": {"m", "a", "c"}, "m": {"a", "c"}, "a": {"x", "m", "text"}}
WAYS: dict[str, Callable[[AIM, Inputs], dict[str, Tensor]]] = {"whole": predict, "cached": cached}


def absent(config: ModelConfig) -> set[str]:
    """Return the inputs that have no numbers in this configuration."""
    return {name for name, size in (("past_rgb", config.past_frames), ("past_action", config.past_actions)) if not size}


@pytest.mark.parametrize("way", WAYS)
def test_forbidden_inputs_change_no_bit_and_all_others_do(model: AIM, way: str) -> None:
    given = inputs(model.config)
    with torch.no_grad():
        before = WAYS[way](model, given)
        for name in set(NAMES) - absent(model.config):
            after = WAYS[way](model, {**given, name: given[name] + 1.0})
            for output in OUTPUTS:
                reaches = not torch.equal(before[output], after[output])
                assert reaches == (name not in FORBIDDEN[output]), f"{name} -> {output}"


@pytest.mark.parametrize("way", WAYS)
def test_forbidden_gradients_are_zero_and_all_others_are_not(model: AIM, way: str) -> None:
    given = {name: z.clone().requires_grad_() for name, z in inputs(model.config).items()}
    outputs = WAYS[way](model, given)
    present = [name for name in NAMES if name not in absent(model.config)]
    for output in OUTPUTS:
        slopes = torch.autograd.grad(
            outputs[output].square().sum(), [given[name] for name in present], retain_graph=True, allow_unused=True
        )
        for name, slope in zip(present, slopes, strict=True):
            size = 0.0 if slope is None else slope.abs().max().item()
            assert (size > 0) == (name not in FORBIDDEN[output]), f"{name} -> {output}: {size}"


def test_clean_tokens_never_see_the_future(model: AIM) -> None:
    """Keys and values of past and o are the same bits whether or not the future stands beside them."""
    given = inputs(model.config)
    known = replace(context(model.config), **{name: given[name] for name in NAMES[:5]})
    with torch.no_grad():
        tokens = model.embed.context(known)
        future = {"x": model.embed.frames(given["x"]), "m": model.embed.maps(given["m"], noisy=True)}
        future |= {"c": model.embed.maps(given["c"], noisy=False), "a": model.embed.chunk(given["a"])}
        levels = {"x": torch.tensor([0.5]), "m": torch.tensor([0.5]), "a": torch.tensor([0.5])}
        empty = model._read(known)
        beside = model._run({**tokens, **future}, levels, empty)[1]
        alone = model.remember(known)
    assert set(alone.segments) == {segment for segment in model.sequence if segment.block < 1}
    for segment, layers in alone.segments.items():
        for pair, other in zip(layers, beside.segments[segment], strict=True):
            assert torch.equal(pair[0], other[0])
            assert torch.equal(pair[1], other[1])


def test_cached_inference_is_the_whole_sequence(model: AIM) -> None:
    given = inputs(model.config)
    with torch.no_grad():
        whole, turns = predict(model, given), cached(model, given)
    for output in OUTPUTS:
        torch.testing.assert_close(turns[output], whole[output], atol=1e-5, rtol=1e-5)


def test_a_cache_is_a_value(model: AIM) -> None:
    given = inputs(model.config)
    with torch.no_grad():
        cache = model.remember(context(model.config))
        size = len(cache.segments)
        first = model.condition(cache, given["c"])
        model.condition(cache, given["c"] + 1)
        s = torch.tensor([0.5])
        once = model.action_velocity(first, given["a"], s)
        again = model.action_velocity(first, given["a"], s)
    assert len(cache.segments) == size
    assert torch.equal(once, again)


def test_history_that_is_not_valid_is_ignored() -> None:
    model = randomised(AIM(CONFIGS["tiny-paper"]))
    given = inputs(model.config)
    with torch.no_grad():
        before = predict(model, given)
        after = predict(model, {**given, "past_rgb": given["past_rgb"] + 1, "past_action": given["past_action"] + 1})
    for output in OUTPUTS:
        assert torch.equal(before[output][1], after[output][1])
        assert not torch.equal(before[output][0], after[output][0])


def test_text_that_is_not_valid_is_ignored_and_no_text_at_all_is_allowed() -> None:
    model = randomised(AIM(CONFIGS["tiny-paper"]))
    given = inputs(model.config)
    padded = given["text"].clone()
    padded[0, 2:] += 1
    with torch.no_grad():
        before, after = predict(model, given), predict(model, {**given, "text": padded})
        silent = replace(context(model.config), text_valid=torch.zeros(2, 4, dtype=torch.bool))
        empty = replace(silent, text=silent.text[:, :0], text_valid=silent.text_valid[:, :0])
        caches = (model.remember(silent), model.remember(empty))
        one, two = (model.video_velocity(cache, given["x"], given["m"], torch.tensor([0.5]))[0] for cache in caches)
    assert torch.equal(before["x"], after["x"])
    assert one.isfinite().all()
    torch.testing.assert_close(one, two)


def test_rows_do_not_mix() -> None:
    model = randomised(AIM(CONFIGS["tiny-paper"]))
    given = inputs(model.config)
    other = {name: torch.cat([z[:1], z[1:] + 1]) for name, z in given.items()}
    with torch.no_grad():
        before, after = predict(model, given), predict(model, other)
    for output in OUTPUTS:
        assert torch.equal(before[output][0], after[output][0])


def test_channels_that_are_not_valid_count_nowhere() -> None:
    model = randomised(AIM(CONFIGS["tiny-paper"]))
    valid = torch.tensor([True, False, True, True, False])
    batch = replace(sample(model.config), action_valid=valid)
    noise = torch.zeros(5).masked_fill(~valid, 3.0)
    known = replace(batch.context, past_action=batch.context.past_action + noise)
    moved = replace(batch, action=batch.action + noise, context=known)
    first, second = (model.losses(b, torch.Generator().manual_seed(3)) for b in (batch, moved))
    assert all(torch.equal(first[name], second[name]) for name in first)
    action, _ = model.act(batch.context, 1, 2, torch.Generator().manual_seed(0), valid)
    assert action[..., ~valid].eq(0).all()
    other, _ = model.act(moved.context, 1, 2, torch.Generator().manual_seed(0), valid)
    assert torch.equal(action, other)


def test_rows_without_a_map_have_no_map_loss() -> None:
    model = randomised(AIM(CONFIGS["tiny-paper"]))
    batch = sample(model.config)
    losses = model.losses(replace(batch, map_valid=torch.tensor([False, False])), torch.Generator().manual_seed(0))
    assert losses["map"] == 0
    assert losses["rgb"] > 0
    whole, one, other = (
        model.losses(replace(batch, map_valid=torch.tensor(valid)), torch.Generator().manual_seed(0))["map"]
        for valid in ([True, True], [True, False], [False, True])
    )
    torch.testing.assert_close((one + other) / 2, whole)


def test_losses_add_up_with_their_weights() -> None:
    model = randomised(AIM(replace(CONFIGS["tiny-paper"], map_weight=0.5, action_weight=3.0)))
    losses = model.losses(sample(model.config), torch.Generator().manual_seed(0))
    torch.testing.assert_close(losses["total"], losses["rgb"] + 0.5 * losses["map"] + 3.0 * losses["action"])


def test_every_weight_learns_and_draws_follow_the_generator() -> None:
    model = randomised(AIM(CONFIGS["tiny-paper"]))
    first, again = (model.losses(sample(model.config), torch.Generator().manual_seed(7)) for _ in range(2))
    other = model.losses(sample(model.config), torch.Generator().manual_seed(8))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert first["total"] != other["total"]
    first["total"].backward()
    idle = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


def test_a_fresh_model_predicts_zero_velocity() -> None:
    config = CONFIGS["tiny-paper"]
    torch.manual_seed(0)
    for velocity in predict(AIM(config), inputs(config)).values():
        assert velocity.eq(0).all()


def test_sampling_repeats_and_has_the_promised_shapes(model: AIM) -> None:
    config, known = model.config, context(model.config)
    action, future = model.act(known, 2, 3, torch.Generator().manual_seed(4))
    again, _ = model.act(known, 2, 3, torch.Generator().manual_seed(4))
    assert torch.equal(action, again)
    assert action.shape == (2, config.chunk, config.action_dim)
    assert future.rgb.shape == future.map.shape == (2, config.futures, config.tokens, config.token_channels)
    assert not action.requires_grad
    assert "c" in {segment.kind for segment in future.cache.segments}


def test_actions_depend_on_text_only_through_the_maps() -> None:
    model = randomised(AIM(CONFIGS["tiny-paper"]))
    known = context(model.config)
    told = replace(known, text=known.text + 1)
    draws = (torch.Generator().manual_seed(0) for _ in range(2))
    (first, _), (second, _) = (model.act(c, 2, 2, g) for c, g in zip((known, told), draws, strict=True))
    assert not torch.equal(first, second)  # another instruction, another map, another action
    maps, noise, s = sample(model.config).map, sample(model.config).action, torch.tensor([1.0])
    with torch.no_grad():
        one, two = (model.action_velocity(model.condition(model.remember(c), maps), noise, s) for c in (known, told))
    assert torch.equal(one, two)  # the same map, the same action


def test_bfloat16_stays_close() -> None:
    torch.manual_seed(0)
    model = AIM(CONFIGS["tiny-paper"])
    for head in model.heads.values():
        torch.nn.init.normal_(head.out.weight, std=0.1)
    full = model.losses(sample(model.config), torch.Generator().manual_seed(0))["total"]
    with torch.autocast("cpu", torch.bfloat16):
        low = model.losses(sample(model.config), torch.Generator().manual_seed(0))["total"]
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, full, atol=0, rtol=0.02)


def test_moving_keeps_every_field() -> None:
    batch = sample(CONFIGS["tiny-paper"])
    moved = move(batch, "meta")
    assert moved.rgb.is_meta
    assert moved.context.text_valid.is_meta
    assert moved.context.past_rgb.shape == batch.context.past_rgb.shape


def test_tiny_learns_a_toy_batch_by_heart() -> None:
    """Two scenes, smooth futures: losses fall, and `act` returns the actions that were shown."""
    config = replace(CONFIGS["tiny-paper"], history_noise=0.0, token_channels=8)
    torch.manual_seed(0)
    model = AIM(config)
    draw = torch.Generator().manual_seed(0)
    known = sample(config)
    still = known.rgb[:, :1, :1].expand_as(known.rgb) * 0.5
    slope = torch.linspace(-1, 1, config.chunk)[:, None] * torch.randn(2, 1, config.action_dim, generator=draw).tanh()
    batch = replace(known, rgb=still, map=still.flip(0), action=slope)
    many = replace(
        batch, context=Context(**{k: v.repeat(8, *[1] * (v.ndim - 1)) for k, v in vars(batch.context).items()}),
        rgb=still.repeat(8, 1, 1, 1), map=batch.map.repeat(8, 1, 1, 1), action=slope.repeat(8, 1, 1),
        map_valid=batch.map_valid.repeat(8),
    )  # fmt: skip
    optimiser = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95))
    course: dict[str, list[float]] = {"rgb": [], "map": [], "action": []}
    steps = 140
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 1e-2 * min(1, (step + 1) / 10, 2 - 2 * step / steps)
        losses = model.losses(many, draw)
        optimiser.zero_grad()
        losses["total"].backward()
        optimiser.step()
        for name, values in course.items():
            values.append(losses[name].item())
    for name, values in course.items():
        assert sum(values[-10:]) < sum(values[:10]) / 10, (name, values[:10], values[-10:])
    action, future = model.act(batch.context, 4, 6, draw)
    assert (action - slope).abs().mean() < 0.2 * slope.abs().mean()
    assert (future.map - batch.map).square().mean() < 0.05 * batch.map.square().mean()
