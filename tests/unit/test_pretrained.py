"""A pipeline of Wan saved by diffusers becomes our model, codec and text encoder through the very loading code."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from diffusers.pipelines.wan.pipeline_wan import WanPipeline
from safetensors.torch import load_file, save_file
from small_wan import noise, vae
from toy import CAMERAS, JOINTS, X, Y, dataset, episode, observation, places
from transformers import T5TokenizerFast, UMT5Config, UMT5EncoderModel

from aim import presets
from aim.config import Run, View, build_token_grid, compute_token_channels
from aim.model import flow, lora, text, wan
from aim.model.wan_vae import WanCodec
from aim.model.world_action_model import WorldActionModel
from aim.policy import load_policy, pretrained
from aim.train import pipeline
from aim.train.hooks import TrainingOptions
from sim.types import UserError

torch.set_num_threads(1)
WORDS = ("pick", "up", "the", "red", "cup", "and", "put", "it", "on", "a", "plate")


def run(weights: Path | str = "", rank: int = 0) -> Run:
    """Return `wan5b` made small: the same recipe, other sizes."""
    whole = presets.wan5b("panda", ("head", "wrist"), 5, 6)
    views = (View("head", 64, 96), View("wrist", 32, 64))
    codec = dataclasses.replace(whole.codec, views=views, latent_channels=8, base_dim=8)
    model = dataclasses.replace(
        whole.model,
        token_grid=build_token_grid(codec),
        token_channels=compute_token_channels(codec),
        text_width=16,
        width=48,
        action_width=24,
        heads=2,
        head_dim=24,
        layers=2,
        ffn_dim=64,
        action_ffn_dim=32,
        lora_rank=rank,
    )
    return dataclasses.replace(whole, codec=codec, model=model, weights=str(weights))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that diffusers saved a tiny pipeline of Wan 2.2 into, its transformer in several files."""
    path = tmp_path_factory.mktemp("wan")
    torch.manual_seed(0)
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((f"▁{word}", -1.0) for word in WORDS)]
    letters = [(letter, -5.0) for letter in "abcdefghijklmnopqrstuvwxyz▁"]
    reads = UMT5Config(vocab_size=64, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2)
    pipeline = WanPipeline(
        tokenizer=T5TokenizerFast(vocab=pieces + letters, extra_ids=0),
        text_encoder=UMT5EncoderModel(reads), vae=vae(),
        scheduler=UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0),
        transformer=WanTransformer3DModel(**wan.expected_transformer_config(run().model)), expand_timesteps=True,
    )  # fmt: skip
    pipeline.save_pretrained(path, max_shard_size="250KB")
    return path


def copied(folder: Path, to: Path, **changes: object) -> Path:
    """Return a copy of the transformer's folder with other values in its configuration."""
    shutil.copytree(folder / "transformer", to / "transformer")
    config = to / "transformer" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **changes}))
    return to


def in_files(folder: Path, part: str = "transformer") -> dict[str, torch.Tensor]:
    """Return all tensors that were saved of a part."""
    files = list((folder / part).glob("*.safetensors"))
    assert len(files) > 1
    return {name: value for path in files for name, value in load_file(path).items()}


def test_every_saved_tensor_is_in_the_model(folder: Path) -> None:
    config = run().model
    torch.manual_seed(0)
    model = pretrained.load_wan(str(folder), config)
    saved, back = in_files(folder), {}
    for name, row in wan.list_weight_sources(config).items():
        back |= wan.convert_to_wan(row, model.get_parameter(name).detach(), config)
    assert back.keys() == saved.keys()
    assert all(torch.equal(back[name], saved[name]) for name in saved)
    assert all(not value.is_meta for value in [*model.parameters(), *model.buffers()])
    whole = WorldActionModel(config)
    assert {n: b.shape for n, b in model.named_buffers()} == {n: b.shape for n, b in whole.named_buffers()}
    assert all(torch.equal(model.get_buffer(name), value) for name, value in whole.named_buffers())


def test_the_same_seed_makes_the_same_model(folder: Path) -> None:
    made = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        made.append(pretrained.build_model(run(folder, rank=2)).state_dict())
    assert all(torch.equal(value, made[1][name]) for name, value in made[0].items())
    assert not torch.equal(made[0]["embed.action.weight"], made[2]["embed.action.weight"])
    assert torch.equal(made[0]["embed.rgb.weight"], made[2]["embed.rgb.weight"])


def test_only_what_adapters_stand_beside_is_halved(folder: Path) -> None:
    model = pretrained.build_model(run(folder, rank=2))
    halved = {name for name, value in model.named_parameters() if value.dtype == torch.bfloat16}
    assert "trunk.layers.0.rgb.qkv.weight" in halved
    assert not any(model.get_parameter(name).requires_grad for name in halved)
    assert not any("action" in name or "table" in name or "norm" in name or "lora" in name for name in halved)
    whole = pretrained.load_wan(str(folder), run(folder).model)
    for name in halved:
        assert torch.equal(model.get_parameter(name), whole.get_parameter(name).bfloat16())


def test_without_weights_the_model_begins_from_nothing() -> None:
    torch.manual_seed(5)
    whole = WorldActionModel(run().model).state_dict()
    torch.manual_seed(5)
    assert all(torch.equal(value, whole[name]) for name, value in pretrained.build_model(run()).state_dict().items())


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"num_layers": 3}, "num_layers 3; this run needs 2"), ({"text_dim": 32}, "text_dim 32; this run needs 16"),
     ({"patch_size": [1, 1, 1]}, r"patch_size \(1, 1, 1\)"), ({"_class_name": "FluxModel"}, "holds a FluxModel"),
     ({"cross_attn_norm": False}, "cross_attn_norm False")],
)  # fmt: skip
def test_another_transformer_is_refused_in_one_line(
    folder: Path, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    other = copied(folder, tmp_path, **changes)
    with pytest.raises(UserError, match=said) as caught:
        pretrained.load_wan(str(other), run().model)
    assert "\n" not in str(caught.value)


def test_damage_is_named(folder: Path, tmp_path: Path) -> None:
    other = copied(folder, tmp_path)
    broken = sorted((other / "transformer").glob("*.safetensors"))[0]
    broken.write_bytes(broken.read_bytes()[:100])
    with pytest.raises(UserError, match="transformer"):
        pretrained.load_wan(str(other), run().model)
    for path in (other / "transformer").glob("diffusion*"):
        path.unlink()
    rest = {name: z for name, z in in_files(folder).items() if "proj_out" not in name}
    save_file(rest, broken.parent / pretrained.WEIGHTS_FILE)
    with pytest.raises(UserError, match="lacks the tensor proj_out"):
        pretrained.load_wan(str(other), run().model)


@pytest.mark.parametrize("weights", ["./not/here", "no such name"])
def test_weights_that_are_nowhere_say_what_is_expected(weights: str) -> None:
    for load in (pretrained.build_model, pretrained.build_codec):
        with pytest.raises(UserError, match="a folder of diffusers' layout or a name of the hub") as caught:
            load(run(weights))
        assert "\n" not in str(caught.value)


def test_a_hub_out_of_reach_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"no pretrained weights at 'Wan-AI/Wan2\.2-TI2V-5B-Diffusers'"):
        pretrained.build_model(run(presets.WAN_WEIGHTS))


def test_a_folder_without_the_part_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no transformer/"):
        pretrained.build_model(run(tmp_path))


def test_a_model_that_predicts_data_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match="predict 'velocity'"):
        pretrained.load_wan(str(folder), dataclasses.replace(run().model, predict="data"))


def test_the_codec_is_that_of_the_pipeline(folder: Path) -> None:
    codec = pretrained.build_codec(run(folder))
    assert isinstance(codec, WanCodec)
    saved = in_files(folder, "vae")
    assert all(torch.equal(codec.vae.state_dict()[name], value) for name, value in saved.items())
    pretrained.check_fingerprint(codec, "x")
    codec.fingerprint[0] += 1
    with pytest.raises(UserError, match="not the one that this run was trained with"):
        pretrained.check_fingerprint(codec, "x")
    finer = dataclasses.replace(run().codec, factor=8)
    model = dataclasses.replace(run().model, token_grid=build_token_grid(finer))
    other = dataclasses.replace(run(folder), codec=finer, model=model)
    with pytest.raises(UserError, match="scale_factor_spatial 16; this run needs 8"):
        pretrained.build_codec(other)


def test_sentences_are_read_as_wan_reads_them(folder: Path) -> None:
    pipeline = WanPipeline.from_pretrained(folder, transformer=None, vae=None)
    sentences = ["pick up  the red cup", "put it on a plate and pick up the cub"]
    found, valid = text.encode_sentences(sentences, str(folder))
    assert found.shape == (2, text.WAN_TEXT_TOKENS, 16)
    assert valid.all()
    with torch.no_grad():
        encoder = pipeline.text_encoder.bfloat16()
        wanted, _ = pipeline.encode_prompt(
            sentences,
            do_classifier_free_guidance=False,
            max_sequence_length=text.WAN_TEXT_TOKENS,
            device=torch.device("cpu"),
        )
    assert encoder.dtype == torch.bfloat16
    lengths = [len(text.embed_sentence(sentence, str(folder))) for sentence in sentences]
    assert lengths[0] < lengths[1]
    for row, length in enumerate(lengths):
        assert not found[row, length:].any()
        assert not wanted[row, length:].any()
        assert found[row, :length].abs().sum() > 0
    torch.testing.assert_close(found, wanted.float(), atol=5e-2, rtol=5e-2)  # read alone and side by side, in bfloat16
    text.unload_encoders()


def test_the_parts_work_together(folder: Path) -> None:
    """Pictures and sentences in, a training step in half precision, actions out."""
    torch.manual_seed(0)
    whole = run(folder, rank=2)
    model, codec, config = pretrained.build_model(whole), pretrained.build_codec(whole), whole.model
    batch = noise(config, 2, 1)
    shown = [torch.randint(0, 256, (2, v.height, v.width, 3)).byte() for v in whole.codec.views]
    words, valid = text.encode_sentences(["pick up the cup", "put it on a plate"], str(folder))
    context = dataclasses.replace(batch.context, rgb=codec.encode(shown, "rgb"), text=words, text_valid=valid)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    for _ in range(2):  # in the first one the adapters' second factors are zero, and their first have no gradient
        with torch.autocast("cpu", torch.bfloat16):
            loss = model.compute_losses(dataclasses.replace(batch, context=context), flow.seed_rows(0, 2))["total"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    moved = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    unused = {"embed.no_past.past_obs", "embed.no_past.past_act"}  # every row has a past, and zeros do not decay
    assert moved == lora.list_trained(model).keys() - unused
    with torch.autocast("cpu", torch.bfloat16):
        action, imagined = model.sample_actions(context, 2, 2, flow.seed_rows(1, 2))
    assert action.isfinite().all()
    assert imagined.map is not None
    back = codec.decode(imagined.map.float().flatten(0, 1), "map")
    assert [tuple(p.shape[1:3]) for p in back] == [(v.height, v.width) for v in whole.codec.views]
    text.unload_encoders()


def test_minilm_stays_the_default() -> None:
    found, valid = text.encode_sentences(["pick up the cup", "go"])
    assert found.shape == (2, valid.shape[1], text.TEXT_EMBEDDING_DIM)
    assert valid.sum(1).tolist() == [len(text.embed_sentence("pick up the cup")), len(text.embed_sentence("go"))]
    assert not valid.all()


def test_no_text_encoder_is_a_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="umT5") as caught:
        text.encode_sentences(["go"], str(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shift", [1.0, 3.0, 5.0])
@pytest.mark.parametrize("steps", [1, 4, 50])
def test_the_levels_are_those_of_the_schedulers(steps: int, shift: float) -> None:
    euler = FlowMatchEulerDiscreteScheduler(shift=shift)
    euler.set_timesteps(sigmas=np.linspace(1.0, 0.0, steps + 1)[:-1].tolist())
    ours = flow.build_schedule(steps, shift)
    np.testing.assert_allclose(euler.sigmas.numpy(), ours, atol=1e-6)
    np.testing.assert_allclose(euler.timesteps.numpy(), 1000.0 * np.array(ours[:-1]), rtol=1e-6)
    wans = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift)
    wans.set_timesteps(steps)
    np.testing.assert_allclose(wans.sigmas.numpy(), ours, atol=1.1e-3 * shift)  # it aims one thousandth above 0


@pytest.mark.parametrize("rank", [2, 0])
def test_a_run_with_pretrained_weights_trains_goes_on_and_acts(folder: Path, tmp_path: Path, rank: int) -> None:
    """With adapters only they and what Wan has not are kept; the policy finds the frozen rest where it came from."""
    whole = run(folder, rank)
    views = tuple(View(name, *((32, 32) if "wrist" in name else (64, 64))) for name in CAMERAS)
    codec = dataclasses.replace(whole.codec, views=views)
    model = dataclasses.replace(whole.model, token_grid=build_token_grid(codec), action_dim=JOINTS, state_dim=JOINTS)
    stage = dataclasses.replace(whole.train, steps=4, batch_size=4, precision="bf16" if rank else "fp32", warmup=1)
    made = dataclasses.replace(whole, robot="aloha", codec=codec, model=model, train=stage)
    data, out = dataset(tmp_path / "toy", [episode(seed, pictures=7) for seed in range(3)]), tmp_path / "run"
    pipeline.train_policy(made, data, out, False, torch.device("cpu"), until=2)
    ended = pipeline.train_policy(made, data, out, True, torch.device("cpu"))
    assert ended.outcome.finished
    kept = load_file(ended.outcome.checkpoint / "ema.safetensors")
    filmed = pipeline.train_policy(
        made, data, tmp_path / "filmed", False, torch.device("cpu"), options=TrainingOptions(video_every=2)
    )
    again = load_file(filmed.outcome.checkpoint / "ema.safetensors")
    assert all(torch.equal(kept[name], again[name]) for name in kept), "films change nothing"
    assert [path.stem for path in sorted((tmp_path / "filmed/imagined").iterdir())] == ["step-000002", "step-000004"]
    assert ("trunk.layers.0.rgb.qkv.weight" in kept) == (rank == 0)
    states, spots = (np.stack([places(50 + i)[which] for i in range(2)]) for which in (1, 0))
    joints = np.zeros((2, JOINTS), np.float32)
    joints[:, [X, Y]] = states
    actions = load_policy(out).act(observation(joints, spots, 0)).actions
    assert actions.shape == (2, 32, JOINTS)
    assert np.isfinite(actions).all()
