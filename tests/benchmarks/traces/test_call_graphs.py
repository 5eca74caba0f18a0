"""Recorded call graphs that cannot be read."""

import gzip
from pathlib import Path

import pytest

from autoscaler.errors import PermanentError
from benchmarks.traces.call_graphs import read_graphs


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no gzip", "cannot be read"),
        (gzip.compress(b"{", mtime=0), "damaged"),
        (gzip.compress(b'{"service": "a"}', mtime=0), "holds no call graphs"),
        (gzip.compress(b'{"service": "a", "edges": []}', mtime=0)[:-6], "damaged"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "graphs.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(PermanentError, match=f"graphs.jsonl.gz {words}|graphs.jsonl.gz is {words}"):
        read_graphs(path)
