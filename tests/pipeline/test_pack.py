"""`aim pack` and the policies that come with the project, by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from served import make_simulated_policy, write_checkpoint

from aim import cli
from aim.policy import load_policy, shipped
from aim.policy.checkpoint import EMA_FILE, compute_digest, resolve_checkpoint
from aim.policy.pack import add_results
from aim.policy.shipped import MeasuredSuccess, read_source
from aim.util import console
from sim.types import UserError

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

FACTS = ["--description", "rings bells", "--data", "300 demonstrations", "--license", "CC0-1.0"]


@pytest.fixture
def packed(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a packed policy with the name "ringer" among those that come with the project."""
    out = tmp_path / "shipped" / "ringer"
    out.parent.mkdir()
    monkeypatch.setattr(shipped, "SHIPPED_FOLDER", out.parent)
    assert cli.main(["pack", "--policy", str(source), "--out", str(out), *FACTS]) == console.EXIT_DONE
    return out


def test_weights_are_rounded_to_half_precision(source: Path, packed: Path) -> None:
    whole, half = (load_policy(folder, device="cpu", precision="fp32") for folder in (source, packed))
    pairs = list(zip(whole.model.parameters(), half.model.parameters(), strict=True))
    assert all(np.allclose(a.detach(), b.detach(), rtol=2**-11, atol=2**-25) for a, b in pairs)
    assert any((a != b).any() for a, b in pairs)
    assert all((a == b).all() for a, b in zip(whole.codec.parameters(), half.codec.parameters(), strict=True))
    assert (packed / EMA_FILE).stat().st_size < 0.6 * (resolve_checkpoint(source) / EMA_FILE).stat().st_size


def test_a_name_stands_for_the_policy_in_every_verb(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    short_episodes: None,
) -> None:  # fmt: skip
    assert resolve_checkpoint(Path("ringer")) == packed
    flags = ["--task", "click_bell", "--episodes", "2", "--films", "0", "--seed", "7", "--device", "cpu"]
    out = tmp_path / "eval"
    assert cli.main(["eval", "--policy", "ringer", *flags, "--out", str(out)]) == console.EXIT_DONE
    packing = ["pack", "--policy", str(packed), "--out", str(packed)]
    assert cli.main([*packing, "--results", str(out)]) == console.EXIT_DONE
    assert cli.main([*packing, "--results", str(out)]) == console.EXIT_DONE, "the same results are told once"
    rows = read_source(packed).results
    assert [(row.task, row.first_seed, row.episodes, row.candidates) for row in rows] == [("click_bell", 7, 2, 1)]
    capsys.readouterr()
    assert cli.main(["policies", "--json"]) == console.EXIT_DONE
    written, said = capsys.readouterr()
    (found,) = json.loads(written.splitlines()[-1])["policies"]
    assert found["name"] == "ringer" and found["robot"] == "panda" and found["license"] == "CC0-1.0"
    assert "click_bell (panda, clean)" in said and "of 2 scenes" in said
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ringer").mkdir()
    with pytest.raises(UserError, match="no checkpoint in ringer"):
        resolve_checkpoint(Path("ringer"))


def test_packed_again_it_keeps_its_files_and_results(source: Path, packed: Path) -> None:
    add_results(packed, (MeasuredSuccess("click_bell", "panda", "clean", 0, 100, 60),))
    before, digest = read_source(packed), compute_digest(packed)
    words = ["pack", "--policy", str(source), "--out", str(packed), *FACTS[2:], "--description", "rings a bell"]
    assert cli.main(words) == console.EXIT_DONE
    after = read_source(packed)
    assert after.description == "rings a bell" and after.results == before.results
    assert after.files == before.files and compute_digest(packed) == digest


@pytest.mark.parametrize("name", ["run.json", "transform.json", "codec.safetensors", "ema.safetensors"])
def test_a_file_that_is_another_is_refused(packed: Path, name: str) -> None:
    data = bytearray((packed / name).read_bytes())
    data[-20] ^= 1
    (packed / name).write_bytes(data)
    with pytest.raises(UserError, match=f"{name} is not the file that was packed"):
        load_policy("ringer")
    (packed / name).unlink()
    with pytest.raises(UserError, match=f"{name} is missing"):
        load_policy("ringer")


def test_what_cannot_be_packed_is_said(
    source: Path, packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*words: str) -> str:
        assert cli.main(["pack", *words]) == console.EXIT_MISTAKE
        return capsys.readouterr().err

    other = write_checkpoint(make_simulated_policy("aloha"), tmp_path / "other")
    assert "holds another policy" in fail("--policy", str(other), "--out", str(packed), *FACTS)
    assert "holds no packed policy" in fail("--policy", str(source), "--out", str(tmp_path / "other"), *FACTS)
    assert "give --description, --data and --license" in fail("--policy", str(source), "--out", str(tmp_path / "new"))
    assert "pack it first" in fail("--policy", str(source), "--out", str(tmp_path / "new"), "--results", str(tmp_path))
    adding = ["--policy", str(packed), "--out", str(packed), "--results", str(tmp_path / "eval")]
    assert "holds no evaluation" in fail(*adding)
    assert "--results adds to SOURCE.toml" in fail(*adding, "--data", "more")
    foreign = {"version": 4, "policy": "x", "digest": "0", "robot": "panda", "settings": {}, "episodes": []}
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval" / "results.json").write_text(json.dumps(foreign))
    assert "results of other weights" in fail(*adding)
    assert not (tmp_path / "new").exists()


def test_an_unknown_name_lists_those_there_are(packed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["eval", "--policy", "singer", "--task", "click_bell", "--out", "never"]
    assert cli.main(words) == console.EXIT_MISTAKE
    assert "one that comes with the project: ringer" in capsys.readouterr().err
    with pytest.raises(UserError, match="one that comes with the project: ringer"):
        load_policy("singer")


def test_a_damaged_source_says_where(packed: Path) -> None:
    text = (packed / shipped.SOURCE_FILE).read_text()
    (packed / shipped.SOURCE_FILE).write_text(text.replace("license =", "licence ="))
    with pytest.raises(UserError, match=r"SOURCE.toml: has no field 'licence'; did you mean 'license'\?"):
        load_policy("ringer")
