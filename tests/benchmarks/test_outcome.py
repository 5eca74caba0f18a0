import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from autoscaler.errors import PermanentError
from benchmarks.demo import SHOWN_S, board_of
from benchmarks.outcome import COLUMNS, coldest, headline, report, rows, write_json
from benchmarks.policies import ALWAYS, KPA, ORACLE
from benchmarks.replay import Replay, ReplaySettings
from benchmarks.score import PolicyScore
from benchmarks.screen import Screen
from benchmarks.traces import Trace
from learner.engine import LearnerSettings

N_STEPS, FIT_STEPS = 170, 120
SCREEN = io.StringIO()
Finished = tuple[Replay, list[PolicyScore]]


@pytest.fixture(scope="module")
def finished() -> Finished:
    """Two services, learned for two hours and replayed for fifty minutes on a screen."""
    rng = np.random.default_rng(0)
    counts = np.array([rng.poisson(3.0, N_STEPS), rng.random(N_STEPS) < 0.1], dtype=np.float64)
    replay = Replay(
        Trace(
            services=("shop/browse", "shop/refund"),
            start_s=86_400.0,
            step_s=60.0,
            counts=counts,
            duration_s=np.full((2, N_STEPS), 0.5),
            kind="counts",
        ),
        ReplaySettings(
            fit_until_s=86_400.0 + FIT_STEPS * 60.0,
            learner=LearnerSettings(max_rows=2000, rounds=10, windows=(0, 1, 2)),
        ),
    )
    screen = Screen(Console(file=SCREEN, width=120))
    with screen.progress() as progress:
        replay.fit(progress=progress)
    return replay, screen.live(replay)


def test_the_headline_leaves_out_the_rest_of_the_sweep(finished: Finished) -> None:
    assert [score.policy for score in headline(finished[1], 600.0)] == [
        KPA,
        "KPA, kept 5 min",
        "KPA, kept 10 min",
        "KPA, kept 20 min",
        ALWAYS,
        "kn-ahead outward @ 600 s",
        "kn-ahead full @ 600 s",
        ORACLE,
    ]


def test_a_row_has_a_cell_for_every_column(finished: Finished) -> None:
    made = rows(finished[1])
    assert {len(row) for row in made} == {len(COLUMNS)}
    kpa = finished[1][0].total
    assert made[0][:3] == (KPA, f"{kpa.cold_requests:,}", f"{100 * kpa.cold_rate:.3g}%")


def test_the_screen_ends_with_the_table_of_the_headline(finished: Finished) -> None:
    shown = SCREEN.getvalue()
    last = shown[shown.rindex("2 services, ") :]
    assert f"{finished[1][0].total.requests:,} requests" in last
    assert all(score.policy in last for score in headline(finished[1], 600.0))
    assert "kn-ahead full @ 20 s" not in last


def test_the_coldest_service_under_knative_is_the_one_shown(finished: Finished) -> None:
    by_service = {s.service: s.cold_requests for s in finished[1][0].services}
    assert by_service[coldest(finished[1])] == max(by_service.values())


def test_the_report_shows_curves_table_and_the_service_asked_for(finished: Finished) -> None:
    replay, scores = finished
    page = report(replay, scores, title="A title", facts=[("Seed", "0")], service="shop/refund")
    assert [len(curve.labels) for curve in page.curves] == [6, 6, 4, 1, 1, 1]
    assert page.curves[0].labels == ("20 s", "60 s", "200 s", "600 s", "1800 s", "6000 s")
    assert len(page.rows) == 8
    assert page.timelines[0].service == "shop/refund"


def test_the_time_line_shows_every_scored_step_at_its_own_time(finished: Finished) -> None:
    replay, scores = finished
    line = report(replay, scores, title="", facts=[]).timelines[0]
    n_scored = N_STEPS - FIT_STEPS - 10
    assert line.start_s == replay.scored_from_s
    row = replay.demand.services.index(line.service)
    np.testing.assert_array_equal(line.peak, replay.demand.peak[row, -n_scored:])
    assert {len(values) for _, values in (*line.band, *line.pods, *line.cold)} == {n_scored}
    assert line.cold[0][0] == KPA
    assert line.cold[0][1].sum() == scores[0].services[row].cold_requests


def test_the_forecast_band_widens_with_its_level(finished: Finished) -> None:
    (_, low), (_, middle), (_, high) = report(*finished, title="", facts=[]).timelines[0].band
    assert (low <= middle).all()
    assert (middle <= high).all()


def test_the_scores_are_written_as_json_with_settings_and_services(
    finished: Finished, tmp_path: Path
) -> None:
    write_json(*finished, tmp_path / "scores.json")
    found = json.loads((tmp_path / "scores.json").read_text())
    assert found["settings"]["price_s"] == 600.0
    assert found["services"] == ["shop/browse", "shop/refund"]
    assert len(found["models"]) == 2
    assert len(found["policies"]) == 18
    kpa = found["policies"][0]
    assert kpa["policy"] == KPA
    assert kpa["total"]["requests"] == sum(s["requests"] for s in kpa["services"])
    assert {"wait_s", "latency_s", "allocated_pod_s"} <= kpa["services"][0].keys()


def test_scores_that_cannot_be_written_leave_nothing_behind(
    finished: Finished, tmp_path: Path
) -> None:
    with pytest.raises(PermanentError, match=r"missing/scores\.json cannot be written"):
        write_json(*finished, tmp_path / "missing" / "scores.json")
    assert not list(tmp_path.iterdir())


def test_the_board_shows_what_the_api_would_have_shown_at_the_end(finished: Finished) -> None:
    replay, _ = finished
    board, clock = board_of(replay)
    assert clock.now() == replay.demand.end_s
    assert list(board.services) == ["shop/browse", "shop/refund"]
    browse = board.decided("shop/browse")
    assert [decided.at_s for decided in browse] == [clock.now()]
    assert browse[0].sentence
    assert board.forecasts is not None
    assert board.forecasts.made_at_s == clock.now() - 60.0
    assert replay.simulation.now - SHOWN_S < replay.table.made_at_s[0]  # begins before any forecast
