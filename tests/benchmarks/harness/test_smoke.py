"""The small fixed benchmark fails where decisions are worse than recorded, and only there."""

from pathlib import Path

import pytest

from autoscaler.errors import PermanentError
from benchmarks.harness.smoke import read, record, smoke_traces, worse

RECORDED = {"shop: hypervolume": {"value": 0.5, "low": 0.4, "high": 0.6}}


def now(value: float) -> dict[str, dict[str, float]]:
    return {"shop: hypervolume": {"value": value, "low": value, "high": value}}


@pytest.mark.parametrize("value", [0.4, 0.5, 0.9])
def test_what_is_within_the_interval_or_better_passes(value: float) -> None:
    assert list(worse(now(value), RECORDED)) == []


def test_what_is_worse_is_named_with_what_is_allowed() -> None:
    assert list(worse(now(0.3), RECORDED)) == [
        "shop: hypervolume is 0.300; allowed: 0.400 to 0.600, or more"
    ]


def test_what_is_not_known_or_not_recorded_fails() -> None:
    assert list(worse(now(float("nan")), RECORDED))
    assert list(worse(now(0.5), {}))


def test_what_is_recorded_is_read(tmp_path: Path) -> None:
    record(now(0.5), tmp_path / "smoke.json")
    assert read(tmp_path / "smoke.json") == now(0.5)
    with pytest.raises(PermanentError, match=r"nothing.json cannot be read"):
        read(tmp_path / "nothing.json")


def test_all_sets_are_recorded() -> None:
    assert {name.split(":")[0] for name in read()} == set(smoke_traces())
