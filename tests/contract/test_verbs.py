"""What each verb of the command line does and answers."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aim import cli
from aim.commands.generate import merge_settings
from aim.data import store
from aim.data.variations import DATASET_VARIATIONS
from aim.util import console
from sim.types import UserError

AIM = str(Path(sys.executable).with_name("aim"))
RECIPES = Path(__file__).parents[2] / "datasets" / "recipes"


def last_line(capsys: pytest.CaptureFixture[str]) -> tuple[dict, str]:
    """Return the JSON of the last line of standard output, and standard error."""
    out, err = capsys.readouterr()
    return json.loads(out.splitlines()[-1]), err


def test_tasks_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tasks", "--json"]) == console.EXIT_DONE
    result, _ = last_line(capsys)
    assert {"name", "instruction", "arms", "seconds"} <= set(result["tasks"][0])
    assert "click_bell" in [task["name"] for task in result["tasks"]]


def test_tasks_are_listed_by_suite_and_robot(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tasks", "--suite", "robotwin50", "--robot", "panda", "--json"]) == console.EXIT_DONE
    result, err = last_line(capsys)
    assert {task["suite"] for task in result["tasks"]} == {"robotwin50"}
    assert {task["arms"] for task in result["tasks"]} == {1}
    assert "left out, as the robot panda has 1 arm: " in err and "handover_block" in err


def test_the_page_of_tasks_is_up_to_date(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "tasks.md"
    assert cli.main(["tasks", "--markdown", str(page)]) == console.EXIT_DONE
    kept = Path(__file__).parents[2] / "docs" / "tasks.md"
    assert page.read_text() == kept.read_text(), "tasks changed: run `aim tasks --markdown docs/tasks.md`"


def test_tasks_are_shown_on_one_sheet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import cv2

    from sim import tasks
    from sim.preview import contact_sheet

    chosen = ("click_bell", "handover_block", "open_laptop")
    monkeypatch.setattr(tasks, "select_suite", lambda name, known: chosen)
    png = tmp_path / "sheet.png"
    assert cli.main(["tasks", "--robot", "panda", "--sheet", str(png), "--json"]) == console.EXIT_DONE
    result, err = last_line(capsys)
    assert result["failed"] == {} and "2 of 2 done" in err
    picture = cv2.imread(str(png))
    height, width = contact_sheet.PANEL_SIZE_PX
    assert picture.shape == (
        height + contact_sheet.LABEL_HEIGHT_PX + contact_sheet.PANEL_GAP_PX,
        2 * (2 * width + contact_sheet.PANEL_GAP_PX),
        3,
    )
    before, after = picture[:height, :width].astype(int), picture[:height, width : 2 * width].astype(int)
    assert np.abs(before - after).max() > 60, "nothing moved"


def test_what_the_expert_does_not_do_is_marked() -> None:
    from sim import robots, tasks
    from sim.preview import contact_sheet

    late = dataclasses.replace(tasks.load_task("click_bell"), horizon=8)
    drawn = contact_sheet.render_contact_sheet([late], robots.load_robot("panda"))
    assert (drawn[0, 0] == contact_sheet.FAILURE_RGB).all() and (drawn[60, 60] != contact_sheet.FAILURE_RGB).any()


def test_doctor_says_what_is_and_how_to_mend_it() -> None:
    done = subprocess.run([AIM, "doctor", "--json"], capture_output=True, text=True)
    result = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == (console.EXIT_DONE if result["ok"] else console.EXIT_MISTAKE)
    names = [check["name"] for check in result["checks"]]
    assert {"python", "drawing", "torch", "torchvision", "sentence encoder", "disk", "name"} <= set(names)
    for check in result["checks"]:
        assert check["ok"] or check["mend"], f"{check['name']} does not say how to mend it"


def test_doctor_names_the_variable_that_keeps_from_drawing() -> None:
    done = subprocess.run(
        [AIM, "doctor", "--json"], capture_output=True, text=True, env={**os.environ, "MUJOCO_GL": "osmesa"}
    )
    assert done.returncode == console.EXIT_MISTAKE
    checks = {check["name"]: check for check in json.loads(done.stdout.splitlines()[-1])["checks"]}
    assert not checks["drawing"]["ok"] and "MUJOCO_GL is 'osmesa'" in checks["drawing"]["detail"]
    assert "MUJOCO_GL" in checks["drawing"]["mend"] or "apt-get" in checks["drawing"]["mend"]


@pytest.mark.parametrize("value", ["osmesa", "window"])
@pytest.mark.parametrize(
    "words",
    [
        "task click_bell --png {out}",
        "tasks --sheet {out}",
        "generate --task click_bell --num 2 --workers 2 --out {out}",
        "eval --policy expert --task click_bell --episodes 2 --out {out}",
        "demo --out {out}",
        "bench render",
        "bench sim",
        "bench generate",
    ],
)
def test_a_verb_that_draws_refuses_a_wrong_mujoco_gl(words: str, value: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = subprocess.run(
        [AIM, *words.format(out=out).split()], capture_output=True, text=True, env={**os.environ, "MUJOCO_GL": value}
    )
    assert done.returncode == console.EXIT_MISTAKE
    refusal = done.stderr.splitlines()[-1]
    assert refusal.startswith(f"error: environment variable MUJOCO_GL is '{value}'; valid: ") and "egl" in refusal
    assert "Traceback" not in done.stderr
    assert not out.exists() or not any(out.iterdir())


def test_doctor_is_loud_about_the_other_aim(tmp_path: Path) -> None:
    tracker = tmp_path / "aim-3.29.1.dist-info"
    tracker.mkdir()
    (tracker / "METADATA").write_text("Metadata-Version: 2.1\nName: aim\nVersion: 3.29.1\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    code += "from aim.commands import doctor\nprint(doctor.check_package_names())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "ok=False" in said and "experiment tracker 3.29.1" in said and "uninstall -y aim" in said


def test_a_task_shows_its_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import cv2

    png = tmp_path / "bell.png"
    assert cli.main(["task", "click_bell", "--png", str(png), "--size", "48x64", "--json"]) == console.EXIT_DONE
    result, _ = last_line(capsys)
    assert result["task"]["name"] == "click_bell"
    assert "bell" in result["instruction"] and "{" not in result["instruction"]
    picture = cv2.imread(str(png))
    assert picture.shape == (48, 3 * 64, 3) and picture.std() > 10


def test_generate_info_verify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "set")
    flags = [
        "--task",
        "click_bell",
        "--num",
        "2",
        "--out",
        out,
        "--size",
        "32x32",
        "--cameras",
        "head",
        "--workers",
        "1",
    ]
    assert cli.main(["generate", *flags, "--json"]) == console.EXIT_DONE
    made, _ = last_line(capsys)
    keys = {"episodes", "attempts", "success_rate", "redraws", "seconds", "episodes_per_hour", "bytes"}
    assert keys <= set(made) and made["episodes"] == 2 and made["success_rate"] == 2 / made["attempts"]
    assert cli.main(["generate", *flags, "--json"]) == console.EXIT_DONE
    again, _ = last_line(capsys)
    assert (again["added"], again["episodes"], again["bytes"]) == (0, 2, made["bytes"])
    assert cli.main(["generate", *flags, "--robot", "panda"]) == console.EXIT_MISTAKE
    assert "was made with robot 'aloha', not 'panda'" in capsys.readouterr().err
    assert cli.main(["generate", *flags, "--depth"]) == console.EXIT_MISTAKE
    assert "was made with depth False, not True" in capsys.readouterr().err
    for verb in ("info", "verify"):
        assert cli.main(["data", verb, out, "--json"]) == console.EXIT_DONE
        found, _ = last_line(capsys)
        assert (found["episodes"], found["ok"], found["problems"]) == (2, True, []) and found["frames"] > 2
    victim = next((tmp_path / "set" / "shards").iterdir())
    victim.write_bytes(victim.read_bytes()[:-100])
    assert cli.main(["data", "verify", out, "--json"]) == console.EXIT_MISTAKE
    found, _ = last_line(capsys)
    assert not found["ok"] and victim.name in found["problems"][0]


def test_a_recipe_sets_what_is_not_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "bells.toml"
    recipe.write_text(
        'task = ["click_bell", "open_laptop"]\nnum = 1\nseed = 5\nrobot = "panda"\n'
        'variation = "mixed"\nsize = "24x32"\ndepth = true\n'
    )
    words = ["generate", "--recipe", str(recipe), "--cameras", "head", "--workers", "1", "--out", str(tmp_path / "set")]
    assert cli.main([*words, "--task", "click_bell", "--num", "2", "--json"]) == console.EXIT_DONE
    made, _ = last_line(capsys)
    assert made["episodes"] == 2
    data = store.open_dataset(tmp_path / "set")
    kept = data.recipe
    assert (kept.tasks, kept.robot, kept.variation, kept.size) == (("click_bell",), "panda", "mixed", (24, 32))
    assert [data.load(ref, ()).variation for ref in data.episodes] == [
        "random" if ref.seed % 2 else "clean" for ref in data.episodes
    ]
    assert kept.depth and data.read_depth(data.episodes[0], "head").shape[1:] == (24, 32)
    assert cli.main([*words, "--json"]) == console.EXIT_MISTAKE
    assert "was made with tasks ('click_bell',), not" in last_line(capsys)[0]["error"]
    assert cli.main(["data", "verify", str(tmp_path / "set")]) == console.EXIT_DONE


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("numb = 3", "has an unknown setting 'numb'; valid: task, suite, num, "),
        ("num = true", "num must be a whole number, not True"),
        ('task = "click_bell"', "task must be a list of texts, not 'click_bell'"),
        ('push = "hard"', "push must be a number, not 'hard'"),
        ("size = ", "is not TOML"),
    ],
)
def test_a_wrong_recipe_is_named(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=says):
        merge_settings({}, path)


@pytest.mark.parametrize("text", ["push = 0", "push = 0.0"])
def test_a_whole_number_is_a_number(text: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    assert merge_settings({}, path)["push"] == 0.0


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_recipes_that_come_with_it_are_sound(path: Path) -> None:
    from sim import robots, tasks

    asked = merge_settings({}, path)
    assert asked["suite"] in tasks.list_suites() and asked["variation"] in DATASET_VARIATIONS
    assert tuple(asked["cameras"].split(",")) == robots.load_robot(asked["robot"]).camera_names


@pytest.mark.parametrize("what", [["sim", "--seconds", "0.05"], ["render", "--seconds", "0.05", "--size", "32x32"]])
def test_bench_describes_the_machine(what: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", *what, "--samples", "3", "--json"]) == console.EXIT_DONE
    result, _ = last_line(capsys)
    assert result["figure"] == sorted(result["samples"])[1] > 0 and "/s" in result["unit"]
    assert {"cpu", "cores", "python", "mujoco"} <= set(result["machine"])


def test_bench_infer_tells_parts_memory_and_what_the_cache_saves(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench", "infer", "tiny", "--robot", "aloha", "--batch", "2", "--threads", "1", "--samples", "3"]
    assert (
        cli.main([*words, "--video-steps", "2", "--action-steps", "2", "--sentence", "", "--json"]) == console.EXIT_DONE
    )
    result, _ = last_line(capsys)
    assert result["figure"] == sorted(result["samples"])[1] > 0 and result["unit"] == "ms a chunk"
    assert set(result["parts"]) == {"encode_ms", "video_ms", "action_ms"} and min(result["parts"].values()) > 0
    assert result["ratio"] == pytest.approx(result["recompute_ms"] / result["figure"]) and result["peak_memory_mib"] > 0
    assert {"cpu", "cores", "torch", "threads"} <= set(result["machine"]) and result["machine"]["threads"] == 1
    assert (result["robot"], result["batch"], result["preset"], result["policy"]) == ("aloha", 2, "tiny", None)


def test_bench_train_tells_samples_a_second_and_the_share_of_the_machine(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench", "train", "tiny", "--batch", "2", "--threads", "1", "--steps", "3", "--precision", "fp32"]
    assert cli.main([*words, "--json"]) == console.EXIT_DONE
    result, _ = last_line(capsys)
    assert result["figure"] == sorted(result["samples"])[1] > 0 and result["unit"] == "samples/s"
    share = result["figure"] * result["flop_per_sample"] / result["peak_flop_per_s"]
    assert 0 < result["mfu"] < 1 and result["mfu"] == pytest.approx(share) and result["peak_from"] == "measured"
    assert result["robot"] == "panda" and result["peak_memory_mib"] > 0 and "torch" in result["machine"]


def test_imagine_writes_figures_a_film_and_a_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import cv2
    import torch
    from toy import CAMERAS, JOINTS, dataset, episode

    from aim import presets
    from aim.data import loader, source
    from aim.model.image_codec import Codec
    from aim.train import checkpoint, stage1
    from aim.train.checkpoint import TrainingProgress

    data = source.of(dataset(tmp_path / "toy", [episode(seed, pictures=9) for seed in range(3)]))
    run = presets.tiny("aloha", CAMERAS, JOINTS, JOINTS)
    torch.manual_seed(0)
    codec = Codec(run.codec)
    with torch.no_grad():
        codec.analysis.normal_(std=0.1)
    transform = loader.fit_transform(run, loader.motions(data), loader.windows(data), data)
    training = stage1.begin_training(run, torch.device("cpu"))
    checkpoint.save_checkpoint(tmp_path / "run", run, transform, codec, training, TrainingProgress(0, 0.0, "fp32"))
    words = ["imagine", "--policy", str(tmp_path / "run"), "--data", str(tmp_path / "toy"), "--windows", "6"]
    results = []
    for place in ("a", "b"):
        flags = ["--out", str(tmp_path / place), "--video-steps", "2", "--json", *(["--mp4"] if place == "b" else [])]
        assert cli.main([*words, *flags]) == console.EXIT_DONE
        results.append(last_line(capsys)[0])
    first, again = ({k: v for k, v in r.items() if k not in ("film", "sheet", "command")} for r in results)
    assert first == again
    assert results[1]["command"] == (
        "aim imagine --policy .../run --data .../toy --out .../b --windows 6 --video-steps 2 --mp4"
    )
    figures = {"psnr", "psnr_copy", "psnr_codec", "psnr_changed", "psnr_copy_changed", "windows"}
    assert figures | {"peak_within_8px", "peak_ci95", "peak_median_px"} <= set(first) and first["windows"] == 6
    kept = json.loads((tmp_path / "a" / "result.json").read_text())
    assert kept == results[0] and kept["episodes_learned_from"] is None
    ok, film = cv2.imreadanimation(results[0]["film"])
    assert ok and len(film.frames) >= 6
    assert cv2.imread(results[0]["sheet"]) is not None
    assert not (tmp_path / "a" / "futures.mp4").exists()
    ok, picture = cv2.VideoCapture(str(tmp_path / "b" / "futures.mp4")).read()
    assert ok and np.abs(picture[: film.frames[0].shape[0]].astype(float) - film.frames[0][..., :3]).mean() < 6.0


def test_films_are_written_as_mp4_too_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also those of an evaluation that is finished."""
    words = [
        "eval",
        "--policy",
        "random",
        "--task",
        "click_bell",
        "--robot",
        "panda",
        "--episodes",
        "1",
        "--films",
        "1",
    ]
    words += ["--film-height", "64", "--workers", "1", "--out", str(tmp_path)]
    assert cli.main(words) == console.EXIT_DONE
    assert [path.suffix for path in (tmp_path / "films").iterdir()] == [".webp"]
    assert cli.main([*words, "--mp4", "--json"]) == console.EXIT_DONE
    assert last_line(capsys)[0]["ran"] == 0
    assert sorted(path.suffix for path in (tmp_path / "films").iterdir()) == [".mp4", ".webp"]
