"""`kn-ahead forecast` on a real Prometheus: picture, check, page, and what is refused."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from autoscaler.cli.main import app
from tests.e2e.made_prometheus import end_of, made_prometheus

DAYS = 0.5
END = end_of(DAYS)
REGULAR = "shop/regular-001"


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Six made services over half a day."""
    folder = tmp_path_factory.mktemp("prometheus")
    with made_prometheus(folder, 6, DAYS) as url:
        yield url


def forecast(url: str, folder: Path, *more: str) -> Result:
    given = {"prometheus": url, "history": "12h", "end": END, "check": "2h"}
    given |= {"fit-rows": "2000", "fit-rounds": "10", "report": str(folder / "page.html")}
    options = [word for name, value in given.items() for word in (f"--{name}", value)]
    return CliRunner().invoke(app, ["forecast", *options, *more])


@pytest.fixture(scope="module")
def answer(prometheus: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """What the command said of a service, and its page."""
    folder = tmp_path_factory.mktemp("answer")
    result = forecast(prometheus, folder, "--service", REGULAR, "--price", "300")
    assert result.exit_code == 0, result.output
    return result.stdout, (folder / "page.html").read_text()


def test_the_picture_shows_past_windows_and_pods(answer: tuple[str, str]) -> None:
    said, _ = answer
    assert f"{REGULAR}, the last 24 h: requests in flight at once, up to " in said
    assert re.search(r"^[▁▂▃▄▅▆▇█]+$", said, re.MULTILINE)
    assert re.search(r"^Ahead, by pooled \d+ %, recency \d+ %, prior \d+ %$", said, re.MULTILINE)
    (heads,) = (line.split() for line in said.splitlines() if line.startswith("MINUTES"))
    assert heads[-8:] == ["P50", "P90", "P99", "any", "pods", "at", "300", "s"]
    rows = re.findall(r"^ *(\d+-\d+)  .*  [\d.]+ %  +\d+$", said, re.MULTILINE)
    assert rows == ["0-1", "1-2", "2-5", "5-15", "15-60"]


def test_what_was_promised_stands_beside_what_came(answer: tuple[str, str]) -> None:
    said, page = answer
    assert f"{REGULAR}: promised and came, last 2.0 hours" in page
    rows = re.findall(r"(\d+)-(\d+) +(\d+) +([\d.]+) % +([\d.]+) % +([\d.]+) %", said)
    assert len(rows) == 5
    for begin, end, checked, *covered in rows:
        assert 120 - int(end) <= int(checked) <= 120 - int(begin)  # later ones have not yet come
        assert all(0 <= float(share) <= 100 for share in covered)
        assert float(covered[0]) < float(covered[2])


def test_the_page_holds_the_same_with_past_and_future_on_one_axis(answer: tuple[str, str]) -> None:
    _, page = answer
    assert f"What is ahead of {REGULAR}" in page
    assert "kn-ahead @ 300 s" in page
    assert "Cold requests" not in page
    assert not re.findall(r'<(?:script|link|img|iframe)|src=|href="http', page)


def test_a_query_of_ones_own_is_one_service(prometheus: str, tmp_path: Path) -> None:
    query = "rate(kn_serving_invocation_duration_seconds_count[3m])"
    result = forecast(prometheus, tmp_path, "--query", query)
    assert result.exit_code == 0, result.output
    assert "query/query, the last 24 h" in result.stdout
    assert "counted by your own query" in result.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--service", "shop/reglar-001"], f"did you mean {REGULAR}"),
        (["--service", REGULAR, "--query", "up"], "query is given beside service or source"),
        (["--price", "-1"], "price is -1; allowed: seconds of idle pod >= 0"),
        (["--check", "0s"], "check is less than a step; allowed: >= 60s"),
        (["--history", "soon"], "time 'soon' is not understood"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    prometheus: str, tmp_path: Path, options: list[str], said: str
) -> None:
    result = forecast(prometheus, tmp_path, *options)
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.output.split())
    assert not list(tmp_path.iterdir())
