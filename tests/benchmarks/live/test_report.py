"""A made run as tables, page and JSON: who waited, and what it cost."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.live.cluster import Images
from benchmarks.live.copies import Copy, Span, copies_of, schedule_of
from benchmarks.live.kinds import kinds_of
from benchmarks.live.learning import Learning
from benchmarks.live.load import Answer
from benchmarks.live.pods import PodTimes
from benchmarks.live.policies import policies_of
from benchmarks.live.record import write_json
from benchmarks.live.report import page_of
from benchmarks.live.run import Asked, Run
from benchmarks.live.tables import Found, sections, verdict
from benchmarks.report.page import write_report

BEGIN_S = 1_700_000_000.0
SPAN = Span(learning_s=300.0, round_s=300.0, rounds=3)
AHEAD_S = {"off": None, "full@20s": 1.0, "full@60s": 4.0}  # that a pod is made before a request


def asked(*kinds: str) -> Asked:
    return Asked(
        context="test", kubeconfig=None, namespace="shop", image="dev.local/app",
        prometheus_image="", kinds=kinds_of(kinds), policies=policies_of(tuple(AHEAD_S)),
        span=SPAN, seed=0, learning=Learning(), ingress="", domain="cluster.local",
    )  # fmt: skip


def made_run(*kinds: str) -> Run:
    """A pod is made for each request: by Knative when it comes, else a second or four before."""
    what = asked(*kinds)
    copies = copies_of(what.kinds, what.policies)
    schedule = schedule_of(copies, SPAN, seed=0)
    answers, pods = [], []
    for number, (at_s, i) in enumerate(zip(schedule.at_s + BEGIN_S, schedule.copy, strict=True)):
        pod, answer = served(copies[i], int(i), float(at_s), f"pod-{number}")
        answers.append(answer)
        pods.append(pod)
    return Run(
        asked=what, context="test", copies=copies, schedule=schedule, begin_s=BEGIN_S,
        answers=tuple(answers), pods=tuple(pods), gaps=0,
        images=Images(told=9, present=8), own_learner=False,
    )  # fmt: skip


def served(copy: Copy, i: int, at_s: float, name: str) -> tuple[PodTimes, Answer]:
    created_s = at_s - (AHEAD_S[copy.policy.name] or 0.0)
    ready_s = created_s + 2.0
    pod = PodTimes(
        name=name, revision=copy.revisions[0], created_s=created_s, ready_s=ready_s,
        deleted_s=at_s + 20.0, gone_s=at_s + 40.0, parts={"scheduled": 0.0, "total": 2.0},
    )  # fmt: skip
    done_s = max(at_s, ready_s) + 0.2
    answer = Answer(copy=i, intended_s=at_s, sent_s=at_s, done_s=done_s, status=200, words=(name,))
    return pod, answer


@pytest.fixture(scope="module")
def found() -> Found:
    return Found.of(made_run("timer", "poisson"))


def test_the_verdict_is_about_what_can_be_learned_at_equal_pod_seconds(found: Found) -> None:
    assert verdict(found) == (
        "Of Knative's cold requests were gone (timer): 100 % (100 to 100) at 1.2 times, 100 %"
        " (100 to 100) at 1.5 times its pod-seconds, from creation to gone."
    )


def test_each_policy_is_beside_knative(found: Found) -> None:
    first = sections(found)[0]
    rows = {row[0]: dict(zip(first.columns, row, strict=True)) for row in first.rows}
    assert rows["Knative (off)"]["gone"] == ""
    assert rows["full@20s"]["gone"] == "0 % (0 to 0)"
    assert rows["full@60s"]["gone"] == "100 % (100 to 100)"
    assert rows["full@60s"]["times Knative's"].startswith("1.10 (1.10 to 1.1")
    (latency,) = (each for each in sections(found) if each.title.startswith("Latency"))
    assert [row[:2] for row in latency.rows] == [
        ("Knative (off)", "2.20 s"),
        ("full@20s", "1.20 s"),
        ("full@60s", "0.20 s"),
    ]


def test_every_request_and_pod_is_in_the_json(found: Found, tmp_path: Path) -> None:
    write_json(found, tmp_path / "live.json")
    read = json.loads((tmp_path / "live.json").read_text())
    assert len(read["requests"]) == len(found.run.answers)
    assert len(read["pods"]) == len(found.run.pods)
    outcomes = [r["outcome"] for r in read["requests"] if r["policy"] == "full@60s"]
    assert set(outcomes) == {"warm"}
    (knative, *_) = read["scores"]["all kinds"]
    assert knative["cold"] == knative["requests"] == knative["outcomes"]["waited"]
    assert read["gone_at_equal_pod_seconds"]["timer"]["1.2"]["value"] == 1.0


def test_the_page_shows_pods_and_requests_over_time(found: Found, tmp_path: Path) -> None:
    page = page_of(found)
    timer = page.timelines[0]
    assert [name for name, _ in timer.pods] == ["Knative (off)", "full@20s", "full@60s"]
    at_s = found.run.schedule.at_s[found.run.schedule.copy == 0]
    assert timer.peak.sum() == np.sum(at_s >= SPAN.learning_s)
    write_report(page, tmp_path / "live.html")
    text = (tmp_path / "live.html").read_text()
    for part in (verdict(found).replace("'", "&#39;"), "timer over time", "What requests met"):
        assert part in text


def test_a_run_without_prices_has_a_report_nevertheless(tmp_path: Path) -> None:
    run = made_run("timer")
    nothing = Run(
        asked=run.asked, context="test", copies=run.copies, schedule=run.schedule,
        begin_s=BEGIN_S, answers=(), pods=(), gaps=2, images=Images(told=0, present=0),
        own_learner=True,
    )  # fmt: skip
    found = Found.of(nothing)
    assert verdict(found).startswith("No price of mode full was measured within 1.5 times")
    write_report(page_of(found), tmp_path / "live.html")
    write_json(found, tmp_path / "live.json")
    assert "The watch of pods broke 2 times" in (tmp_path / "live.html").read_text()
