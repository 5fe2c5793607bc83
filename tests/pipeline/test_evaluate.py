"""Closed loop: every seed once, results that depend on the seed alone, folders that resume and are not overwritten."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import cv2
import failures
import numpy as np
import pytest
import torch

from aim import presets
from aim.commands.evaluate import evaluate_policy as verb
from aim.data import transforms
from aim.data.formats.simulated import describe_robot_space
from aim.data.transforms import Transform
from aim.evaluate import closed_loop, results
from aim.evaluate.closed_loop import evaluate, roll_out
from aim.evaluate.plan import EvaluationPlan, SeedBatch
from aim.evaluate.policy_spec import parse_policy
from aim.evaluate.random_policy import RANDOM_CHUNK_STEPS, RandomPolicy
from aim.evaluate.results import EpisodeResult
from aim.evaluate.rollout_video import render_rollout
from aim.model.image_codec import Codec
from aim.train import checkpoint, stage1
from aim.train.checkpoint import TrainingProgress
from aim.viz.videos import PANEL_GAP_PX
from sim import robots, tasks
from sim.envs import settle
from sim.envs.env import Env
from sim.scene import textures
from sim.types import ActionChunk, Observation, UserError

TASK, ROBOT = "click_bell", "panda"
PLAN = EvaluationPlan((TASK,), ROBOT, first_seed=7, episodes=5, batch=2, films=1, film_height=48, threads=1)
NOTHING = Observation({}, np.zeros((0, 0), np.float32), (), np.zeros(0))


@pytest.fixture(scope="module")
def expert(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[EpisodeResult, ...]]:
    """Return the folder and the results of the expert."""
    out = tmp_path_factory.mktemp("expert")
    return out, evaluate(parse_policy("expert"), PLAN, out)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the checkpoint of a model that has learned nothing yet."""
    robot = robots.load_robot(ROBOT)
    size = len(robot.action_names)
    run = presets.tiny(ROBOT, robot.camera_names, size, size)
    torch.manual_seed(0)
    spread = transforms.measure(np.random.default_rng(0).normal(size=(50, size)).astype(np.float32) * 0.1)
    space = describe_robot_space(robot)
    scale = Transform(space, space, spread, spread, robot=ROBOT)
    training = stage1.begin_training(run, torch.device("cpu"))
    out = tmp_path_factory.mktemp("runs")
    return checkpoint.save_checkpoint(out, run, scale, Codec(run.codec), training, TrainingProgress(1, 0.0, "fp32"))


def test_a_policy_of_other_channels_does_not_drive_the_simulated_robot(learned: Path, tmp_path: Path) -> None:
    shutil.copytree(learned, tmp_path / "other")
    file = tmp_path / "other/transform.json"
    raw = json.loads(file.read_text())
    raw["action_space"]["kinds"][0] = "joint_delta"
    file.write_text(json.dumps(raw))
    said = (
        "is not for the simulated robot 'panda': in its action channel 0 is .* .joint_delta., not .* .joint_position."
    )
    with pytest.raises(UserError, match=said):
        parse_policy(str(tmp_path / "other"))


def test_every_seed_is_run_once_and_the_expert_succeeds(expert: tuple[Path, tuple[EpisodeResult, ...]]) -> None:
    out, rows = expert
    assert [row.seed for row in rows] == [7, 8, 9, 10, 11]
    assert all(row.success and 0 < row.steps < tasks.load_task(TASK).horizon for row in rows)
    record = results.read_record(out / results.RESULTS_FILE)
    assert record["success_rate"] == 1.0 and record["tasks"][TASK]["episodes"] == 5
    assert [results.parse_result(row) for row in record["episodes"]] == list(rows)
    assert all(row.failure is None and row.progress == 1.0 for row in rows)
    assert all("bell" in row.instruction and "{" not in row.instruction for row in rows)


@pytest.mark.parametrize(("batch", "threads", "workers"), [(3, 2, 1), (2, 1, 2)])
def test_a_result_depends_on_the_seed_alone(
    expert: tuple[Path, tuple[EpisodeResult, ...]], tmp_path: Path, batch: int, threads: int, workers: int
) -> None:
    """Whatever the batch, the first seed, the number of threads and of processes, and whether it was filmed."""
    other = dataclasses.replace(PLAN, first_seed=9, episodes=3, batch=batch, films=0, threads=threads)
    again = evaluate(parse_policy("expert"), other, tmp_path, workers=workers)
    assert [dataclasses.replace(row, film="") for row in expert[1][2:]] == list(again)


def test_what_is_finished_is_not_run_again(tmp_path: Path) -> None:
    ran: list[int] = []
    for episodes in (2, 2, 4):
        plan = dataclasses.replace(PLAN, episodes=episodes)
        evaluate(parse_policy("expert"), plan, tmp_path, lambda row: ran.append(row.seed))
    assert ran == [7, 8, 9, 10]
    assert results.read_record(tmp_path / results.RESULTS_FILE)["tasks"][TASK]["episodes"] == 4


def test_an_interrupted_evaluation_goes_on_to_the_same_results(
    expert: tuple[Path, tuple[EpisodeResult, ...]], tmp_path: Path
) -> None:
    def stop(row: EpisodeResult) -> None:
        if row.seed == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"kept 3 episodes .* the same command goes on"):
        evaluate(parse_policy("expert"), PLAN, tmp_path, stop)
    assert closed_loop.count_missing(parse_policy("expert"), PLAN, tmp_path) == 2
    assert evaluate(parse_policy("expert"), PLAN, tmp_path) == expert[1]
    assert (tmp_path / results.RESULTS_FILE).read_bytes() == (expert[0] / results.RESULTS_FILE).read_bytes()


@pytest.mark.parametrize(
    ("policy", "change"),
    [
        ("random", {}),
        ("expert", {"robot": "aloha"}),
        ("expert", {"variation": "random"}),
        ("expert", {"first_seed": 8}),
    ],
    ids=["policy", "robot", "variation", "seeds"],
)
def test_another_ones_results_are_not_touched(
    expert: tuple[Path, tuple[EpisodeResult, ...]], policy: str, change: dict
) -> None:
    before = {path: path.read_bytes() for path in expert[0].rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=r"holds results with .*; give another --out"):
        evaluate(parse_policy(policy), dataclasses.replace(PLAN, **change), expert[0])
    assert {path: path.read_bytes() for path in expert[0].rglob("*") if path.is_file()} == before


def test_the_film_shows_the_episode(expert: tuple[Path, tuple[EpisodeResult, ...]]) -> None:
    out, rows = expert
    assert [row.film for row in rows] == [f"films/{TASK}-7.webp", "", "", "", ""]
    ok, film = cv2.imreadanimation(str(out / rows[0].film))
    assert ok and film.frames[0].shape[:2] == (48, 48)
    assert sum(film.durations) / 1000 == pytest.approx(rows[0].steps / 50, abs=1.5)
    first, last = (film.frames[i][4:-4, 4:-4, :3].astype(int) for i in (0, -1))
    assert np.abs(first - last).max() > 60, "nothing moved"


def test_random_walks_start_at_home_stay_within_limits_and_follow_from_their_seed() -> None:
    robot = robots.load_robot("aloha")
    policy = RandomPolicy(robot, (3, 4))
    low, high = np.array(robot.action_limits).T
    walk = np.concatenate([policy.act(NOTHING).actions for _ in range(40)], axis=1)
    assert walk.shape == (2, 40 * RANDOM_CHUNK_STEPS, len(robot.action_names))
    assert (walk >= low - 1e-6).all() and (walk <= high + 1e-6).all()
    assert np.abs(walk[:, 0] - np.clip(robot.home_action, low, high)).max() < 0.4
    assert np.abs(np.diff(walk, axis=1)).max() < 0.5, "a walk, not jumps"
    assert walk.std(axis=1).mean() > 0.1, "it hardly moves"
    assert np.abs(walk[0] - walk[1]).max() > 0.1
    alone = RandomPolicy(robot, (4,))
    assert np.array_equal(alone.act(NOTHING).actions[0], walk[1, :RANDOM_CHUNK_STEPS])
    policy.reset(np.array([False, True]))
    again = policy.act(NOTHING).actions
    assert np.array_equal(again[1], walk[1, :RANDOM_CHUNK_STEPS]) and not np.array_equal(
        again[0], walk[0, :RANDOM_CHUNK_STEPS]
    )


class Spy:
    """Holds the robot at home in chunks of `length` and writes down what it was shown."""

    def __init__(self, env: Env, length: int) -> None:
        self.home, self.length = np.array(env.robot.home_action, np.float32), length
        self.times: list[float] = []
        self.cameras: set[str] = set()

    def reset(self, mask: np.ndarray) -> None:
        assert mask.all()

    def act(self, observation: Observation) -> ActionChunk:
        self.times.append(float(observation.time.max()))
        self.cameras |= set(observation.images)
        return ActionChunk(np.tile(self.home, (len(observation.state), self.length, 1)))


class Dreamer(Spy):
    """Predicts pictures, and no maps."""

    def act(self, observation: Observation) -> ActionChunk:
        pictures = np.full((len(observation.state), 4, 8, 8, 3), 9, np.uint8)
        return dataclasses.replace(super().act(observation), extras={"images/head": pictures})


@pytest.mark.parametrize(("kind", "panels"), [(Spy, ()), (Dreamer, ("pictures",))])
def test_a_film_has_panels_for_what_is_predicted_alone(kind: type[Spy], panels: tuple[str, ...]) -> None:
    task = dataclasses.replace(tasks.load_task(TASK), horizon=12)
    env = Env(task, robots.load_robot(ROBOT), 1, ("head",), (32, 32))
    env.reset((1,))
    (rollout,) = roll_out(env, kind(env, 8), film=(40, 40))
    env.close()
    assert rollout.predictions == panels
    width = render_rollout(rollout, None, 40).shape[2]
    assert width == 40 + len(panels) * (40 + PANEL_GAP_PX)


@pytest.mark.parametrize("length", [3, 16])
def test_a_take_has_a_picture_every_80_ms_whatever_the_length_of_a_chunk(length: int) -> None:
    task = dataclasses.replace(tasks.load_task(TASK), horizon=50)
    env = Env(task, robots.load_robot(ROBOT), 2, ("head",), (32, 32))
    env.reset((1, 2))
    spy = Spy(env, length)
    rollouts = roll_out(env, spy, film=(24, 24))
    assert env.done.all() and not env.success.any() and (env.steps == 50).all()
    assert [len(rollout.real) for rollout in rollouts] == [1 + 12 + 1] * 2, (
        "at the start, every 4 steps, and at the end"
    )
    assert spy.cameras == {"head"}
    assert np.allclose(np.diff(spy.times), length / 50)
    env.close()


def test_seeds_to_film_come_first_and_none_is_lost() -> None:
    plan = dataclasses.replace(PLAN, first_seed=0, episodes=9, batch=3, films=2)
    assert list(plan.split_batches({3, 8})) == [
        SeedBatch((0, 1), True),
        SeedBatch((2, 4, 5), False),
        SeedBatch((6, 7), False),
    ]


@pytest.mark.slow
def test_a_learned_policy_is_filmed_beside_what_it_predicts(learned: Path, tmp_path: Path) -> None:
    plan = dataclasses.replace(PLAN, episodes=3)
    rows = evaluate(parse_policy(str(learned.parent)), plan, tmp_path / "a")
    ok, film = cv2.imreadanimation(str(tmp_path / "a" / rows[0].film))
    assert ok and film.frames[0].shape[1] > 3 * 48, "three panels"
    assert sum(film.durations) / 1000 == pytest.approx(rows[0].steps / 50, abs=1.5)
    alone = dataclasses.replace(plan, batch=1, films=0)
    lone = evaluate(parse_policy(str(learned)), alone, tmp_path / "b", workers=2)
    assert [row.film_predictions for row in rows] == [("pictures", "maps"), (), ()]
    assert [dataclasses.replace(row, film="", film_predictions=()) for row in rows] == list(lone)
    assert results.read_record(tmp_path / "a" / results.RESULTS_FILE)["variant"] == "paper"
    with pytest.raises(UserError, match=r"drives the robot 'panda', not 'aloha'"):
        verb(policy=str(learned), task=(TASK,), out=tmp_path / "c", robot="aloha")
    with (learned / "ema.safetensors").open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"\0\0\0\1")
    with pytest.raises(UserError, match="holds results with digest"):
        evaluate(parse_policy(str(learned)), plan, tmp_path / "a")


def test_seeds_without_a_scene_are_failures_without_a_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A film shows what happened; of a seed whose scene could not be drawn that is nothing."""
    monkeypatch.setattr(settle, "sample_scene", failures.sample_no_scene_of_seed_3)
    plan = dataclasses.replace(PLAN, first_seed=2, episodes=2, films=2)
    there, none = evaluate(parse_policy("expert"), plan, tmp_path)
    assert there.success and (tmp_path / there.film).exists()
    assert not none.success and none.film == "" and str(none.failure).startswith("no room for bell")


def test_random_scenes_are_those_kept_for_evaluation(tmp_path: Path) -> None:
    plan = dataclasses.replace(PLAN, episodes=4, variation="random")
    task = dataclasses.replace(tasks.load_task("stack_blocks_two"), horizon=4)
    env = Env(task, robots.load_robot("aloha"), 4, ("head",), (16, 16), variation=plan.scene_variation)
    env.reset(plan.seeds)
    looks = [env.scenes.scene(i).visuals for i in range(4)]
    assert {name for look in looks for name in (look.wall, look.table) if name} <= set(textures.list_pool("eval"))
    assert any("pile" in words or "lift" in words for words in env.instructions), "unseen words"
    env.close()


def test_a_process_that_refuses_says_why_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^task click_bell, seeds [\d, ]+: unknown robot 'nobody'; valid: aloha"):
        evaluate(parse_policy("expert"), dataclasses.replace(PLAN, robot="nobody"), tmp_path, workers=2)


def test_the_verb_says_what_scripts_rely_on(tmp_path: Path) -> None:
    said = verb(policy="expert", task=(TASK,), out=tmp_path, robot=ROBOT, episodes=2, films=0)
    assert json.loads(json.dumps(said)) == said
    assert said["success_rate"] == 1.0 and len(said["ci95"]) == 2
    flags = f"--policy expert --out .../{tmp_path.name} --task {TASK} --robot {ROBOT}"
    verb(policy="expert", task=(TASK,), out=tmp_path, robot=ROBOT, episodes=3, films=0)
    record = results.read_record(tmp_path / results.RESULTS_FILE)
    assert record["commands"] == [f"aim eval {flags} --episodes {n} --films 0" for n in (2, 3)]
    assert set(said["tasks"][TASK]) == {"success_rate", "ci95", "episodes", "lost"}
    assert Path(said["results"]).is_file() and said["ran"] == 2 and said["variation"] == "clean"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"policy": "exprt"}, "no policy 'exprt'; give expert, random, the folder"),
        ({"task": ("click_bel",)}, "unknown task 'click_bel'; did you mean 'click_bell'"),
        ({"robot": "pandas"}, "unknown robot 'pandas'; did you mean 'panda'"),
        ({"episodes": 0}, "episodes, batch, threads and workers start at 1"),
        ({"variation": "random-eval"}, "unknown variation 'random-eval'; .*valid: clean, random"),
        ({"task": ()}, "give --task or --suite, one of the two; suites: all, aim, robotwin50"),
        ({"suite": "robotwin50"}, "give --task or --suite, one of the two"),
        ({"task": (), "suite": "robotwin"}, "unknown suite 'robotwin'; did you mean 'robotwin50'"),
        ({"task": ("handover_block",)}, "task 'handover_block' needs 2 arms"),
    ],
)
def test_mistakes_are_named_and_leave_nothing_behind(tmp_path: Path, change: dict, says: str) -> None:
    asked = {"policy": "expert", "task": (TASK,), "out": tmp_path / "new", "robot": ROBOT, **change}
    with pytest.raises(UserError, match=says):
        verb(**asked)
    assert list(tmp_path.iterdir()) == []
