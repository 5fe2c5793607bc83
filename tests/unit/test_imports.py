"""Who may import whom, and what an import may cost."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "diffusers", "transformers", "mujoco", "h5py", "cv2", "numpy", "tyro", "rich", "gymnasium"}


def loaded_by(code: str) -> set[str]:
    """Return the packages that a fresh interpreter has loaded after `code`."""
    tell = "\nimport json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + tell], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_contracts_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 kept, 0 broken" in done.stdout


@pytest.mark.parametrize("code", ["import aim", "import sim", "import aim.data.collect.jobs", "import aim.commands"])
def test_importing_a_package_loads_nothing_heavy(code: str) -> None:
    assert loaded_by(code) & HEAVY == set()


def test_help_loads_nothing_heavy() -> None:
    assert loaded_by("from aim.cli import main; main(['--help']); main(['data'])") & HEAVY == set()


def test_finding_a_verb_loads_no_model_and_no_physics() -> None:
    code = "from aim import cli\nfor verb in cli.VERBS: __import__(verb.target.partition(':')[0])"
    assert loaded_by(code) & {"torch", "diffusers", "transformers", "mujoco", "h5py", "cv2"} == set()


def test_a_policy_is_imported_without_training_and_without_diffusers() -> None:
    code = "import aim.policy, sys; assert not [name for name in sys.modules if name.startswith('aim.train')]"
    assert loaded_by(code) & {"diffusers", "transformers", "mujoco"} == set()


def test_the_page_names_what_a_client_of_a_server_loads() -> None:
    """Beside what these load themselves."""
    page = (ROOT / "docs" / "policy_server.md").read_text()
    named = re.search(r"`aim\.serve\.client`, which loads (\w+) and (\w+), not torch", page)
    assert named is not None
    known = loaded_by(f"import {named[1]}, {named[2]}") | sys.stdlib_module_names
    assert {name for name in loaded_by("import aim.serve.client") - known if not name.startswith("_")} == {"aim", "sim"}


def test_help_takes_less_than_three_tenths_of_a_second() -> None:
    command = [str(Path(sys.executable).with_name("aim")), "--help"]
    spent = []
    for _ in range(3):  # processor time: the machine may be busy with other tests
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) < 0.3
