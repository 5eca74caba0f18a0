from pathlib import Path

from benchmarks.controller.ledger import HOURS, measured


def test_what_is_measured_had_hours_and_days_on_disk(tmp_path: Path) -> None:
    found = measured(3, 1.0, tmp_path)
    assert found["a year on disk, MB"] == "0"
    kinds = [path.suffix for path in tmp_path.iterdir() if path.suffix]
    assert kinds.count(".day") >= 1
    assert kinds.count(".hour") + 24 * kinds.count(".day") >= HOURS - 24
