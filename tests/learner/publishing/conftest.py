"""A learner that was killed after 20 steps, and what it would have published."""

from pathlib import Path

import pytest

from tests.learner.publishing.restarts import Process, Unbroken, clock_at


@pytest.fixture(scope="session")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Unbroken:
    """The folder as it was at a kill after 20 steps; forecasts without one, and as given."""
    folder = tmp_path_factory.mktemp("learner")
    process = Process(folder, clock_at(0))
    process.publish(20)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    bundles = [(process.publish(), process.given()) for _ in range(10)]
    killed = tmp_path_factory.mktemp("killed")
    for name, data in files.items():
        (killed / name).write_bytes(data)
    return killed, bundles


@pytest.fixture
def folder(tmp_path: Path, unbroken: Unbroken) -> Path:
    for path in unbroken[0].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path
