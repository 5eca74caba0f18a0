import json
import sys
from pathlib import Path

import numpy as np
import typer
from typer.testing import CliRunner

from benchmarks.controller.fake_cluster import FakeCluster
from benchmarks.controller.tick import BEGIN_S, CASES, main
from knative.controller.runtime.snapshots import Snapshots
from knative.controller.state.events import StatisticsReceived, Ticked

app = typer.Typer()
app.command()(main)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout


def test_each_kind_of_traffic_is_measured() -> None:
    code, out = run("--revisions", "60", "--ticks", "3", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [row["case"] for row in rows] == [case.name for case in CASES]
    for row in rows:
        assert 0 < row["twin_ms"] <= row["decided_ms"] <= row["tick_ms"] <= row["worst_ms"]
        assert (row["twin_reports_ms"] > 0.01) == (row["case"] != "idle")
    assert [row["paths"] > 0 for row in rows] == [case.edges for case in CASES]
    assert rows[0]["plans"] == 0
    assert rows[-1]["plans"] > 0


def test_the_table_has_a_row_for_each() -> None:
    code, out = run("--revisions", "1000", "--ticks", "1")
    assert code == 0
    assert out.count("1,000") == len(CASES)


def test_a_fleet_of_nobody_is_refused() -> None:
    assert run("--revisions", "0")[0] == 2


def test_the_made_cluster_comes_to_rest_with_the_pods_that_are_asked_for() -> None:
    cluster = FakeCluster(6, BEGIN_S)
    controller, plans = cluster.controller, []
    for turn in range(90):
        now = BEGIN_S + 2.0 * turn
        event = StatisticsReceived(
            keys=cluster.keys[:1] * 2,
            samples=np.full((2, 2), 250.0),
            seconds=int(now) - np.arange(2),
            by_activator=True,
        )
        todo = controller.handle(event, now) + controller.handle(Ticked(), now)
        cluster.carry_out(todo, now)
        plans.append(len(todo))
    assert plans[0] > 0
    assert not any(plans[45:])
    assert controller.fleet.observed.ready.tolist() == [4, 0, 0, 0, 0, 0]  # 250 / 70 a pod


def calls_of_a_tick(revisions: int, folder: Path) -> int:
    """How many functions of Python and C a tick calls in which nothing changes."""
    cluster = FakeCluster(revisions, BEGIN_S)
    controller, snapshots, counted = cluster.controller, Snapshots(folder), 0

    def count(_frame: object, event: str, _what: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    for turn in range(60):
        now = BEGIN_S + 2.0 * turn
        sys.setprofile(count if turn == 59 else None)
        try:
            todo = controller.handle(Ticked(), now)
            snapshots.write(
                controller.revisions, controller.fleet, controller.changes.take(), {}, now
            )
        finally:
            sys.setprofile(None)
        cluster.carry_out(todo, now)
    return counted


def test_a_tick_walks_through_no_revisions_one_by_one(tmp_path: Path) -> None:
    few = calls_of_a_tick(30, tmp_path)
    assert 0 < calls_of_a_tick(900, tmp_path) <= few + 50
