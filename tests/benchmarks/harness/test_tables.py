"""Documents have the table that was recorded, made by the command."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from autoscaler.errors import PermanentError
from benchmarks.commands import app
from benchmarks.harness.tables import BEGIN, END, brief, put_into, read_recorded, short

ROOT = Path(__file__).parents[3]
RECORDED = ROOT / "benchmarks/harness/recorded.json"
DOCUMENTS = [
    path
    for path in (*ROOT.glob("*.md"), *(ROOT / "benchmarks").glob("*.md"))
    if BEGIN in path.read_text(encoding="utf-8")
]


def test_a_document_has_the_table() -> None:
    assert "REPEAT.md" in [path.name for path in DOCUMENTS]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_tables_in_documents_are_what_was_recorded(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert put_into(text, short(read_recorded(RECORDED))) == text


def test_what_was_recorded_is_brief() -> None:
    recorded = read_recorded(RECORDED)
    assert brief(recorded) == recorded


def test_the_table_replaces_what_stands_between_the_marks(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    found = CliRunner().invoke(app, ["bench", "table", str(RECORDED), "--into", str(document)])
    assert found.exit_code == 0
    table = short(read_recorded(RECORDED))
    assert document.read_text() == f"before\n{BEGIN}\n{table}{END}\nafter\n"


def test_a_document_without_marks_is_refused() -> None:
    with pytest.raises(PermanentError, match="lacks marks; allowed"):
        put_into("text", "table")
