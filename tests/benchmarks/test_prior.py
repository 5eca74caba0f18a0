"""`kn-ahead prior`: from a trace, and from another cluster's Prometheus, to a file."""

from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from autoscaler.clock import SystemClock
from benchmarks.commands import app
from learner.demand import Demand
from learner.prior.file import load_prior
from learner.settings import WINDOWS
from tests.conftest import ServeHistory

QUICK = ["--fit-rows", "500", "--fit-rounds", "3"]
CALLS = np.random.default_rng(0).poisson(0.3, (2, 180)).astype(np.float64)


def test_of_a_trace(tmp_path: Path) -> None:
    trace, output = tmp_path / "trace.npz", tmp_path / "prior.npz"
    np.savez(trace, ids=np.array(["a", "b"]), counts=CALLS, step_s=60.0)
    done = CliRunner().invoke(app, ["prior", str(output), "--trace", str(trace), *QUICK])
    assert (done.exit_code, done.output.startswith("Prior: ")) == (0, True), done.output
    prior = load_prior(output)
    assert (prior.step_s, prior.boosting.windows, len(prior.rows)) == (60.0, WINDOWS, 1)


def test_of_another_cluster(tmp_path: Path, serve_history: ServeHistory) -> None:
    end_s = SystemClock().now() // 60 * 60.0
    history = Demand(
        services=("shop/a", "shop/b"),
        start_s=end_s - 180 * 60.0,
        step_s=60.0,
        arrivals=CALLS,
        peak=CALLS,
        capacity=np.ones(2),
    )
    output = tmp_path / "prior.npz"
    arguments = ["prior", str(output), "--prometheus", serve_history(history), "--history", "3h"]
    done = CliRunner().invoke(app, [*arguments, *QUICK])
    assert done.exit_code == 0, done.output
    assert len(load_prior(output).rows) == 1


def test_a_trace_that_is_none_is_one_line(tmp_path: Path) -> None:
    arguments = ["prior", str(tmp_path / "p.npz"), "--trace", str(tmp_path / "none")]
    done = CliRunner().invoke(app, arguments)
    assert (done.exit_code, done.output.count("\n")) == (2, 1)
    assert "none cannot be read" in done.output
