"""A small benchmark: three services; 20 minutes are learned from, 5 warm up, 15 are scored."""

from pathlib import Path

import numpy as np

from benchmarks.harness.chosen import chosen
from benchmarks.harness.part import Counted
from benchmarks.harness.rules import RULES
from benchmarks.harness.run import Benchmark
from benchmarks.harness.scene import Part
from benchmarks.harness.settings import BenchSettings
from benchmarks.harness.sweep import Sweep
from benchmarks.policies.contender import Contender
from benchmarks.simulator.histogram import BINS
from benchmarks.traces.trace import Trace

SETTINGS = BenchSettings(fit_until="20m", warm_up_s=300.0)
CONTENDERS = ("keep-alive", "oracle")  # none that learns


def trace(n_services: int = 3, minutes: int = 40) -> Trace:
    counts = np.random.default_rng(0).poisson(0.1, (n_services, minutes)).astype(np.float64)
    return Trace(
        services=tuple(f"shop/{row}" for row in range(n_services)),
        start_s=0.0,
        step_s=60.0,
        counts=counts,
        duration_s=np.full(counts.shape, 0.5),
        kind="counts",
    )


def part(seed: int = 0, of: Trace | None = None, settings: BenchSettings = SETTINGS) -> Part:
    return Part(trace=of or trace(), name="small", seed=seed, settings=settings)


def benchmark(seeds: int = 2) -> Benchmark:
    return Benchmark(
        traces={"small": trace()}, contenders=chosen(CONTENDERS), settings=SETTINGS, seeds=seeds
    )


def written(folder: Path, of: Trace | None = None) -> Path:
    whole = of or trace()
    path = folder / "small.npz"
    np.savez(path, ids=np.array(whole.services), counts=whole.counts, step_s=60.0)
    return path


def sweep(contender: Contender, cold: list[float], pod_s: list[float], services: int = 2) -> Sweep:
    """A contender with so many cold requests and pod-seconds a service, at each value."""
    n_values = len(cold)
    shape = n_values, services, 1
    zeros = np.zeros(shape)
    columns = dict.fromkeys(
        ("cold_scale_out", "wait_s", "busy_s", "started", "started_cold"), zeros
    ) | {
        "requests": np.full(shape, 100.0),
        "cold_from_zero": np.array(cold)[:, None, None] + zeros,
        "allocated_s": np.array(pod_s)[:, None, None] + zeros,
    }
    histogram = np.zeros((n_values, BINS), dtype=np.int64)
    counted = Counted(
        services=tuple(f"shop/{row}" for row in range(services)),
        values=np.array(contender.knob.values[:n_values]),
        days_s=np.array([86_400.0]),
        columns=columns,
        histograms=dict.fromkeys(("waits", "latencies", "cold_waits"), histogram),
        rules={name: np.full(n_values, 2.0) for name in RULES},
        plan_s=1.0,
        simulate_s=1.0,
        peak_mb=1.0,
        starts=0,
        surprises=0,
    )
    return Sweep(contender, [counted])
