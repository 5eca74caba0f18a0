"""Documents are held against the code: what they name is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("autoscaler/", "knative/", "learner/", "benchmarks/", "tests/", ".ci/")
DOCUMENTS = sorted(ROOT.glob("*.md"))


def named(document: Path) -> list[str]:
    """Paths in backticks."""
    words = re.findall(r"`([\w./*-]+)`", document.read_text(encoding="utf-8"))
    return [word for word in words if word.startswith(ROOMS) and "://" not in word]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_files_and_folders_that_it_names_are_there(document: Path) -> None:
    there = {name: any(ROOT.glob(name)) or any(ROOT.glob(f"{name}.py")) for name in named(document)}
    assert [name for name, found in there.items() if not found] == []


def test_the_map_is_read() -> None:
    assert len(named(ROOT / "ARCHITECTURE.md")) > 30
