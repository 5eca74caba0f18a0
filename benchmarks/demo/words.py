"""What a reader should remember of the demo, and what to do next."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.policies.policies import KPA, RETENTION
from benchmarks.report.equal_pods import equal_pods
from benchmarks.scores.score import PolicyScore

SYNTHETIC = (
    "The price is what a cold request is worth, in seconds of idle pod. The traffic is synthetic:"
    " what it would be for yours, your own Prometheus can tell."
)


def verdict(scores: Sequence[PolicyScore]) -> list[str]:
    """The most important first; every comparison is on as many pods."""
    found = {each.setting.policy: each for each in equal_pods(scores)}
    # Beside Knative as it is, the keep-alive with the fewest cold requests: the closest rival.
    kept = [each for name, each in found.items() if name.startswith(RETENTION)]
    closest = min(kept, key=lambda each: each.setting.total.cold_requests)
    return [found[KPA].sentence(), closest.sentence(), SYNTHETIC]


def next_steps() -> list[tuple[str, str]]:
    """What to do, and how."""
    return [
        ("Your Prometheus", f"{program()} whatif --prometheus http://prometheus:9090"),
        ("Your trace", f"{program()} replay --help"),
        ("Your cluster", "README.md, In a cluster; it begins in shadow mode"),
    ]


def program() -> str:
    """How this program is called from here."""
    if shutil.which("kn-ahead"):
        return "kn-ahead"
    beside = Path(sys.executable).with_name("kn-ahead")
    folder = Path.cwd()
    return str(beside.relative_to(folder) if beside.is_relative_to(folder) else beside)
