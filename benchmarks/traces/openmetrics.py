"""Writes demand as OpenMetrics text, and backfills it into a Prometheus.

So the learner reads a trace as it reads a cluster: from a real Prometheus. ``promtool tsdb
create-blocks-from openmetrics`` makes the blocks. By default it reads its whole input once for
every two hours in it (two weeks of five services: 28 s); ``backfill`` passes it the input of one
long block at a time (2 s).
"""

import itertools
import subprocess
import tempfile
from pathlib import Path
from typing import TextIO

import numpy as np

from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from learner.demand import Demand
from learner.sources.demand_reader import SHORT_STEP_S

BLOCK_H = 54  # hours; 2 x 3**k, the lengths that Prometheus itself merges blocks to
BLOCK_S = BLOCK_H * 3600
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def write_openmetrics(demand: Demand, file: TextIO) -> None:
    """Write demand, service by service.

    Samples are at step ends; the counter has one more at the start, from which the first step is
    counted. Within a gap there are no samples; the counter has one at its end, with the value from
    before it. Whole numbers of requests are read back exactly up to 2**53 in all.

    Raises PermanentError for a service that is not "namespace/service", and where arrivals and peak
    have different gaps.
    """
    _check(demand)
    _write(demand, file, range(demand.n_steps + 1))


def backfill(demand: Demand, data_dir: Path) -> None:
    """Write demand as blocks into a Prometheus data folder, created where it is missing.

    Raises PermanentError as ``write_openmetrics`` does, and where promtool is missing or refuses.
    """
    _check(demand)
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "demand.om"
        for points in _blocks(demand):
            with text.open("w", encoding="utf-8") as file:
                _write(demand, file, points)
            make_blocks(text, data_dir)


def _check(demand: Demand) -> None:
    for name in demand.services:
        namespace, _, service = name.partition("/")
        if not namespace or not service:
            raise PermanentError(f"the service is {name!r}; allowed: namespace/service")
    differs = np.isnan(demand.arrivals) != np.isnan(demand.peak)
    if differs.any():
        row, step = (int(i) for i in np.argwhere(differs)[0])
        raise PermanentError(
            f"{demand.services[row]} has a gap in one of arrivals and peak at step {step};"
            " allowed: in both"
        )


def _blocks(demand: Demand) -> list[range]:
    """Points i, at start_s + i * step_s for i <= n_steps, of each block of Unix time in turn."""
    times = demand.start_s + np.arange(demand.n_steps + 1) * demand.step_s
    _, first = np.unique(times // BLOCK_S, return_index=True)
    bounds = [*first.tolist(), len(times)]
    return [range(a, b) for a, b in itertools.pairwise(bounds)]


def _write(demand: Demand, file: TextIO, points: range) -> None:
    file.write(
        "# HELP kn_ahead_requests Requests that arrived.\n# TYPE kn_ahead_requests counter\n"
    )
    for name, arrivals in zip(demand.services, demand.arrivals, strict=True):
        _write_series(
            demand, file, f"kn_ahead_requests_total{_labels(name)}", _total(arrivals), points
        )
    gauge = f"kn_ahead_{'short_' if demand.step_s < SHORT_STEP_S else ''}peak_in_flight"
    file.write(
        f"# HELP {gauge} Greatest number of requests in flight in the last step.\n"
        f"# TYPE {gauge} gauge\n"
    )
    for name, peak in zip(demand.services, demand.peak, strict=True):
        values = np.concatenate(([np.nan], peak))
        _write_series(demand, file, f"{gauge}{_labels(name)}", values, points)
    file.write(
        "# HELP kn_ahead_pod_capacity Requests in flight that a pod takes.\n"
        "# TYPE kn_ahead_pod_capacity gauge\n"
    )
    for name, peak, capacity in zip(demand.services, demand.peak, demand.capacity, strict=True):
        values = np.concatenate(([np.nan], np.where(np.isnan(peak), np.nan, capacity)))
        _write_series(demand, file, f"kn_ahead_pod_capacity{_labels(name)}", values, points)
    file.write("# EOF\n")


def _write_series(
    demand: Demand, file: TextIO, name: str, values: FloatArray, points: range
) -> None:
    """values: (n_steps + 1,) at each point; NaN = no sample."""
    index = np.arange(points.start, points.stop)
    index = index[~np.isnan(values[index])]
    times = demand.start_s + index * demand.step_s
    pairs = zip(values[index].tolist(), times.tolist(), strict=True)
    file.writelines(f"{name} {value!r} {time:.3f}\n" for value, time in pairs)


def _total(arrivals: FloatArray) -> FloatArray:
    """(n_steps + 1,) running total of requests at each point; NaN within a gap, not at its end."""
    total = np.concatenate(([0.0], np.cumsum(np.nan_to_num(arrivals))))
    gap = np.isnan(arrivals)
    inside = np.concatenate((gap, [True])) & np.concatenate(([True], gap))
    return np.where(inside, np.nan, total)


def _labels(name: str) -> str:
    namespace, _, service = name.translate(_ESCAPES).partition("/")
    return f'{{namespace="{namespace}",service="{service}"}}'


def make_blocks(text: Path, data_dir: Path) -> None:
    """Blocks of OpenMetrics text. Raises PermanentError where promtool is missing or refuses."""
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics"]
    command += [f"--max-block-duration={BLOCK_H}h", str(text), str(data_dir)]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program and our own paths
            command, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise PermanentError(
            "promtool is missing; allowed: Debian's package 'prometheus', or promtool on the PATH"
        ) from error
    if done.returncode:
        output = " ".join((done.stderr or done.stdout).split())[-300:]
        raise PermanentError(f"promtool made no blocks in {data_dir}: {output}")
