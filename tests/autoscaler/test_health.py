import pytest

from autoscaler.health import Health


def test_a_fault_is_logged_when_it_begins_and_when_it_is_over_and_not_between(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    faults = Health()
    assert not faults.report("pods", "", 0.0)
    assert faults.report("pods", "refused", 10.0)
    assert not faults.report("pods", "refused", 11.0)
    assert not faults.report("pods", "timed out", 12.0)
    assert faults.report("pods", "", 40.0)
    assert not faults.report("pods", "", 41.0)
    assert caplog.messages == [
        "unhealthy part=pods why=refused",
        "healthy again part=pods after_s=30",
    ]


def test_a_fault_tells_its_last_cause_and_since_when_there_is_one() -> None:
    faults = Health()
    faults.report("pods", "refused", 1_700_000_000.0)
    faults.report("pods", "timed out", 1_700_000_060.0)
    assert [str(fault) for fault in faults.present()] == [
        "pods since 2023-11-14T22:13:20Z: timed out"
    ]


def test_a_part_that_is_well_is_known_and_has_no_fault() -> None:
    faults = Health()
    faults.report("pods", "", 0.0)
    assert faults.by_part == {"pods": None}
    assert faults.present() == []


def test_whoever_reads_keeps_what_it_was_given() -> None:
    faults = Health()
    faults.report("pods", "", 0.0)
    held = faults.by_part
    faults.report("pods", "refused", 1.0)
    assert held == {"pods": None}


def test_who_listens_hears_once_that_a_fault_began_and_once_that_it_ended() -> None:
    heard: list[tuple[str, str]] = []
    faults = Health(lambda part, why: heard.append((part, why)))
    for why in ("", "refused", "timed out", "", ""):
        faults.report("pods", why, 0.0)
    assert heard == [("pods", "refused"), ("pods", "")]
