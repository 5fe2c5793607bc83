"""`aim object`: what it says of every object, its picture, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from aim import cli
from aim.util import console
from sim.catalogue import load_builtin_catalogue
from sim.objects import FAMILIES, build_object
from sim.preview.object_sheet import compute_body_poses
from sim.robots import list_robots

CATEGORIES = load_builtin_catalogue()


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict, str]:
    """Run `aim object` and return its exit code, its JSON and what it said."""
    code = cli.main(["object", *words, "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out.splitlines()[-1]), err


def test_all_categories_and_families_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, result, said = run(capsys)
    assert code == console.EXIT_DONE
    assert result["categories"].keys() == CATEGORIES.keys() and set(result["families"]) == set(FAMILIES)
    assert {line.split()[0] for line in said.splitlines()} >= CATEGORIES.keys() and set(said.split()) >= set(FAMILIES)


@pytest.mark.parametrize("name", CATEGORIES)
def test_every_category_is_described(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, result, said = run(capsys, name, "--seed", str(len(CATEGORIES[name]) + 1))
    model = build_object(CATEGORIES[name][1])
    assert code == console.EXIT_DONE
    assert (result["variant"], result["variants"]) == (1, len(CATEGORIES[name]))
    assert result["frames"].keys() == model.frames.keys() and result["grasps"].keys() == model.grasps.keys()
    assert result["fits"].keys() == set(list_robots())
    for word, names in (("frame", model.frames), ("joint", [p.joint for p in model.parts]), ("grasp", model.grasps)):
        assert [line.split()[1] for line in said.splitlines() if line.split()[0] == word] == list(names)


def test_the_picture_shows_variants_frames_and_grasps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    png = tmp_path / "laptop.png"
    code, result, _ = run(capsys, "laptop", "--png", str(png))
    picture = cv2.cvtColor(cv2.imread(str(png)), cv2.COLOR_BGR2RGB).astype(int)
    assert code == console.EXIT_DONE and result["png"] == str(png)
    assert picture.shape == (170 + 420, 1200, 3)
    colours = {tuple(pixel) for pixel in picture[170:, :400].reshape(-1, 3).tolist()}
    assert {(235, 70, 60), (80, 200, 90), (80, 140, 255)} <= colours, "axes"
    red, green, blue = np.moveaxis(picture[170:590, :800], -1, 0)
    is_green = (green > red + 30) & (green > blue + 30)
    assert is_green[:, 400:].sum() > 200, "grippers"


def test_parts_are_drawn_where_a_scene_begins() -> None:
    cabinet = build_object(CATEGORIES["cabinet"][0])
    laptop = build_object(CATEGORIES["laptop"][0])
    (lid,) = laptop.parts
    turned = compute_body_poses(laptop)["lid"]
    assert 2 * np.arccos(turned[3]) == pytest.approx(lid.initial_value)
    assert np.allclose(compute_body_poses(cabinet)["drawer"][:3], compute_body_poses(cabinet)[""][:3])


def test_a_family_is_shown_with_parameters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, result, said = run(capsys, "block", "--params", "size=[0.06,0.12,0.05]", "--png", str(tmp_path / "b.png"))
    assert code == console.EXIT_DONE and "60 mm to 120 mm wide" in said
    assert result["grasps"]["top"] == {"part": "", "ways": 10, "width_m": 0.12}
    assert result["fits"]["panda"]["top"] == 5


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["mugg"], "unknown object 'mugg'; did you mean 'mug'? valid: alarm_clock, "),
        (["block"], "object family 'block' needs --params size=...; it takes size"),
        (
            ["block", "--params", "sise=1"],
            "unknown parameter of family 'block': 'sise'; did you mean 'size'? valid: size",
        ),
        (["block", "--params", "size"], "'size' is no parameter; valid: KEY=VALUE"),
        (["bread", "--params", "size=[0.06,0.1,0.04]", "look=cake"], "unknown bread 'cake'; valid: toast, "),
        (["block", "--params", "size=[0.06,0.1,-1]"], "its sizes are not all lengths above 0"),
        (["block", "--params", "size=big"], "size of family 'block' is 'big'; valid: a tuple of 3, "),
        (["ball", "--params", "radius=5"], "its largest length is 5 m; valid: 0.001 to 2"),
        (["mug", "--seed", "-1"], "seeds are 0 to"),
        (["mug", "--png", "/no/such/folder/mug.png"], "cannot write /no/such/folder/mug.png: No such file"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, result, _ = run(capsys, *words)
    assert code == console.EXIT_MISTAKE and result["error"].startswith(says)
