"""Documents are held against the code: what they name is there."""

import ast
import re
from functools import cache
from itertools import chain
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


# --- the glossary -------------------------------------------------------------------------------


def glossary() -> list[tuple[list[str], list[str]]]:
    """Of each row, the names that stand for it in the code, and the words that must not."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = text.split("## Glossary")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")]
    return [(re.findall(r"`(\w+)`", row[2]), re.findall(r"\w+", row[3])) for row in rows[2:]]


@cache
def identifiers() -> frozenset[str]:
    """Every name in the product: of modules, classes, functions, arguments, variables."""
    found: set[str] = set()
    for path in chain.from_iterable((ROOT / room).rglob("*.py") for room in ROOMS[:4]):
        found.add(path.stem)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            fields = (getattr(node, field, None) for field in ("name", "id", "attr", "arg"))
            found.update(field for field in fields if isinstance(field, str))
    return frozenset(found)


def words_of(name: str) -> set[str]:
    return {name, *(word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name))}


def test_the_glossary_s_names_are_those_of_the_code() -> None:
    assert len(glossary()) > 20
    assert {name for names, _ in glossary() for name in names} - identifiers() == set()


def test_no_name_in_the_code_has_a_word_that_the_glossary_replaces() -> None:
    replaced = {word for _, words in glossary() for word in words}
    assert len(replaced) > 20
    assert {name: found for name in identifiers() if (found := words_of(name) & replaced)} == {}
