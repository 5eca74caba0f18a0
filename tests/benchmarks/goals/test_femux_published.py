"""What FeMux published is worked out again from its minutes."""

from pathlib import Path

import numpy as np
import pytest
import typer

from benchmarks.goals.femux_published import main

DAY = 1440


def published(folder: Path, **changed: np.ndarray) -> tuple[Path, Path]:
    """A day of two applications, one called every hour, one every four minutes from noon on."""
    need = np.zeros((2, DAY))
    need[0, ::60] = 1
    need[1, 720::4] = 2
    day = {
        "ids": np.array(["a", "b"]),
        "containers": need,
        "avg_mem_mb": np.array([100, 200]),
        "knative_default_sim_cold_starts": need,
        # Nothing stands before, and on average they are missed in the middle of the minute: the
        # half of it, and a whole minute then.
        "knative_default_sim_mem_alloc": 1.5 * need * 60 * [[0.1], [0.2]],
    }
    blocks = {"ids": np.array(["b", "c"]), "cold_starts_5min_keepalive": np.zeros((2, 34))}
    blocks["cold_starts_5min_keepalive"][0, 1] = 2
    names = folder / "day.npz", folder / "blocks.npz"
    np.savez(names[0], **day | changed)  # type: ignore[arg-type]
    np.savez(names[1], **blocks)  # type: ignore[arg-type]
    return names


def test_all_is_found_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(*published(tmp_path))
    printed = capsys.readouterr().out
    assert printed.count("0.00%") == 4
    assert "Comparable: 2 applications for a day; of the published blocks 2 of 68" in printed


def test_what_is_more_than_a_tenth_off_ends_it_with_1(tmp_path: Path) -> None:
    names = published(tmp_path, knative_default_sim_cold_starts=np.ones((2, DAY)))
    with pytest.raises(typer.Exit) as ended:
        main(*names)
    assert ended.value.exit_code == 1


def test_files_that_are_none_of_femux_s_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    day, blocks = published(tmp_path)
    for minutes, of_blocks in ((blocks, blocks), (day, tmp_path / "none.npz")):
        with pytest.raises(typer.Exit) as ended:
            main(minutes, of_blocks)
        assert ended.value.exit_code == 2
