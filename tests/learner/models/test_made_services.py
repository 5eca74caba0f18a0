"""Made services are what they are called, and the same each time."""

import numpy as np
import pytest

from learner.models.made_services import KINDS, Kind, made_services

N_STEPS = 5000


def test_the_same_seed_makes_the_same_services() -> None:
    np.testing.assert_array_equal(made_services(2, 300, 1), made_services(2, 300, 1))
    assert (made_services(2, 300, 1) != made_services(2, 300, 2)).any()


def test_every_kind_is_there_in_its_number() -> None:
    assert made_services(3, 50, 0).shape == (3 * sum(KINDS.values()), 50)


@pytest.mark.parametrize("kind", KINDS)
def test_calls_last_and_go_on_to_the_end(kind: Kind) -> None:
    for seed in range(20):
        begin, duration = kind(np.random.default_rng(seed), N_STEPS)
        assert begin.shape == duration.shape
        assert np.isfinite(begin).all()
        assert (duration > 0).all()
        # What stops early would teach that services stop.
        assert not len(begin) or begin.max() > N_STEPS / 2
