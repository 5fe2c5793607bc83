"""A dataset becomes a policy: it resumes to the bit, refuses what does not fit, and learns to do the toy's task."""

from __future__ import annotations

import dataclasses
import json
import signal
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from stops import signal_at_step
from toy import CAMERAS, GRIP, JOINTS, X, Y, dataset, episode, moved, observation, places

from aim import cli, config, presets
from aim.config import Run, compute_token_channels
from aim.data import latents, loader
from aim.data.store import Dataset
from aim.model import text
from aim.policy import LearnedPolicy, load_policy
from aim.policy.history import record_step
from aim.train import pipeline, schedule
from aim.train.hooks import TrainingOptions
from aim.train.pipeline import TrainingResult
from sim.types import Observation, UserError

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Return a small toy dataset."""
    return dataset(tmp_path_factory.mktemp("data") / "toy", [episode(seed, pictures=7) for seed in range(4)])


def run(steps: int = 10) -> Run:
    """Return the tiny preset, cut short."""
    made = presets.tiny("aloha", CAMERAS, JOINTS, JOINTS)
    codec = dataclasses.replace(made.codec_train, steps=2, precision="fp32")
    train = dataclasses.replace(made.train, steps=steps, precision="fp32")
    return dataclasses.replace(made, codec_train=codec, train=train)


@pytest.fixture(scope="module")
def trained(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainingResult]:
    """Return a finished training and its folder."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    return out, pipeline.train_policy(run(), data, out, False, CPU)


@pytest.fixture
def policy(trained: tuple[Path, TrainingResult]) -> LearnedPolicy:
    """Return the policy that was trained."""
    return load_policy(trained[0], video_steps=2, action_steps=2)


def seen(step: int, copies: int = 3) -> Observation:
    """Return the toy at the starts of seeds 50, 51, ..."""
    states = np.zeros((copies, JOINTS), np.float32)
    states[:, GRIP] = 1.0
    for i in range(copies):
        states[i, [X, Y]] = places(50 + i)[1]
    return observation(states, np.stack([places(50 + i)[0] for i in range(copies)]), step)


@pytest.mark.slow
def test_stopped_and_resumed_is_the_same_to_the_bit(
    trained: tuple[Path, TrainingResult], data: Dataset, tmp_path: Path
) -> None:
    whole, made = trained
    halves = tmp_path / "halves"
    first = pipeline.train_policy(run(), data, halves, False, CPU, until=5)
    assert (first.outcome.steps, first.outcome.finished) == (5, False)
    second = pipeline.train_policy(run(), data, halves, True, CPU)
    assert (second.outcome.steps, second.outcome.finished) == (10, True)
    assert [p.name for p in sorted(halves.glob("step-*"))] == ["step-000005", "step-000010"]
    for name in ("codec", "ema", "model", "optimiser"):
        a, b = (load_file(folder / "step-000010" / f"{name}.safetensors") for folder in (whole, halves))
        assert a.keys() == b.keys()
        assert all(torch.equal(a[key], b[key]) for key in a), name
    start = load_file(whole / "step-000010" / "model.safetensors")
    again = pipeline.train_policy(run(), data, halves, True, CPU)
    assert again.outcome.steps == 10
    assert made.outcome.loss["total"] > 0
    other = dataclasses.replace(run(), train=dataclasses.replace(run().train, seed=1))
    pipeline.train_policy(other, data, tmp_path / "other", False, CPU, until=10)
    changed = load_file(tmp_path / "other" / "step-000010" / "model.safetensors")
    assert any(not torch.equal(start[key], changed[key]) for key in start)


@pytest.mark.slow
def test_a_stop_in_the_middle_costs_nothing(
    data: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the command runs, and the same command with --resume: to the bit what was never stopped."""

    def words(out: Path, *more: str) -> list[str]:
        asked = [
            "--steps",
            "40",
            "--codec-train.steps",
            "2",
            "--precision",
            "fp32",
            "--film-every",
            "0",
            *more,
            "--json",
        ]
        return ["train", "tiny", "--data", str(data.path), "--out", str(out), *asked]

    whole, halves = tmp_path / "whole", tmp_path / "halves"
    assert cli.main(words(whole)) == 0
    with monkeypatch.context() as patch:
        patch.setattr(schedule, "compute_learning_rate", signal_at_step(25, signal.SIGINT))
        assert cli.main(words(halves)) == 130
    assert "--resume goes on" in json.loads(capsys.readouterr().out.splitlines()[-1])["kept"]
    (kept,) = halves.glob("step-*")
    assert kept.name == "step-000026"
    assert cli.main(words(halves, "--resume")) == 0
    for name in ("codec", "ema", "model", "optimiser"):
        a, b = (load_file(folder / "step-000040" / f"{name}.safetensors") for folder in (whole, halves))
        assert a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a), name
    rows = [json.loads(line) for line in (halves / "log.jsonl").read_text().splitlines()]
    steps = [row for row in rows if row["part"] == "stage1"]
    assert [row["step"] for row in steps] == [20, 40]
    assert all(row["gradient_norm"] > 0 and row["samples_per_second"] > 0 and row["lr"] > 0 for row in steps)


@pytest.mark.slow
def test_films_show_the_same_samples_and_change_no_weight(
    trained: tuple[Path, TrainingResult], data: Dataset, tmp_path: Path
) -> None:
    out = tmp_path / "filmed"
    pipeline.train_policy(run(), data, out, False, CPU, until=5, options=TrainingOptions(video_every=None))
    pipeline.train_policy(run(), data, out, True, CPU, options=TrainingOptions(video_every=5))
    films = [path.name for path in sorted((out / "imagined").iterdir())]
    assert films == [f"step-{step:06d}.webp" for step in (1, 2, 3, 4, 5, 10)]
    first, last = (cv2.imreadanimation(str(out / "imagined" / films[i]))[1].frames for i in (0, -1))
    assert len(first) == 1 + run().model.num_future_frames
    width = first[0].shape[1] // 4
    came = [np.asarray(frames[-1][..., :3], float) for frames in (first, last)]
    assert np.abs(came[0][:, :width] - came[1][:, :width]).mean() < 1, "the same pictures came, but for compression"
    assert np.abs(came[0][:, width : 2 * width] - came[1][:, width : 2 * width]).mean() > 0.1, "others are imagined"
    for name in ("ema", "model"):
        a, b = (load_file(folder / "step-000010" / f"{name}.safetensors") for folder in (trained[0], out))
        assert all(torch.equal(a[key], b[key]) for key in a), name


@pytest.mark.slow
def test_numbers_that_are_not_finite_are_never_kept(data: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "run"
    pipeline.train_policy(run(), data, out, False, CPU, until=3)
    path = out / "step-000003" / "model.safetensors"
    save_file({name: value * float("nan") for name, value in load_file(path).items()}, path)
    with pytest.raises(UserError, match=r"step 4 is not finite .*step-000003 stays; a lower --lr may help"):
        pipeline.train_policy(run(), data, out, True, CPU)
    assert [kept.name for kept in out.glob("step-*")] == ["step-000003"]


@pytest.mark.slow
def test_the_log_tells_the_parts_apart(trained: tuple[Path, TrainingResult]) -> None:
    out, made = trained
    parts = [json.loads(line)["part"] for line in (out / "log.jsonl").read_text().splitlines()]
    assert parts[:2] == ["codec", "latents"]
    assert set(made.seconds) == {"codec", "latents", "stage1"}
    assert config.load_run(made.outcome.checkpoint) == run()


@pytest.mark.slow
def test_what_does_not_fit_is_refused_and_nothing_changes(
    trained: tuple[Path, TrainingResult], data: Dataset, tmp_path: Path
) -> None:
    out = trained[0]
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    wider = dataclasses.replace(run(), model=dataclasses.replace(run().model, width=64))
    with pytest.raises(UserError, match=r"model\.width is 32, not 64"):
        pipeline.train_policy(wider, data, out, True, CPU)
    with pytest.raises(UserError, match="--resume goes on"):
        pipeline.train_policy(run(), data, out, False, CPU)
    with pytest.raises(UserError, match="robot 'aloha'"):
        pipeline.train_policy(dataclasses.replace(run(), robot="panda"), data, out, True, CPU)
    other = dataset(tmp_path / "other", [episode(seed, pictures=7 + seed // 3) for seed in range(5)])
    with pytest.raises(UserError, match=r"it began with 4 episodes, .*other has 5, 3 of them the same; choose another"):
        pipeline.train_policy(run(), other, out, True, CPU)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before
    tmp_path = tmp_path / "mine"
    tmp_path.mkdir()
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        pipeline.train_policy(run(), data, tmp_path, False, CPU)
    with pytest.raises(UserError, match="no checkpoint"):
        load_policy(tmp_path)


def test_a_sentence_that_would_be_cut_is_refused() -> None:
    said = "put the cup on the coaster " * 12
    assert len(text.embed_sentence(said)) == 12 * 6 + 2
    with pytest.raises(UserError, match=r"an instruction has 146 tokens, at most 128 are read: 'put the cup"):
        text.embed_sentence(said * 2)


@pytest.mark.slow
def test_the_command_answers_in_one_line(data: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    words = ["train", "tiny", "--data", str(data.path), "--out", str(out), "--steps", "2", "--json"]
    changed = ["--batch-size", "4", "--lr", "0.001", "--precision", "fp32", "--checkpointing", "--film-every", "0"]
    words += changed
    assert cli.main(words) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    kept = config.load_run(out).train
    assert (kept.batch_size, kept.lr, kept.precision, kept.checkpointing) == (4, 0.001, "fp32", True)
    assert said["steps"] == 2
    assert set(said["loss"]) == {"rgb", "map", "action"}
    assert {"seconds", "samples_per_second", "checkpoint"} <= said.keys()
    assert Path(said["checkpoint"]).is_dir()
    for wrong in (["train", "tini", *words[2:]], words, ["train", "tiny", "--data", str(out), *words[4:]]):
        assert cli.main(wrong) == 2
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        assert "error" in json.loads(said.out.splitlines()[-1])


@pytest.mark.slow
def test_a_policy_acts_alike_whatever_the_batch_and_again_from_the_start(policy: LearnedPolicy) -> None:
    every = np.ones(3, bool)
    policy.reset(every)
    first = [policy.act(seen(step)).actions for step in (0, 16, 32)]
    policy.reset(every)
    again = [policy.act(seen(step)).actions for step in (0, 16, 32)]
    np.testing.assert_array_equal(first, again)
    assert first[0].shape == (3, 32, JOINTS)
    policy.reset(np.ones(1, bool))
    alone = [policy.act(seen(step, copies=1)).actions for step in (0, 16, 32)]
    np.testing.assert_allclose([a[0] for a in alone], [a[0] for a in first], atol=1e-4)


@pytest.mark.slow
def test_a_group_from_one_state_acts_apart_as_world_numbers_and_policy_seed_say(
    trained: tuple[Path, TrainingResult],
) -> None:
    one = seen(0, copies=1)
    images = {camera: np.repeat(picture, 8, axis=0) for camera, picture in one.images.items()}
    group = Observation(images, np.repeat(one.state, 8, axis=0), one.instruction * 8, np.repeat(one.time, 8))

    def act(worlds: Sequence[int], policy_seed: int = 0) -> NDArray[np.float32]:
        policy = load_policy(trained[0], video_steps=2, action_steps=2, seed=policy_seed, worlds=worlds)
        return policy.act(group).actions

    first, numbers = act(range(8)), [3, 1, 4, 15, 9, 2, 6, 5]
    assert len({world.tobytes() for world in first}) == 8
    np.testing.assert_array_equal(act(())[:8], first)
    np.testing.assert_array_equal(act(numbers)[1], first[1])  # numbered 1 in both
    np.testing.assert_allclose(act(numbers)[[0, 2, 5]], first[[3, 4, 2]], atol=1e-5)  # the place does not matter
    assert len({world.tobytes() for world in np.concatenate([first, act(range(8), policy_seed=1)])}) == 16
    with pytest.raises(UserError, match="for 3 worlds, and was shown 8"):
        act(range(3))


@pytest.mark.slow
def test_memory_holds_what_was_seen_and_done(policy: LearnedPolicy) -> None:
    policy.reset(np.ones(3, bool))
    first = policy.act(seen(0)).actions
    policy.act(seen(16))
    memory = policy.history
    assert memory is not None
    np.testing.assert_array_equal(memory.executed, first[:, :16])
    policy.reset(np.array([True, False, False]))
    assert policy.history is not None
    assert policy.history.step.tolist() == [-1, 16, 16]
    policy.act(dataclasses.replace(seen(32), time=np.array([0.0, 0.64, 0.64])))
    assert policy.history.began.tolist() == [0, 0, 0]
    assert policy.history.step.tolist() == [0, 32, 32]


@pytest.mark.slow
def test_a_chunk_is_the_whole_prediction_and_says_how_much_of_it_to_carry_out(policy: LearnedPolicy) -> None:
    policy.reset(np.ones(3, bool))
    chunk = policy.act(seen(0))
    assert (chunk.actions.shape[1], chunk.execution_horizon, chunk.executable.shape[1]) == (32, 16, 16)
    policy.act(dataclasses.replace(seen(16), executed=np.full((3, 16, JOINTS), 0.25, np.float32)))
    assert policy.history is not None
    assert (policy.history.executed == 0.25).all()
    before = policy.history
    with pytest.raises(UserError, match="state has numbers that are not finite"):
        policy.act(dataclasses.replace(seen(32), state=np.full((3, JOINTS), np.nan, np.float32)))
    assert policy.history is before
    with pytest.raises(UserError, match="execution horizon 12 does not fit"):
        LearnedPolicy(policy.run, policy.transform, policy.codec, policy.model, execution_horizon=12)


@pytest.mark.slow
def test_a_policy_that_is_never_asked_at_the_right_time_says_so_once(policy: LearnedPolicy) -> None:
    policy = LearnedPolicy(policy.run, policy.transform, policy.codec, policy.model)
    policy.reset(np.ones(3, bool))
    policy.act(seen(0))
    with pytest.warns(UserWarning, match="acts without its history: no observation was made 320 ± 60 ms before"):
        for step in (25, 50, 75):
            policy.act(seen(step))
    policy.act(seen(100))  # a warning would be an error
    jittering = LearnedPolicy(policy.run, policy.transform, policy.codec, policy.model)
    for step in (0, 17, 31, 48, 63, 80, 95):  # 30 Hz and 15 ms of jitter: no warning
        jittering.act(seen(step))


@pytest.mark.slow
def test_the_policy_tells_the_model_what_the_loader_told_it(
    trained: tuple[Path, TrainingResult], policy: LearnedPolicy, data: Dataset
) -> None:
    made = data.load(data.episodes[1])
    moves, every = loader.motions(data), loader.windows(data)
    tokens = latents.cached(trained[0] / "latents", policy.codec, data, policy.run.data)
    words = loader.read_words(moves.instructions)
    row = np.flatnonzero((every.episode == 1) & (every.picture == 4))
    sample = loader.Loader(policy.run, tokens, moves, every, words, policy.transform).batch(row)

    def shown(step: int) -> Observation:
        images = {camera: made.images[camera][step // 4][None] for camera in CAMERAS}
        return Observation(images, made.state[step][None], (made.instruction,), np.array([step / 50]))

    _, memory = policy.step(shown(0), policy.begin_history(1))
    memory = record_step(dataclasses.replace(memory, handed_out=made.action[None, :16]), np.array([16]))
    now = policy.codec.encode([torch.from_numpy(shown(16).images[c]) for c in CAMERAS], "rgb")
    context = policy.build_context(shown(16), memory, now)
    assert bool(context.past_valid[0]) and bool(sample.context.past_valid[0])
    for name in ("past_rgb", "past_action", "rgb", "state", "text"):
        told, learned = vars(context)[name], vars(sample.context)[name]
        torch.testing.assert_close(told, learned, atol=2e-2, rtol=2e-3, msg=name)  # the cache is in half precision


@pytest.mark.slow
def test_imagined_pictures_come_when_asked_for(trained: tuple[Path, TrainingResult], policy: LearnedPolicy) -> None:
    dreamer = load_policy(trained[0], video_steps=2, action_steps=2, imagine=True)
    chunk = dreamer.act(seen(0))
    assert chunk.extras["images/head"].shape == (3, 2, 64, 64, 3)
    assert chunk.extras["maps/left_wrist"].shape == (3, 2, 32, 32, 3)
    assert chunk.extras["maps/head"].dtype == np.uint8
    plain = policy.act(seen(0))
    assert not plain.extras
    np.testing.assert_array_equal(plain.actions, chunk.actions)


@pytest.mark.slow
def test_a_policy_that_cannot_see_says_so(policy: LearnedPolicy) -> None:
    looked = seen(0)
    blind = dataclasses.replace(looked, images={"head": looked.images["head"]})
    with pytest.raises(UserError, match="left_wrist"):
        policy.act(blind)


def reaches(policy: LearnedPolicy, seeds: range, chunks: int = 8) -> float:
    """Return the share of seeds in which the hand ends on the spot, closed."""
    spots = np.stack([places(seed)[0] for seed in seeds])
    states = np.zeros((len(seeds), JOINTS), np.float32)
    states[:, [X, Y]] = [places(seed)[1] for seed in seeds]
    states[:, GRIP] = 1.0
    policy.reset(np.ones(len(seeds), bool))
    for chunk in range(chunks):
        actions = policy.act(observation(states, spots, 16 * chunk)).executable
        for k in range(actions.shape[1]):
            states = np.stack([moved(s, a) for s, a in zip(states, actions[:, k], strict=True)])
    near = np.hypot(*(states[:, [X, Y]] - spots).T) < 0.15
    return float((near & (states[:, GRIP] < 0.5)).mean())


@pytest.mark.slow
def test_the_whole_chain_learns_the_toy(tmp_path: Path) -> None:
    made = run(steps=350)
    codec = dataclasses.replace(made.codec, latent_channels=48)
    model = dataclasses.replace(
        made.model, token_channels=compute_token_channels(codec), width=64, action_width=64, ffn_dim=256,
        action_ffn_dim=256, noise_samples_per_action=4,
    )  # fmt: skip
    train = dataclasses.replace(made.train, batch_size=32, lr=8e-3, ema_decay=0.98, warmup=20, optimizer="muon")
    made = dataclasses.replace(made, codec=codec, model=model, train=train)
    lessons = dataset(tmp_path / "toy", [episode(seed) for seed in range(80)])
    out = tmp_path / "run"
    pipeline.train_policy(made, lessons, out, False, CPU)
    assert reaches(load_policy(out), range(1000, 1020)) >= 0.5
