import json
from pathlib import Path

import numpy as np
import pytest

from autoscaler.errors import PermanentError
from benchmarks.policies.policies import ALWAYS, KPA, ORACLE
from benchmarks.report.outcome import COLUMNS, coldest, headline, report, rows, write_json
from tests.benchmarks.finished import FIT_STEPS, N_STEPS, SCREEN, Finished


def test_the_headline_leaves_out_the_rest_of_the_sweep(finished: Finished) -> None:
    assert [score.policy for score in headline(finished[1], 600.0)] == [
        KPA,
        "KPA, retention 5 min",
        "KPA, retention 10 min",
        "KPA, retention 20 min",
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
