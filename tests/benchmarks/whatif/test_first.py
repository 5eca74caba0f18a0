"""The first look: a sentence from a few services and days, in seconds."""

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from benchmarks.replay import ReplaySettings
from benchmarks.whatif.first import SCORED_S, SERVICES, first_look
from benchmarks.whatif.made_fleet import made_fleet
from learner.sources.request_reader import PastRequests

STEP_S, N_STEPS = 60.0, 720


@pytest.fixture(scope="module")
def recent() -> PastRequests:
    names, made = made_fleet(SERVICES + 6, N_STEPS / 1440, seed=3)
    counts = np.array(
        [
            np.bincount((made.arrival_s[a:b] // STEP_S).astype(np.int64), minlength=N_STEPS)
            for a, b in pairwise(made.offset)
        ],
        dtype=np.float64,
    )
    return PastRequests(
        services=names, start_s=0.0, step_s=STEP_S, counts=counts[:, :N_STEPS],
        duration_s=np.full((len(names), N_STEPS), np.nan),
    )  # fmt: skip


def look(recent: PastRequests) -> str:
    return first_look(
        recent, ReplaySettings(fit_until_s=recent.end_s - SCORED_S, concurrency=0, swept=())
    )


def test_it_says_what_it_is_from(recent: PastRequests) -> None:
    said = look(recent)
    assert re.match(
        r"At a first look, kn-ahead would have served about \d+% of [\d,]+ cold requests warm,"
        rf" for \d+% (more|fewer) pod-hours: {SERVICES} of {SERVICES + 6} services, learned from"
        r" 8.0 hours, 4.0 hours scored",
        said,
    )


def test_of_few_services_all_are_as_soon_told(recent: PastRequests) -> None:
    few = replace(
        recent,
        services=recent.services[:SERVICES],
        counts=recent.counts[:SERVICES],
        duration_s=recent.duration_s[:SERVICES],
    )
    assert not look(few)
