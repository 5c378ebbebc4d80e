"""Phases: who plays when, and what is refused."""

import jax.numpy as jnp
import pytest

from jaxgan.errors import UserError
from jaxgan.game import Outcome, Phase, System, active_phases, distinct_steps, rounds, validate


def phase(name="critic", **options):
    return Phase(name, ("critic",), "critic", **options)


@pytest.fixture
def system():
    return System(players={"critic": None}, losses={"critic": lambda turn: Outcome(jnp.zeros(()))})


def test_a_phase_plays_from_start_to_stop_every_kth_step():
    lazy = phase(every=4, start=3, stop=12)
    assert [step for step in range(20) if lazy.plays(step)] == [3, 7, 11]


def test_distinct_steps_are_all_that_occur_and_no_more():
    phases = (
        phase("pretrain", stop=10),
        phase("critic", start=10, repeats=5),
        phase("r1", start=10, every=16),
        phase("path", start=13, every=4, stop=90),
    )
    occurring = [active_phases(phases, step) for step in range(200)]
    found = distinct_steps(phases, 200)
    assert set(found) == set(occurring)
    assert len(found) == len(set(found))
    assert found == sorted(found, key=occurring.index)


def test_a_run_that_goes_on_needs_only_what_is_ahead():
    phases = (phase("pretrain", stop=10), phase("critic", start=10))
    assert distinct_steps(phases, 20, first=10) == [(phases[1],)]


def test_rounds_are_those_of_the_phase_with_most_repeats():
    assert rounds((phase(repeats=5), phase())) == 5


@pytest.mark.parametrize(
    ("phases", "message"),
    [
        ((), "no phases"),
        ((Phase("a", ("critc",), "critic"),), "did you mean 'critic'"),
        ((Phase("a", (), "critic"),), "moves no player"),
        ((Phase("a", ("critic",), "crytic"),), "did you mean 'critic'"),
        ((phase(every=0),), "at least 1"),
        ((phase(), phase()), "same name"),
        ((phase(start=1),), "no phase plays"),
        ((phase(stop=99),), "no phase plays"),
    ],
)
def test_what_cannot_be_played_is_refused(system, phases, message):
    with pytest.raises(UserError, match=message):
        validate(system, phases, 100)


def test_a_sound_game_is_accepted(system):
    validate(system, (phase(stop=50), phase("later", start=50)), 100)
