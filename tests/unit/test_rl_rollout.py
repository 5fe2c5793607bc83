"""Roll-outs of Stage II: what is tried leaves no trace, and a trial depends on its seed alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from served import SIZE, make_simulated_policy

from aim.data.transforms import MAX_SCALED_VALUE
from aim.policy import LearnedPolicy
from aim.policy.smooth_noise import find_joints, read_half_ranges
from aim.rl.branching import FAILURE, ONGOING, SUCCESS, try_chunks
from aim.rl.critic import Critic
from aim.rl.facts import FactReader
from aim.rl.features import extract_features, rebuild_cache
from aim.rl.rollout import collect_trials
from aim.rl.trial import ARRAYS, Trial, read_trials, write_trials
from aim.util.seeds import make_generator
from sim import robots, tasks
from sim.envs.env import Env
from sim.expert.policy import ExpertPolicy
from sim.types import UserError

pytestmark = pytest.mark.usefixtures("one_thread")
LIMIT = 40  # control steps of an episode: three decisions, the last of them cut short


class FirstFact(Critic):
    """Judges a state by one of its facts, so that the preferred candidate is known."""

    def judge_outcomes(
        self, facts: np.ndarray, outcome: np.ndarray, is_cautious: bool = False, member: int | None = None
    ) -> np.ndarray:
        return 1.0 / (1.0 + np.exp(facts[..., 0])).astype(np.float32)


def make_policy(fovea: int = 0, variant: str = "paper") -> LearnedPolicy:
    return make_simulated_policy("panda", fovea, variant, video_steps=1, action_steps=2)


def make_env(worlds: int = 1, max_steps: int | None = None) -> Env:
    """Return an environment whose pictures the policy can see."""
    return Env(tasks.load_task("click_bell"), robots.load_robot("panda"), worlds, size=SIZE, max_steps=max_steps)


def collect(
    seeds: list[int], worlds: int, candidates: int = 3, guided: bool = True, futures: int = 1
) -> dict[int, Trial]:
    env = make_env(worlds=worlds, max_steps=LIMIT)
    critic = FirstFact(FactReader(env).size) if candidates > 1 else None
    found = {
        trial.seed: trial
        for trial in collect_trials(make_policy(), env, seeds, candidates, futures, critic, lambda seed: guided)
    }
    env.close()
    return found


def states(env: Env) -> list[np.ndarray]:
    return [snapshot.physics for snapshot in env.world.save().values()]


def test_trying_leaves_the_worlds_as_they_were_and_tells_what_carrying_out_brings() -> None:
    env, other = make_env(worlds=2), make_env(worlds=2)
    for each in (env, other):
        each.reset([3, 4])
    home = np.array(env.robot.home_action, np.float32)
    chunks = home + np.random.default_rng(0).normal(0.0, 0.05, (2, 4, 16, len(home))).astype(np.float32)
    before = states(env), env.steps.copy()
    outcomes = try_chunks(env, FactReader(env), chunks)
    np.testing.assert_array_equal(states(env), before[0])
    np.testing.assert_array_equal(env.steps, before[1])
    for number in (2, 0):
        other.restore(other.snapshot())
        kept = other.snapshot()
        other.step(chunks[:, number])
        np.testing.assert_array_equal(FactReader(other).read_facts(), outcomes.facts[:, number])
        other.restore(kept)
    assert (outcomes.outcome == ONGOING).all()
    env.step(chunks[:, 1])
    other.step(chunks[:, 1])
    np.testing.assert_array_equal(states(env), states(other))


def test_trying_tells_success_and_the_end_of_time() -> None:
    """The expert's own next steps ring the bell, a hand that rests does not; time is up in both."""
    env = make_env()
    env.reset([0])
    expert, done = ExpertPolicy(env), []
    while not env.done.any():
        before, actions = env.snapshot(), expert.act().actions
        done.append(actions)
        env.step(actions)
    env.restore(before)
    home = np.tile(np.array(env.robot.home_action, np.float32), (1, 16, 1))
    rings = np.concatenate([done[-1].astype(np.float32), home], 1)[:, :16]
    env.max_steps = int(env.steps[0]) + 8
    outcomes = try_chunks(env, FactReader(env), np.stack([home, rings], 1))
    assert outcomes.outcome.tolist() == [[FAILURE, SUCCESS]] and not env.done.any()
    critic = Critic(outcomes.facts.shape[-1])
    assert critic.judge_outcomes(outcomes.facts, outcomes.outcome).tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("futures", [1, 3])
def test_a_trial_depends_on_its_seed_alone(futures: int) -> None:
    together = collect([7, 8, 9, 10, 11], worlds=3, futures=futures)
    alone = collect([10], worlds=1, futures=futures)[10]
    assert sorted(together) == [7, 8, 9, 10, 11]
    same = together[10]
    assert (same.steps, same.success, same.instruction) == (alone.steps, alone.success, alone.instruction)
    assert len(same.facts) == 3 and same.steps == LIMIT
    np.testing.assert_array_equal(same.chosen, alone.chosen)
    np.testing.assert_array_equal(same.outcome, alone.outcome)
    assert same.outcome[-1].tolist() == [FAILURE] * 3 and (same.outcome[:-1] == ONGOING).all(), "time is up"
    for name in ("facts", "chunks", "outcome_facts"):
        np.testing.assert_allclose(getattr(same, name), getattr(alone, name), atol=1e-4)
    assert not np.allclose(same.chunks[0], together[9].chunks[0])


def test_the_preferred_candidate_is_carried_out_where_a_scene_is_guided() -> None:
    guided, own = collect([5], worlds=1)[5], collect([5], worlds=1, guided=False)[5]
    assert guided.guided and not own.guided
    np.testing.assert_array_equal(guided.preferred, guided.outcome_facts[..., 0].argmin(1))
    np.testing.assert_array_equal(guided.chosen, guided.preferred)
    assert (own.chosen == 0).all() and (guided.preferred > 0).any()
    np.testing.assert_array_equal(guided.facts[0], own.facts[0])
    transform = make_policy().transform
    for trial in (guided, own):  # what was tried is what then happened, and what the policy remembers
        for decision in range(2):
            led_to = trial.outcome_facts[decision, trial.chosen[decision]]
            np.testing.assert_array_equal(trial.facts[decision + 1], led_to)
            before, after = (transform.state.unnormalise(trial.features["state"][decision + i]) for i in (0, 1))
            done = transform.action_out(trial.chunks[decision, trial.chosen[decision], :16], before)
            told = transform.action_out(trial.features["past_action"][decision + 1], after)
            assert trial.features["past_valid"][decision + 1]
            seen = np.abs(trial.features["state"][decision + 1]) < MAX_SCALED_VALUE  # others were clipped
            assert seen.sum() > 4
            np.testing.assert_allclose(told[:, seen], done[:, seen], atol=1e-5)


def test_without_a_critic_nothing_is_tried() -> None:
    trial = collect([5], worlds=1, candidates=1)[5]
    assert trial.chunks.shape[1] == 1 and trial.outcome.shape[1] == 0 and not trial.guided and not trial.is_tried


def test_seeds_without_a_scene_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    import failures

    from sim.envs import settle

    monkeypatch.setattr(settle, "sample_scene", failures.sample_no_scene_of_seed_3)
    assert sorted(collect([2, 3, 4], worlds=1, candidates=1)) == [2, 4]
    assert sorted(collect([3, 4], worlds=2, candidates=1)) == [4]
    assert not collect([3], worlds=1, candidates=1)


def test_trials_come_back_from_their_file(tmp_path: Path) -> None:
    trials = list(collect([5, 12], worlds=2).values())
    write_trials(tmp_path / "trials.h5", trials)
    found = {trial.seed: trial for trial in read_trials(tmp_path / "trials.h5")}
    for trial in trials:
        same = found[trial.seed]
        for name in ("instruction", "success", "steps", "guided"):
            assert getattr(same, name) == getattr(trial, name)
        for name in ARRAYS:
            np.testing.assert_array_equal(getattr(same, name), getattr(trial, name))
        assert same.features.keys() == trial.features.keys()
        for name, rows in trial.features.items():
            np.testing.assert_array_equal(same.features[name], rows)
    (tmp_path / "trials.h5").write_bytes((tmp_path / "trials.h5").read_bytes()[:1000])
    with pytest.raises(UserError, match=r"trials\.h5 is damaged"):
        read_trials(tmp_path / "trials.h5")


@pytest.mark.parametrize("futures", [1, 2])
@pytest.mark.parametrize(("fovea", "variant"), [(0, "paper"), (32, "paper"), (0, "no_map"), (0, "video_free")])
def test_features_make_the_cache_again(fovea: int, variant: str, futures: int) -> None:
    """But for the half precision of the tokens, chunks are those that were sampled when the features were taken."""
    policy, env = make_policy(fovea, variant), make_env(worlds=2)
    env.reset([3, 4])
    _, history = policy.step(env.observe(), policy.begin_history(2))
    env.step(np.tile(np.array(env.robot.home_action, np.float32), (2, 16, 1)))
    foresight = policy.foresee(env.observe(), history, futures=futures)
    assert foresight.context.past_valid.all()
    features = extract_features(policy, foresight)
    assert {len(rows) for rows in features.values()} == {2}
    cache, noise = rebuild_cache(policy, features, env.instructions), foresight.noise
    if variant != "video_free":  # whose futures are all the same: none
        noise = noise.repeat_interleave(futures, 0)
    again = policy.model.denoise_actions(cache, noise, policy.action_steps, policy.valid).actions
    sampled = policy.model.denoise_actions(
        foresight.future.cache, foresight.noise.repeat_interleave(futures, 0), policy.action_steps, policy.valid
    ).actions
    if variant == "video_free":
        sampled = sampled[::futures]
    torch.testing.assert_close(again, sampled, atol=2e-2, rtol=0)
    assert not torch.allclose(sampled[0], sampled[-1], atol=2e-2)
    torch.testing.assert_close(sampled[0], policy.sample_chunks(foresight, futures)[0, 0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("fovea", [0, 32])
def test_the_first_of_several_futures_is_the_one_predicted_alone(fovea: int) -> None:
    policy, env = make_policy(fovea), make_env(worlds=2)
    env.reset([3, 4])
    alone, several = (policy.foresee(env.observe(), policy.begin_history(2), (3, 4), count) for count in (1, 3))
    assert alone.future.map is not None and several.future.map is not None
    torch.testing.assert_close(several.future.map[::3], alone.future.map, atol=1e-5, rtol=1e-4)
    assert len({maps.numpy().tobytes() for maps in several.future.map}) == 6
    torch.testing.assert_close(several.noise, alone.noise, atol=0, rtol=0)
    own, chunks = policy.sample_chunks(alone, 2), policy.sample_chunks(several, 6)
    torch.testing.assert_close(chunks[:, :2], own, atol=1e-5, rtol=1e-4)
    third = several.future.cache.select_rows(torch.tensor([2, 5]))  # the last future of each
    draws = torch.stack(
        [
            torch.randn(
                policy.run.model.chunk, policy.run.model.action_dim, generator=make_generator(0, "candidate", w, 0, 5)
            )
            for w in (3, 4)
        ]
    )
    last = policy.model.denoise_actions(third, draws * policy.valid, policy.action_steps, policy.valid).actions
    torch.testing.assert_close(chunks[:, 5], last, atol=1e-5, rtol=1e-4)
    with pytest.raises(UserError, match="futures is 3; valid: a number that divides the 4 candidates"):
        policy.sample_chunks(several, 4)


def test_candidates_share_a_future_and_begin_with_the_own_chunk() -> None:
    policy, env = make_policy(), make_env(worlds=2)
    env.reset([3, 4])
    foresight = policy.foresee(env.observe(), policy.begin_history(2), (3, 4))
    one, four = policy.sample_chunks(foresight), policy.sample_chunks(foresight, 4)
    torch.testing.assert_close(four[:, :1], one, atol=1e-5, rtol=1e-4)
    assert len({chunk.numpy().tobytes() for chunk in four.flatten(0, 1)}) == 8
    draws = torch.randn(
        policy.run.model.chunk, policy.run.model.action_dim, generator=make_generator(0, "candidate", 4, 0, 2)
    )
    alone = policy.model.denoise_actions(
        foresight.future.cache, draws.expand(2, -1, -1), policy.action_steps, policy.valid
    )
    torch.testing.assert_close(alone.actions[1], four[1, 2], atol=1e-5, rtol=1e-4)


def test_every_other_candidate_of_a_future_has_smooth_noise_in_its_joints() -> None:
    policy, env = make_policy(), make_env(worlds=2)
    env.reset([3, 4])
    foresight = policy.foresee(env.observe(), policy.begin_history(2), (3, 4), 2)
    plain = policy.sample_chunks(foresight, 8)
    policy.candidate_noise_rad = 0.02
    noisy, again = (policy.sample_chunks(foresight, 8) for _ in range(2))
    assert torch.equal(noisy, again) and torch.equal(noisy[:, [0, 2, 4, 6]], plain[:, [0, 2, 4, 6]])
    added = (noisy - plain)[:, [1, 3, 5, 7]]
    joints = find_joints(policy.transform, policy.device)
    others = [channel for channel in range(added.shape[-1]) if channel not in joints.tolist()]
    assert not added[..., others].any() and len({each.numpy().tobytes() for each in added.flatten(0, 1)}) == 8
    radians = added[..., joints] * read_half_ranges(policy.transform, policy.device)
    assert 0.012 < float(radians[:, :, [3, 7, 11, 15]].std()) < 0.028, "as asked for at the centres of bumps"
    reordered = policy.foresee(env.observe(), policy.begin_history(2), (4, 3), 2)
    assert not torch.equal(policy.sample_chunks(reordered, 8)[0, 1], noisy[0, 1])
    assert policy.fork(0).candidate_noise_rad == 0.02
