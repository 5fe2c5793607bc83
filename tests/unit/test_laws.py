"""Laws of the model: what cannot influence what, by bits and by gradients, whole and cached, however it attends."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from models import CONFIGS, S_ACTION, S_VIDEO, Inputs, inputs, predict, randomised, told
from torch import Tensor

from aim.config import Attention, ModelConfig
from aim.model import intent
from aim.model.batch import KvCache
from aim.model.flow import seed_rows
from aim.model.world_action_model import WorldActionModel

torch.set_num_threads(1)  # the model is small: threads that wait for each other cost more than they give


@pytest.fixture(params=list(CONFIGS), scope="module")
def model(request: pytest.FixtureRequest) -> WorldActionModel:
    return randomised(WorldActionModel(CONFIGS[request.param]))


KIND = {  # which kind of segment an input makes
    "past_rgb": "past_obs", "past_action": "past_act", "rgb": "o", "state": "o", "text": "text", "x": "x", "m": "m",
    "a": "a", "condition": "c", "fovea": "f",
}  # fmt: skip


def cached(model: WorldActionModel, given: Inputs) -> dict[str, Tensor]:
    """Return the same in three turns, each against the cache of those before, as at inference."""
    cache = model.encode_context(told(model, given))
    x, m = model.predict_video_velocity(cache, given["x"], given.get("m"), S_VIDEO)
    known = told(model, given)
    against = model.append_condition(cache, given["condition"], known.fovea) if "condition" in given else cache
    a = model.predict_action_velocity(against, given["a"], S_ACTION)
    return {"x": x, "a": a} | ({"m": m} if m is not None else {})


WAYS: dict[str, Callable[[WorldActionModel, Inputs], dict[str, Tensor]]] = {"whole": predict, "cached": cached}


def allowed(model: WorldActionModel, output: str) -> set[str]:
    """Return the inputs that the table lets reach an output."""
    who = intent.build_table(model.config)
    reached = intent.find_influences(who, output)
    kinds = {**KIND, "condition": intent.condition_kind(who)}
    return {name for name, kind in kinds.items() if kind in reached}


def absent(config: ModelConfig) -> set[str]:
    """Return the inputs that have no numbers in this configuration."""
    return {name for name, size in (("past_rgb", config.past_frames), ("past_action", config.past_actions)) if not size}


@pytest.mark.parametrize("way", WAYS)
def test_forbidden_inputs_change_no_bit_and_all_others_do(model: WorldActionModel, way: str) -> None:
    given = inputs(model.config)
    with torch.no_grad():
        before = WAYS[way](model, given)
        for name in set(given) - absent(model.config):
            after = WAYS[way](model, {**given, name: given[name] + 1.0})
            for output in before:
                reaches = not torch.equal(before[output], after[output])
                assert reaches == (name in allowed(model, output)), f"{name} -> {output}"


@pytest.mark.parametrize("way", WAYS)
def test_forbidden_gradients_are_zero_and_all_others_are_not(model: WorldActionModel, way: str) -> None:
    given = {name: z.clone().requires_grad_() for name, z in inputs(model.config).items()}
    outputs = WAYS[way](model, given)
    present = [name for name in given if name not in absent(model.config)]
    for output in outputs:
        slopes = torch.autograd.grad(
            outputs[output].square().sum(), [given[name] for name in present], retain_graph=True, allow_unused=True
        )
        for name, slope in zip(present, slopes, strict=True):
            size = 0.0 if slope is None else slope.abs().max().item()
            assert (size > 0) == (name in allowed(model, output)), f"{name} -> {output}: {size}"


def test_the_laws_of_the_paper_by_name() -> None:
    """What the method forbids, said once more without the table: dx/dm, dx/da, dm/da, da/dx and da/dtext are zero."""
    for name in ("tiny-paper", "nano-paper"):
        model = randomised(WorldActionModel(CONFIGS[name]))
        assert allowed(model, "x") == {"past_rgb", "past_action", "rgb", "state", "text", "x"}
        assert allowed(model, "m") == allowed(model, "x") | {"m"}
        assert allowed(model, "a") == {"past_rgb", "past_action", "rgb", "state", "a", "condition"}


def context_cache(model: WorldActionModel, given: Inputs) -> KvCache:
    """Return keys and values of the context that a pass over the whole sequence, future included, leaves behind."""
    known = told(model, given)
    copied = intent.condition_kind(model.who)
    frames = {"x": given["x"]} | ({"m": given["m"]} if "m" in given else {})
    frames |= {copied: given["condition"]} if copied else {}
    tokens = {**model.embed.embed_context(known), **model.embed.embed_future(frames)}
    tokens |= {"f": model.embed.embed_fovea(known.fovea)} if known.fovea else {}
    copies = given["a"][:, None].repeat(1, model.config.noise_samples_per_action, 1, 1)
    tokens["a"] = model.embed.embed_actions(copies, known.state).flatten(1, 2)
    cut = model._split_segments(tokens)
    levels = {s: torch.tensor([0.5]) for s in cut if s.kind in ("x", "m", "a")}
    return model._run_segments(cut, levels, KvCache(), model.embed.embed_text(known))[1]


def test_training_the_action_expert_changes_no_bit_of_the_predicted_future(model: WorldActionModel) -> None:
    """The frozen future: pictures, maps and cached keys and values depend on no weight of the action expert."""
    given = told(model, inputs(model.config))
    other = randomised(WorldActionModel(model.config))
    with torch.no_grad():
        for value in other.list_action_expert_parameters().values():
            value.add_(torch.randn(value.shape, generator=torch.Generator().manual_seed(1)))

    def predict_all(of: WorldActionModel) -> tuple[list[Tensor], Tensor]:
        actions, future = of.sample_actions(given, 2, 2, seed_rows(0, len(given.rgb)), imagine=True)
        layers = [*future.cache.segments.values(), *future.cache.text.values()]
        frozen = [z for pairs in layers for pair in pairs for z in pair]
        return [*frozen, *(z for z in (future.rgb, future.map) if z is not None)], actions

    before, actions = predict_all(model)
    after, moved = predict_all(other)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert not torch.equal(actions, moved)


def test_the_action_expert_is_all_that_the_frozen_future_does_not_depend_on(model: WorldActionModel) -> None:
    """No weight is forgotten: each parameter outside the action expert reaches a prediction or a cached key."""
    given = inputs(model.config)
    found = predict(model, given)
    frozen = sum(z.square().sum() for kind, z in found.items() if kind != "a")
    names = [name for name in dict(model.named_parameters()) if name not in model.list_action_expert_parameters()]
    caches = model.encode_context(told(model, given))
    if "condition" in given:
        caches = model.append_condition(caches, given["condition"], told(model, given).fovea)
    frozen = frozen + sum(z.square().sum() for layers in caches.segments.values() for pair in layers for z in pair)
    slopes = torch.autograd.grad(frozen, [model.get_parameter(name) for name in names], allow_unused=True)
    dead = [name for name, slope in zip(names, slopes, strict=True) if slope is None]
    slopes = torch.autograd.grad(found["a"].square().sum(), list(model.list_action_expert_parameters().values()))
    unused = ["embed.displaced"]  # of moved pictures, which only training sees
    unused += [
        f"embed.{part}{kind}"
        for part in ("", "no_past.", "place.")
        for kind in ("past_action", "past_obs", "past_act")
        if absent(model.config)
    ]
    assert not [name for name in dead if not name.startswith(tuple(unused))]
    assert all(bool(slope.abs().any()) for slope in slopes)


def test_another_future_changes_no_bit_of_the_context(model: WorldActionModel) -> None:
    """Influence is a law of bits: the shapes are the same, so every processor rounds alike."""
    given = inputs(model.config)
    other = {name: z + 1.0 if name in ("x", "m", "a", "condition") else z for name, z in given.items()}
    with torch.no_grad():
        one, two = context_cache(model, given), context_cache(model, other)
    clean = {segment for segment in model.sequence if segment.block < 1}
    assert clean <= set(one.segments)
    for segment in clean:
        for pair, changed in zip(one.segments[segment], two.segments[segment], strict=True):
            assert torch.equal(pair[0], changed[0]) and torch.equal(pair[1], changed[1])


def test_the_context_is_cached_as_if_the_future_stood_beside_it(model: WorldActionModel) -> None:
    """Products of other shapes are summed in another order on some processors: equal to 1e-4, not to the bit."""
    given = inputs(model.config)
    with torch.no_grad():
        beside, alone = context_cache(model, given), model.encode_context(told(model, given))
    assert set(alone.segments) == {segment for segment in model.sequence if segment.block < 1}
    for segment, layers in alone.segments.items():
        for pair, other in zip(layers, beside.segments[segment], strict=True):
            torch.testing.assert_close(pair[0], other[0], atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(pair[1], other[1], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("way", ["mask", "flex"])
def test_ways_of_attention_give_equal_models(model: WorldActionModel, way: Attention) -> None:
    given = inputs(model.config)
    with torch.no_grad():
        first = predict(model, given)
        model.trunk.attention_backend = way
        second = predict(model, given)
        model.trunk.attention_backend = "segments"
    for output in first:
        torch.testing.assert_close(second[output], first[output], atol=1e-4, rtol=1e-4)


def test_cached_inference_is_the_whole_sequence(model: WorldActionModel) -> None:
    given = inputs(model.config)
    with torch.no_grad():
        whole, turns = predict(model, given), cached(model, given)
    assert turns.keys() == whole.keys()
    for output in whole:
        torch.testing.assert_close(turns[output], whole[output], atol=1e-4, rtol=1e-4)  # shapes differ
