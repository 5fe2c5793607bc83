"""Policies from outside the package: what is refused, and with which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from aim.evaluate.plan import EvaluationPlan
from aim.evaluate.plugin_policy import (
    compute_source_digest,
    is_plugin_reference,
    list_cameras,
    load_policy_class,
    make_plugin_policy,
)
from aim.evaluate.policy_spec import parse_policy
from aim.evaluate.results import ResultsIdentity
from sim import robots
from sim.types import UserError

SOURCE = """
class Good:
    cameras = ("head",)
    def __init__(self, robot): self.robot = robot
    def reset(self, mask): ...
    def act(self, observation): ...

class Heir(Good):
    cameras = ("rear",)

class Borrowed(Good):
    pass

class Blind:
    def __init__(self, robot): ...
    def reset(self, mask): ...

class Greedy(Good):
    def __init__(self, robot, weights): ...

def act(observation): ...
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "some_policy.py"
    path.write_text(SOURCE)
    return path


def test_a_class_of_a_file_is_made_for_a_robot(source: Path) -> None:
    panda = robots.load_robot("panda")
    policy = make_plugin_policy(f"{source}:Good", panda)
    assert vars(policy)["robot"] is panda
    assert list_cameras(f"{source}:Good", panda) == ("head",)
    assert is_plugin_reference(f"{source}:Good") and not is_plugin_reference(str(source.parent))


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("{}:Nobody", "has no class 'Nobody'; classes with reset and act: Good, Heir, Borrowed, Greedy"),
        ("{}:act", "has no class 'act'"),
        ("{}:Blind", "has no method act; a policy has reset.mask. and act.observation."),
        ("{}:Greedy", "must take the robot alone"),
        ("no_such_module_of_mine:Good", "no module 'no_such_module_of_mine'"),
        ("missing.py:Good", "no file missing.py"),
        (":Good", "'' cannot be imported: ValueError: Empty module name"),
        ("..policy:Good", "'..policy' cannot be imported: TypeError"),
    ],
)
def test_what_is_no_policy_is_refused_by_name(source: Path, reference: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        make_plugin_policy(reference.format(source), robots.load_robot("panda"))


def test_files_of_one_name_in_two_folders_are_two_policies(source: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / source.name
    other.parent.mkdir()
    other.write_text(SOURCE.replace('("head",)', '("wrist",)'))
    panda = robots.load_robot("panda")
    assert list_cameras(f"{source}:Good", panda) == ("head",)
    assert list_cameras(f"{other}:Good", panda) == ("wrist",)


def test_a_digest_is_of_what_stands_in_the_file_not_of_where_it_lies(source: Path, tmp_path: Path) -> None:
    copy, changed = tmp_path / "copied_policy.py", tmp_path / "changed_policy.py"
    copy.write_text(SOURCE)
    changed.write_text(SOURCE + "# another\n")
    one, two, three = (compute_source_digest(f"{path}:Good") for path in (source, copy, changed))
    assert one == two != three
    source.write_text(SOURCE + "# another\n")
    assert compute_source_digest(f"{source}:Good") == three, "the file as it is now"


def test_results_of_another_version_robot_or_size_of_pictures_are_anothers(source: Path) -> None:
    def identify(size: tuple[int, int] | None, robot: str = "panda") -> ResultsIdentity:
        spec = parse_policy(f"{source}:Good", size, robot=robot)
        return spec.make_identity(EvaluationPlan(("click_bell",), spec.robot, 100, 2))

    usual = identify(None)
    assert usual == identify((128, 128))
    others = [identify((64, 64)), identify((128, 64)), identify(None, "aloha")]
    source.write_text(SOURCE + "# another\n")
    others.append(identify(None))
    assert usual not in others and len({str(other) for other in others}) == len(others)


def test_a_camera_that_the_robot_lacks_is_named(source: Path) -> None:
    with pytest.raises(UserError, match="looks at rear; the robot panda has head, wrist"):
        list_cameras(f"{source}:Heir", robots.load_robot("panda"))


def test_a_file_that_cannot_be_imported_is_named_with_its_fault(tmp_path: Path) -> None:
    (tmp_path / "broken_policy.py").write_text("import nothing_of_this_name\n")
    with pytest.raises(UserError, match=r"broken_policy.py cannot be imported: ModuleNotFoundError"):
        load_policy_class(f"{tmp_path / 'broken_policy.py'}:Good")


def test_a_module_that_cannot_be_imported_is_named_with_its_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unfinished_policy.py").write_text("class Good(\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="'unfinished_policy' cannot be imported: SyntaxError"):
        load_policy_class("unfinished_policy:Good")
