"""A recorded set of one's own robot trains with two flags, masks the loss of the maps it lacks, and drives a policy."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from lerobot_set import TOML, edit_info, edit_tables, toy_part, write
from safetensors.torch import load_file
from toy import CAMERAS, JOINTS, SAY, dataset, draw, episode, places

from aim import cli, config, presets
from aim.data import latents, loader, transforms
from aim.data.formats.lerobot import LeRobotSet
from aim.data.mapped import read_recorded
from aim.data.mapping import RobotMapping
from aim.data.mapping_file import mapping_from_json, parse_mapping
from aim.data.source import Source
from aim.data.view_pictures import sample_view_pictures
from aim.evaluate import open_loop
from aim.evaluate.prediction_summary import summarize_figures
from aim.model.image_codec import Codec
from aim.policy import load_policy
from aim.train import pipeline
from aim.train.dataset_check import check_dataset
from sim import robots
from sim.types import Observation, UserError

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")
OWN = parse_mapping(tomllib.loads(TOML), "toy.toml")


def open_set(path: Path, mapping: RobotMapping) -> Source:
    """Open a set with a mapping."""
    return Source(read_recorded(LeRobotSet(path), mapping))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a set of three episodes and its mapping."""
    folder = tmp_path_factory.mktemp("own")
    write(folder / "set", [toy_part(seed) for seed in range(3)])
    (folder / "own.toml").write_text(TOML)
    return folder


def words(place: Path, *more: str) -> list[str]:
    """Return the command that trains."""
    flags = ["--data", str(place / "set"), "--mapping", str(place / "own.toml"), "--out", str(place / "run")]
    return ["train", "tiny", *flags, "--steps", "4", "--json", *more]


@pytest.fixture(scope="module")
def said(place: Path) -> dict:
    """Return the answer of the command, run once."""
    source = open_set(place / "set", OWN)
    made = presets.tiny(source.robot, source.cameras, 3, 3)
    assert cli.main(words(place)) == 0
    assert config.load_run(place / "run").model.action_dim == made.model.action_dim
    return json.loads((place / "run" / "log.jsonl").read_text().splitlines()[-1]) | {"out": place / "run"}


@pytest.fixture
def data(place: Path) -> Source:
    """Return the set."""
    return open_set(place / "set", OWN)


def batches(data: Source, run: config.Run, folder: Path) -> loader.Loader:
    """Return the batches of a run, of a codec that has learned nothing."""
    torch.manual_seed(0)
    codec = Codec(run.codec).eval()
    torch.nn.init.normal_(codec.analysis, std=0.05)
    moves, every = loader.motions(data), loader.windows(data)
    transform = loader.fit_transform(run, moves, every, data)
    return loader.Loader(
        run,
        latents.cached(folder, codec, data, run.data),
        moves,
        every,
        loader.read_words(moves.instructions),
        transform,
    )


def test_no_row_of_a_set_without_maps_has_one(data: Source, tmp_path: Path) -> None:
    run = presets.tiny(data.robot, data.cameras, 3, 3)
    sample = batches(data, run, tmp_path).batch(np.arange(18))
    assert not sample.map_valid.any()
    assert (sample.map == sample.map[:1, :1]).all()  # a black canvas everywhere
    assert not (sample.rgb == sample.rgb[:1, :1]).all()
    assert sample.action_valid.tolist() == [True, True, False]  # too short to close
    assert sample.action.abs().max() > 0.5


def test_a_codec_without_maps_is_taught_with_drawn_ones(data: Source) -> None:
    config = presets.tiny(data.robot, data.cameras, 3, 3).codec
    seen, again, other = (sample_view_pictures(data, data.episodes, config, 40, seed) for seed in (0, 0, 1))
    for view in range(2):
        assert seen[view, "map"].shape == (*seen[view, "rgb"].shape[:1], *seen[view, "rgb"].shape[1:])
        assert torch.equal(seen[view, "map"], again[view, "map"])
        assert not torch.equal(seen[view, "map"], other[view, "map"])
        peaks = seen[view, "map"].flatten(1, 2).amax(1)
        assert 0.2 < (peaks > 100).float().mean() < 0.8
        assert (seen[view, "map"] < 10).float().mean() > 0.7


def test_displacements_end_with_their_episode(place: Path, tmp_path: Path) -> None:
    """A chunk that reaches beyond the end of an episode holds targets, and moves no further by displacements."""
    deltas = dataclasses.replace(OWN, kind="joint_delta", action_names=("dx", "dy", "grip"))
    path = write(tmp_path / "set", [toy_part(seed) for seed in range(3)])
    features = json.loads((path / "meta/info.json").read_text())["features"]
    features["action"]["names"] = ["grip", "spare", "dy", "dx"]
    edit_info(path, features=features)

    def differ(columns: dict[str, list]) -> dict[str, list]:
        pairs = zip(columns["observation.state"], columns["action"], strict=True)
        return columns | {"action": [[a[0], a[1], a[2] - s[2], a[3] - s[3]] for s, a in pairs]}

    edit_tables(path, differ)
    data = open_set(path, deltas)
    assert data.relative == (False, False, False) and data.references == (-1, -1, 2)
    run = presets.tiny(data.robot, data.cameras, 3, 3)
    moves, every = loader.motions(data), loader.windows(data)
    batches_of = batches(data, run, tmp_path)
    last = int(np.flatnonzero((every.episode == 0) & (every.picture == every.picture[every.episode == 0].max()))[0])
    action = batches_of.transform.action_out(batches_of.batch(np.array([last])).action.numpy(), moves.state[:1])[0]
    np.testing.assert_allclose(action[:4], moves.action[4 * every.picture[last] :][:4], atol=1e-4)
    assert np.abs(action[4:, :2]).max() < 1e-4
    np.testing.assert_allclose(action[4:, 2], action[3, 2], atol=1e-4)


@pytest.mark.parametrize("change", [
    {"state": ()}, {"state_only": ("spare",)}, {"names": ("grip",), "action_names": ("grip",)},
    {"names": ("x", "grip"), "action_names": ("x", "grip"), "action_only": ("y",)},
])  # fmt: skip
def test_state_and_action_of_different_widths_train(place: Path, tmp_path: Path, change: dict) -> None:
    data = open_set(place / "set", dataclasses.replace(OWN, **change))
    run = presets.tiny(data.robot, data.cameras, len(data.info.action), len(data.info.state))
    short = dataclasses.replace(run.codec_train, steps=2, precision="fp32")
    run = dataclasses.replace(run, codec_train=short, train=dataclasses.replace(run.train, steps=2, precision="fp32"))
    made = pipeline.train_policy(run, data, tmp_path / "run", False, CPU)
    assert np.isfinite(made.outcome.loss["action"])
    policy = load_policy(tmp_path / "run", video_steps=1, action_steps=1)
    found, prediction = open_loop.predict_windows(policy, data, 3, 0)
    assert prediction.action.shape == found.action.shape == (3, run.model.chunk, run.model.action_dim)
    figures = open_loop.compute_metrics(found, prediction, data.info.action.kinds, policy.transform.action.moves)
    assert all(value is None or np.isfinite(value) for name, value in figures.items() if "error" in name)
    joints = [place for place, kind in zip(data.references, data.info.action.kinds, strict=True) if kind != "gripper"]
    assert (figures["joint_error_rad"] is None) == (not joints)
    assert (figures["joint_error_rad_still"] is None) == (max(joints, default=-1) < 0), "not known where not measured"
    said = summarize_figures({**figures, "true_maps": False})["actions"]
    assert "off by" in said or "nothing moves" in said


@pytest.mark.slow
def test_two_flags_train(place: Path, said: dict, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words(place, "--resume")) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    folder = Path(answer["checkpoint"])
    run, transform = config.load_run(folder), transforms.from_json((folder / "transform.json").read_text())
    assert run.robot == "toyarm" and run.robot not in robots.list_robots()
    assert (run.model.action_dim, run.model.state_dim) == (3, 3)
    assert [(view.name, view.height) for view in run.codec.views] == [("head", 64), ("left_wrist", 32)]
    assert transform.joints == (True, True, False) and not transform.mapped
    assert transform.action_space.names == ("x", "y", "grip") and transform.recorded_hz == 25
    assert transform.action_space.kinds == ("joint_position", "joint_position", "gripper")
    assert all(
        -4 < low <= high < 4 for low, high in zip(transform.action_space.low, transform.action_space.high, strict=True)
    )
    assert mapping_from_json((place / "run/mapping.json").read_text()) == OWN
    weights = load_file(folder / "model.safetensors")
    untouched = [value for name, value in weights.items() if name.startswith("heads.m.")]
    touched = [value for name, value in weights.items() if name.startswith(("heads.x.", "heads.a."))]
    assert untouched and not any(value.any() for value in untouched)  # as it was made: zero
    assert touched and any(value.any() for value in touched)


@pytest.mark.slow
def test_the_loss_of_maps_is_nothing(place: Path, data: Source, tmp_path: Path) -> None:
    run = presets.tiny(data.robot, data.cameras, 3, 3)
    codec = dataclasses.replace(run.codec_train, steps=2, precision="fp32")
    run = dataclasses.replace(run, codec_train=codec, train=dataclasses.replace(run.train, steps=3, precision="fp32"))
    made = pipeline.train_policy(run, data, tmp_path / "run", False, CPU)
    assert made.outcome.loss["map"] == 0.0
    assert made.outcome.loss["rgb"] > 0.0 and made.outcome.loss["action"] > 0.0
    assert made.quality.psnr_map > 10.0


@pytest.mark.slow
def test_what_it_learned_drives_the_robot(said: dict) -> None:
    policy = load_policy(said["out"], video_steps=2, action_steps=2)
    spot, start = places(7)
    state = np.zeros(14, np.float32)
    state[:2], state[6] = start, 1.0
    images = {camera: draw(camera, state, spot, 64)[None] for camera in policy.cameras}
    seen = Observation(images, np.float32([[*start, 1.0]]), (SAY,), np.zeros(1))
    actions = policy.act(seen).actions
    assert actions.shape == (1, policy.run.model.chunk, 3)
    black = policy.known_maps(2)
    assert black is not None and black.shape[:2] == (2, policy.run.model.num_future_frames)
    drawn = policy.codec.decode(black[:, 0], "map")[0]
    assert drawn.float().mean() < 20
    assert np.isfinite(actions).all()
    with pytest.raises(UserError, match=r"observation\.state must be an array of floating, any x 3"):
        policy.act(dataclasses.replace(seen, state=np.zeros((1, 14), np.float32)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("there", "instead", "told"),
    [
        ('units = "degrees"', 'units = "radians"', "joints.units is 'degrees', not 'radians'"),
        ("grip = [5.0, 105.0]", "grip = [0.0, 110.0]", r"gripper.grip is .*\[5.0, 105.0\]}, not .*\[0.0, 110.0\]}"),
        ('["x", "y", "grip"]', '["y", "x", "grip"]', r"joints.names is \['x', 'y', 'grip'\], not"),
        ('["x", "y", "grip"]', '["x", "grip"]', "has 2 joints and grippers, the run in .* is for 3"),
        ('robot = "toyarm"', 'robot = "other"', "is of robot 'other', the run in .* is for 'toyarm'"),
        ("left_wrist =", "right_wrist =", "has no camera left_wrist; it has head, right_wrist"),
    ],
)
def test_a_run_goes_on_with_its_own_mapping_alone(
    said: dict, place: Path, tmp_path: Path, there: str, instead: str, told: str
) -> None:
    changed = parse_mapping(tomllib.loads(TOML.replace(there, instead)), "other.toml")
    before = {path: path.stat().st_mtime_ns for path in said["out"].rglob("*")}
    if changed.units == "radians":  # of a set that is in radians, else it would be refused for that
        place, less = tmp_path, np.float32([1.0, 0.01, 0.01, 0.01])
        parts = [toy_part(seed) for seed in range(3)]
        write(place / "set", [dataclasses.replace(p, state=p.state * less, action=p.action * less) for p in parts])
    source = open_set(place / "set", changed)
    size = len(source.relative)
    run = presets.tiny(source.robot, source.cameras, size, size)
    run = dataclasses.replace(run, train=dataclasses.replace(run.train, steps=4))
    with pytest.raises(UserError, match=told) as error:
        pipeline.train_policy(run, source, said["out"], True, CPU)
    assert "\n" not in str(error.value)
    assert {path: path.stat().st_mtime_ns for path in said["out"].rglob("*")} == before


@pytest.mark.slow
def test_data_of_the_simulator_does_not_go_on_with_it(said: dict, place: Path, tmp_path: Path) -> None:
    toy = dataset(tmp_path / "toy", [episode(0, side=32, pictures=4)], side=32)
    with pytest.raises(UserError, match=r"is of robot 'aloha', the run in .* is for 'toyarm'"):
        pipeline.train_policy(presets.tiny("aloha", CAMERAS, JOINTS, JOINTS), toy, said["out"], True, CPU)
    with pytest.raises(UserError, match="has 14 joints and grippers, the run is for 3"):
        check_dataset(presets.tiny("aloha", CAMERAS, 3, 3), toy)


@pytest.mark.slow
def test_mistakes_of_the_command_are_one_line(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toy = dataset(tmp_path / "toy", [episode(0, side=32, pictures=4)], side=32).path
    (tmp_path / "bad.toml").write_text(TOML.replace("units", "unit"))
    mistakes = {
        "say with --mapping FILE.toml": ["--data", str(place / "set")],
        "--mapping is for LeRobot sets": ["--data", str(toy), "--mapping", str(place / "own.toml")],
        "joints has no field 'unit'": ["--data", str(place / "set"), "--mapping", str(tmp_path / "bad.toml")],
    }
    for told, flags in mistakes.items():
        assert cli.main(["train", "tiny", *flags, "--out", str(tmp_path / "run"), "--json"]) == 2
        heard = capsys.readouterr()
        assert told in json.loads(heard.out.splitlines()[-1])["error"]
        assert "Traceback" not in heard.err
    assert not (tmp_path / "run").exists()
