"""Shops with and without the graph that the learner finds in their past."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from autoscaler.core.prediction.dependencies import Edges, Origin
from benchmarks.dependencies.chains import SHOPS, app, measure
from benchmarks.dependencies.findings import GRAPH, KPA, Size, page
from benchmarks.dependencies.synthetic_shops import chains, market, saga, unrelated
from benchmarks.dependencies.trial import (
    Day,
    false_edges,
    learn,
    outcome,
    reachability,
    settings,
    simulate,
)
from benchmarks.report.page import write_report

ROUNDS = 16


def pods_left(day: Day) -> int:
    return sum(len(pods.pods) for pods in day.simulation.pods)


def calls(day: Day) -> list[int]:
    n = len(day.scenario.shop.services)
    return [int(many) for many in np.bincount(day.simulation.log().service, minlength=n)]


def test_a_learned_graph_brings_a_cold_chain_down_to_one_start_up() -> None:
    scenario = chains(ROUNDS, lengths=(4,))
    edges, evidence = learn(simulate(scenario, None, day=0, seed=0))
    found = set(zip(edges.upstream.tolist(), edges.downstream.tolist(), strict=True))
    assert found == {(up, down) for up in range(4) for down in range(up + 1, 4)}

    kpa = outcome([simulate(scenario, None, day=1, seed=0)], "chain", KPA)
    day = simulate(scenario, edges, day=1, seed=0)
    ours = outcome([day], "chain", GRAPH)
    start_up_s = scenario.shop.start_up_s
    assert kpa.end_to_end_s["p50"] > 4 * start_up_s
    assert ours.end_to_end_s["max"] <= 1.2 * start_up_s
    assert ours.pods_unused == 0
    assert ours.pod_s <= kpa.pod_s
    assert ours.requests == kpa.requests == ROUNDS

    # What the second day shows is lags of nothing; the edges stay, and so does what they do.
    again, _ = learn(day, evidence)
    stayed = set(zip(again.upstream.tolist(), again.downstream.tolist(), strict=True))
    assert stayed >= found
    second = outcome([simulate(scenario, again, day=2, seed=0)], "chain", GRAPH)
    assert second.end_to_end_s["max"] <= 1.2 * start_up_s


def test_a_saga_ends_when_its_traffic_does() -> None:
    scenario = saga(ROUNDS)
    edges, _ = learn(simulate(scenario, None, day=0, seed=0))
    kpa, ours = (simulate(scenario, graph, day=1, seed=0) for graph in (None, edges))
    assert calls(ours) == calls(kpa) == [2 * ROUNDS, *[ROUNDS] * 5]  # each once, and the reply
    last_s = kpa.simulation.log().at_s.max() - kpa.begin_s
    assert last_s < scenario.day_s - 300.0
    assert pods_left(kpa) == pods_left(ours) == 0
    found = outcome([ours], "saga", GRAPH)
    assert found.pods_started == 6 * ROUNDS  # one of each a request: no echo
    assert found.end_to_end_s["max"] < 2 * scenario.shop.start_up_s
    assert outcome([kpa], "saga", KPA).end_to_end_s["p50"] > 5 * scenario.shop.start_up_s


def test_unrelated_services_have_no_edges_and_false_ones_cost_a_bounded_amount() -> None:
    past = simulate(unrelated(ROUNDS, pairs=2), None, day=0, seed=0)
    assert len(learn(past)[0]) == 0
    rounds = 8
    scenario = unrelated(rounds, pairs=3)
    wrong = false_edges(scenario.shop, confidence=0.3)
    kpa = outcome([simulate(scenario, None, day=1, seed=0)], "unrelated", KPA)
    ours = outcome([simulate(scenario, wrong, day=1, seed=0)], "unrelated", GRAPH)
    spec = settings(scenario.shop)
    most_s = spec.stable_window_s + spec.grace_s + 2 * spec.lead_s + spec.drain_s + 10
    assert ours.pods_unused > rounds
    assert 0 < ours.pod_s - kpa.pod_s <= most_s * ours.pods_unused
    cheap = simulate(scenario, wrong, day=1, seed=0, price_s=100.0)  # 0.3 x 100 s < 0.7 x 120 s
    asked = outcome([cheap], "unrelated", GRAPH)
    assert asked.pods_unused == 0
    assert asked.pod_s == pytest.approx(kpa.pod_s, rel=1e-3)  # decided some instants sooner


def test_the_dearer_a_cold_request_the_fewer_there_are(tmp_path: Path) -> None:
    size, ticks = Size(seeds=1, rounds=36, hours=1), list[None]()
    results = measure(["fan"], size, lambda: ticks.append(None))
    cold = [found.cold_s for _, found in results.sweep]
    cost = [found.pod_s for _, found in results.sweep]
    assert cold == sorted(cold, reverse=True)
    assert cost[-1] > cost[0]
    assert cold[-1] < 0.5 * cold[0]
    assert len(ticks) == SHOPS["fan"] == 2 + len(results.sweep)
    shown = page(results, size)
    swept, kpa = shown.curves
    assert swept.labels[0] == "1 s"
    assert kpa.cold_rate.tolist() == [1.0]
    write_report(shown, tmp_path / "page.html")
    assert "Cold requests against memory" in (tmp_path / "page.html").read_text()


def test_browsers_become_buyers_some_minutes_later() -> None:
    scenario = market(1)
    arrivals = scenario.draw_arrivals(np.random.default_rng(0))
    minute = np.bincount((np.array([at for at, _ in arrivals]) / 60).astype(int))
    assert minute.max() > 8 * np.median(minute)
    true = reachability(scenario.shop)
    assert true[0].sum() == 5
    assert not true[:, 0].any()


def test_a_surge_of_browsers_finds_pods_two_minutes_down_the_line() -> None:
    scenario, far = market(1), (3, 4)  # purchase and payment
    two = np.ones(2)
    edges = Edges(
        services=scenario.shop.names,
        upstream=np.zeros(2, dtype=np.int64),
        downstream=np.array(far),
        lag_s=120.0 * two,
        gain=0.06 * two,
        probability=two,
        confidence=two,
        evidence=two,
        seen_at_s=two,
        direct=two > 0,
        origin=np.full(2, Origin.LEARNED_COUNTS, dtype=np.int64),
    )
    kpa, ours = (
        outcome([simulate(scenario, graph, day=1, seed=1)], "far", "", far)
        for graph in (None, edges)
    )
    assert kpa.requests == ours.requests
    assert kpa.cold >= 10
    assert ours.cold <= 1
    assert ours.wait_s["p95"] < 0.6 * kpa.wait_s["p95"]
    assert ours.pod_s < 1.03 * kpa.pod_s


def test_the_command_shows_and_writes_what_it_found(tmp_path: Path) -> None:
    figures, html = tmp_path / "figures.json", tmp_path / "page.html"
    options = ["--shop", "saga", "--seeds", "1", "--rounds", "20"]
    result = CliRunner().invoke(app, [*options, "--json", str(figures), "--report", str(html)])
    assert result.exit_code == 0, result.output
    found = json.loads(figures.read_text())
    assert [o["policy"] for o in found["outcomes"]] == [KPA, GRAPH]
    assert found["found"][0]["correct"] > 0
    assert GRAPH in html.read_text()


def test_false_edges_are_measured_beside_knative() -> None:
    results = measure(["unrelated"], Size(seeds=1, rounds=3, hours=1), lambda: None)
    assert [o.policy for o in results.outcomes] == [KPA, "with false edges (0.3)"]
    assert [found.edges for found in results.found] == [0]


def test_the_command_names_a_shop_that_it_does_not_know() -> None:
    result = CliRunner().invoke(app, ["--shop", "fish"])
    assert result.exit_code == 2
    assert "shop is 'fish'; allowed: chains, saga, market, unrelated, fan" in result.output
