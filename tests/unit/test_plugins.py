"""Extension points: robots, object families, catalogue groups and predicates, found by file name within and outside."""

from __future__ import annotations

import ast
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

import sim
from aim import cli
from aim.util import console
from sim import catalogue, registry, robots, tasks
from sim.objects import FAMILIES, build_object
from sim.scene.sample import sample_scene
from sim.task.predicates import PREDICATES
from sim.task.spec import ObjectSpec, SpecError
from sim.types import UserError

TORUS = """
from sim.embodiment.model import Geom
from sim.objects import ObjectModel, register_family
from sim.objects.base import frame_at_height


@register_family
def torus(radius: float) -> ObjectModel:
    return ObjectModel((Geom("sphere", (radius,), (0, 0, radius)),), {"bottom": frame_at_height(0.0)})
"""
TOROIDS = """
from sim.task.spec import ObjectSpec

SPECS_BY_CATEGORY = {"toroid": (ObjectSpec("torus", {"radius": 0.04}, "toroid", "red", ("ring",)),)}
"""
SLIM = """
import dataclasses

from sim.robots.panda import ROBOT as PANDA

ROBOT = dataclasses.replace(PANDA, name="slim")
"""
LEVITATES = """
import numpy as np

from sim.task.predicates import predicate


@predicate
def levitates(view, obj):
    return view.position(obj)[:, 2] - 1.0
"""
FILES = {
    "objects/rings.py": TORUS,
    "catalogue/toroids.py": TOROIDS,
    "robots/slim.py": SLIM,
    "predicates/height.py": LEVITATES,
}


def write_files(folder: Path, files: dict[str, str]) -> Path:
    """Write files, by their paths below a folder, and return the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a plugin of each kind, in use."""
    folder = write_files(tmp_path / "plugins", FILES)
    monkeypatch.setenv(registry.PLUGINS_VARIABLE, str(folder))
    return folder


def list_everything() -> list[set[str]]:
    """Names of robots, families, categories and predicates."""
    return [set(robots.list_robots()), set(FAMILIES), set(catalogue.load_catalogue()), set(PREDICATES)]


def test_families_of_every_file_are_found_without_a_list_of_imports() -> None:
    defined = {
        node.name
        for path in Path(*sim.__path__, "objects").glob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and "register_family" in map(ast.unparse, node.decorator_list)
    }
    # a process that has imported none of the files
    code = "from sim.objects import FAMILIES; print(*FAMILIES)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert len(defined) > 20 and set(found) == defined


def test_plugins_of_every_kind_are_found_and_gone_with_their_folder(
    plugins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_plugins = list_everything()
    assert build_object(ObjectSpec("torus", {"radius": 0.03})).geoms[0].size == (0.03,)
    assert robots.load_robot("slim").name == "slim"
    (spec,) = catalogue.find_specs("toroid")
    assert build_object(spec).frames.keys() == {"bottom"}
    monkeypatch.delenv(registry.PLUGINS_VARIABLE)
    without = list_everything()
    assert [a - b for a, b in zip(with_plugins, without, strict=True)] == [
        {"slim"},
        {"torus"},
        {"toroid"},
        {"levitates"},
    ]
    with pytest.raises(SpecError, match=r"unknown object family 'torus'; .*valid: alarm_clock, "):
        build_object(ObjectSpec("torus", {"radius": 0.03}))
    with pytest.raises(UserError, match="unknown robot 'slim'; valid: aloha, panda"):
        robots.load_robot("slim")
    with pytest.raises(SpecError, match="unknown category 'toroid'"):
        catalogue.find_specs("toroid")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def (", "SyntaxError: "),
        ("raise SystemError", "SystemError: "),
    ],
)
def test_a_broken_file_breaks_only_itself(
    plugins: Path, name: str, line: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = Path(name).parts[0]
    write_files(plugins, {f"{kind}/broken.py": f"{FILES[name]}\n{line}\n"})
    lines = FILES[name].count("\n") + 2
    said = f"{plugins / kind / 'broken.py'}:{lines}: {reason}"
    found = list_everything()
    assert {"slim"} <= found[0] and {"torus"} <= found[1] and {"toroid"} <= found[2] and {"levitates"} <= found[3]
    if kind == "robots":
        with pytest.raises(SpecError) as error:
            robots.load_robot("broken")
        assert str(error.value).startswith(said)
        assert robots.load_robot("slim").name == "slim"
        assert "slim" in robots.load_robots() and "broken" not in robots.load_robots()
        assert cli.main(["object", "mug"]) == console.EXIT_DONE
        assert f"left out: {said}" in capsys.readouterr().err
        return
    (message,) = registry.list_import_errors()
    assert message.startswith(said)
    with pytest.raises(SpecError) as error:
        build_object(ObjectSpec("troll"))
    assert said in str(error.value)
    assert cli.main(["task", "click_bell"]) == console.EXIT_DONE
    assert f"left out: {said}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "attribute"),
    [("robots/empty.py", "ROBOT = Embodiment"), ("catalogue/empty.py", "SPECS_BY_CATEGORY = dict")],
)
def test_a_file_without_its_value_says_what_it_lacks(plugins: Path, name: str, attribute: str) -> None:
    write_files(plugins, {name: "# nothing here\n"})
    said = f"{plugins / name}: the file has no {attribute}(...)"
    list_everything()
    if "robots" in name:
        with pytest.raises(SpecError) as error:
            robots.load_robot("empty")
        assert str(error.value) == said
    else:
        assert registry.list_import_errors() == (said,)


def test_a_name_that_is_taken_stays_with_whom_it_belongs_to(plugins: Path) -> None:
    write_files(
        plugins,
        {
            "objects/mine.py": TORUS.replace("torus", "bell"),
            "catalogue/mine.py": TOROIDS.replace('"toroid"', '"bell"'),
            "predicates/mine.py": LEVITATES.replace("levitates", "near"),
            "robots/panda.py": SLIM,
        },
    )
    assert len(build_object(catalogue.find_specs("bell")[0]).geoms) > 1
    assert PREDICATES["near"].__module__ == "sim.task.predicates"
    assert sorted(error.partition(": ")[2][:24] for error in registry.list_import_errors()) == [
        "bell stands in another g",
        "object family 'bell' is ",
        "predicate 'near' is alre",
    ]
    with pytest.raises(
        UserError, match=r"robot 'panda' is defined twice: .*sim/robots/panda.py, .*plugins/robots/panda"
    ):
        robots.load_robot("panda")


def test_helpers_of_a_plugin_are_imported_by_it_and_are_no_plugins(plugins: Path) -> None:
    write_files(
        plugins,
        {
            "objects/_sizes.py": "RADIUS = 0.07\n",
            "robots/_links.py": "LINKS = ()\n",
            "objects/hoops.py": TORUS.replace("torus(radius: float)", "hoop()")
            .replace("radius", "RADIUS")
            .replace("\n\n\n@", "\nfrom ._sizes import RADIUS\n\n\n@"),
        },
    )
    assert build_object(ObjectSpec("hoop")).geoms[0].size == (0.07,)
    assert "_links" not in robots.list_robots()


def test_a_plugin_changes_no_scene_of_a_seed(plugins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def draw() -> list[tuple[str, ...]]:
        catalogue._load_catalogue.cache_clear()  # as in a process that begins with the plugins there are now
        samples = [
            sample_scene(tasks.load_task("click_bell"), robots.load_robot("aloha"), k, "random") for k in range(8)
        ]
        return [tuple(repr((d.spec, d.pose.tolist())) for d in sample.visuals.distractors) for sample in samples]

    with_plugins = draw()
    monkeypatch.delenv(registry.PLUGINS_VARIABLE)
    assert any(with_plugins) and draw() == with_plugins


def build_torus() -> int:
    """Build an object of a plugin: for another process."""
    return len(build_object(ObjectSpec("torus", {"radius": 0.03})).geoms)


def test_workers_find_the_plugins_of_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(registry.PLUGINS_VARIABLE, raising=False)
    folder = write_files(tmp_path / "plugins", FILES)
    other = write_files(tmp_path / "others", {"objects/eggs.py": TORUS.replace("torus", "egg")})
    found = []

    def verb() -> dict[str, object]:
        """Do what a verb with workers does."""
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            found.extend([pool.submit(build_torus).result(), "egg" in FAMILIES])
        return {}

    monkeypatch.setattr(cli, "VERBS", (cli.Verb("try", f"{__name__}:verb", "try plugins", "aim try"),))
    monkeypatch.setitem(sys.modules[__name__].__dict__, "verb", verb)
    assert cli.main(["try", "--plugins", str(folder), f"--plugins={other}"]) == console.EXIT_DONE
    assert found == [1, True]
    assert registry.PLUGINS_VARIABLE not in os.environ and "torus" not in FAMILIES


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--plugins", "nowhere"], "there is no folder nowhere; a plugin folder holds robots/, objects/, "),
        (["--plugins", "."], ". holds none of robots/, objects/, catalogue/, predicates/"),
        (["--plugins"], "--plugins needs a folder"),
    ],
)
def test_a_folder_that_holds_no_plugins_is_refused(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["task", "click_bell", *words]) == console.EXIT_MISTAKE
    assert capsys.readouterr().err.startswith(f"error: {says}")


def test_a_variable_that_names_no_folder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(registry.PLUGINS_VARIABLE, "/no/such/folder")
    with pytest.raises(UserError, match="there is no folder /no/such/folder"):
        robots.load_robot("panda")


@pytest.mark.parametrize("is_broken", [False, True])
def test_installed_packages_declare_plugins_by_an_entry_point(tmp_path: Path, is_broken: bool) -> None:
    package = {f"tori/{name}": text for name, text in FILES.items()} | {
        "tori/__init__.py": "1 / 0" if is_broken else ""
    }
    metadata = {
        "tori-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: tori\nVersion: 1\n",
        "tori-1.dist-info/entry_points.txt": "[aim.plugins]\nmine = tori\n",
    }
    write_files(tmp_path, package | metadata)
    code = """if True:
        from sim import catalogue, registry, robots
        from sim.objects import FAMILIES
        from sim.task.predicates import PREDICATES
        print("slim" in robots.list_robots(), "torus" in FAMILIES, "toroid" in catalogue.load_catalogue(),
              "levitates" in PREDICATES, "panda" in robots.list_robots(), *registry.list_import_errors())
    """
    path = os.pathsep.join([str(tmp_path), str(Path(*sim.__path__).parent)])
    ran = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    words = ran.stdout.split(maxsplit=5)
    assert words[:5] == [str(not is_broken)] * 4 + ["True"]
    assert ("ZeroDivisionError" in ran.stdout) == is_broken
