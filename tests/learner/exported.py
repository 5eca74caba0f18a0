"""What an autoscaler would have exported of calls, put into a real Prometheus as if scraped."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autoscaler.core.state.services import Services
from autoscaler.core.types import FloatArray

GAUGES = {
    "kn_ahead_last_start_timestamp_seconds": "last_start_s",
    "kn_ahead_last_call_timestamp_seconds": "last_call_s",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """One process of the autoscaler: what it hears of, and when it is scraped."""

    calls: dict[str, FloatArray]  # by "namespace/service", Unix s
    since_s: float
    until_s: float
    scrape_s: float = 15.0
    instance: str = "10.0.0.1:9090"

    def samples(self) -> dict[str, list[tuple[float, float]]]:
        """(time, value) by series, through the columns that the autoscaler has."""
        names = tuple(self.calls)
        services = Services()
        for name in names:
            services.join(name)
        at = np.concatenate([self.calls[name] for name in names])
        who = np.repeat(np.arange(len(names)), [len(self.calls[name]) for name in names])
        order = np.argsort(at, kind="stable")
        order = order[(at[order] >= self.since_s) & (at[order] <= self.until_s)]
        series: dict[str, list[tuple[float, float]]] = {}
        done = 0
        for scrape_s in np.arange(self.since_s, self.until_s, self.scrape_s).tolist():
            while done < len(order) and at[order[done]] <= scrape_s:
                one = who[order[done : done + 1]]
                services.note_calls(one, at[order[done : done + 1]], np.array([False]))
                done += 1
            for row, name in enumerate(services.keys):
                for gauge, column in GAUGES.items():
                    value = float(getattr(services.calls, column)[row])
                    if value > 0:  # NaN compares False
                        labels = labelled(gauge, name, self.instance)
                        series.setdefault(labels, []).append((scrape_s, value))
        return series


def labelled(metric: str, name: str, instance: str = "10.0.0.1:9090") -> str:
    namespace, _, service = name.partition("/")
    return f'{metric}{{instance="{instance}",namespace="{namespace}",service="{service}"}}'


def put(series: Mapping[str, Sequence[tuple[float, float]]], folder: Path) -> None:
    """Make blocks of gauges' (time, value) in ``folder / "data"``."""
    text = folder / "exported.om"
    families: dict[str, list[str]] = {}
    for labels in series:
        families.setdefault(labels.partition("{")[0], []).append(labels)
    with text.open("w") as file:
        for metric, members in families.items():
            file.write(f"# HELP {metric} Exported.\n# TYPE {metric} gauge\n")
            for labels in members:
                file.writelines(f"{labels} {value!r} {at:.3f}\n" for at, value in series[labels])
        file.write("# EOF\n")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics"]
    command += ["--max-block-duration=54h", str(text), str(folder / "data")]
    subprocess.run(command, check=True, capture_output=True)
