import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from benchmarks.report.figures import Curve, Timeline
from benchmarks.report.page import Report, Section, write_report
from benchmarks.report.plots import INK, MOST_POINTS


def a_timeline(n_steps: int = 300, *, step_s: float = 60.0, service: str = "shop/cart") -> Timeline:
    random = np.random.default_rng(0)
    mean: FloatArray = 40 * (1.1 + np.sin(np.arange(n_steps) / 40))
    peak = random.poisson(mean).astype(np.float64)
    peak[: n_steps // 10] = np.nan
    cold: FloatArray = random.poisson(0.1, n_steps).astype(np.float64)
    return Timeline(
        service=service,
        start_s=1_772_442_000.0,
        step_s=step_s,
        peak=peak,
        band=((0.5, mean), (0.9, mean * 1.3), (0.99, mean * 1.6)),
        pods=(("KPA", np.ceil(mean / 10)), ("kn-ahead", np.ceil(mean / 9))),
        cold=(("KPA", cold), ("kn-ahead", np.zeros(n_steps))),
    )


def a_report(timelines: tuple[Timeline, ...] = (a_timeline(),), title: str = "Replay") -> Report:
    ours = Curve(
        name="kn-ahead",
        normalised_memory=np.array([1.2, 2.0, 4.0]),
        cold_rate=np.array([0.05, 0.004, 0.0001]),
        labels=("60 s", "600 s", "6000 s"),
        line=True,
    )
    oracle = Curve(
        name="oracle",
        normalised_memory=np.array([1.0]),
        cold_rate=np.array([0.0]),
        labels=("knows the future",),
        line=False,
    )
    return Report(
        title=title,
        facts=(("Seed", "7"),),
        columns=("Policy", "Cold requests"),
        rows=(("KPA", "9,812"), ("kn-ahead", "312")),
        curves=(ours, oracle),
        timelines=timelines,
        notes=("The shop is synthetic.",),
    )


def written(report: Report, folder: Path) -> str:
    path = folder / "report.html"
    write_report(report, path)
    return path.read_text()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A report of two timelines, as written."""
    two = (a_timeline(), a_timeline(service="shop/browse"))
    return written(a_report(two), tmp_path_factory.mktemp("report"))


class Ids(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.extend(value or "" for name, value in attrs if name == "id")


def test_shows_facts_table_and_notes(page: str) -> None:
    for text in ("Seed", "9,812", "The shop is synthetic.", "<h1>Replay</h1>"):
        assert text in page


def test_every_plot_names_its_axes_units_and_policies(page: str) -> None:
    assert page.count("<figcaption>") == 3
    assert page.count("<svg") == page.count('<div class="wide">') * 2 == 6  # and one for a phone
    pictures = re.findall(r'<div class="(\w+)"><svg[^>]*viewBox="0 0 ([\d.]+) ', page)
    assert {kind for kind, width in pictures if float(width) <= 360} == {"narrow"}
    for text in (
        "Cold requests, % of all requests",
        "Normalised memory: allocated / used (1 is ideal)",
        "Requests in flight at once",
        "Time, UTC",
        "forecast, 50\N{EN DASH}90 %",
        "6000 s",
        "knows the future",
    ):
        assert f">{text}</text>" in page


def test_loads_nothing_and_runs_nothing(page: str) -> None:
    assert not re.findall(r"<(?:script|link|img|iframe|image)\b|@import", page)
    outside = set(re.findall(r'(?:href|src)="([^#"][^"]*)"|url\(([^#][^)]*)\)', page))
    assert outside == set()


def test_follows_the_reader_from_light_to_dark(page: str) -> None:
    figures = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert INK not in figures
    used = set(re.findall(r"var\(--([\w-]+)\)", figures))
    assert {"ink", "series-0", "band"} <= used
    light, dark = re.findall(r":root \{(.*?)\}", page, flags=re.DOTALL)
    for name in used:
        assert f"--{name}:" in light
        assert f"--{name}:" in dark
    assert re.findall(r"(?:fill|stroke): #\w+", figures) == []


def test_no_id_stands_twice_in_the_page(page: str) -> None:
    ids = Ids()
    ids.feed(page)
    assert ids.seen
    assert len(ids.seen) == len(set(ids.seen))


def test_the_same_report_is_the_same_file(tmp_path: Path) -> None:
    assert written(a_report(), tmp_path) == written(a_report(), tmp_path)


def test_texts_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    nasty = "</title><b onload=x>$\\alpha$&"
    report = a_report((a_timeline(service=nasty),), title=nasty)
    page = written(report, tmp_path)
    assert nasty not in page
    assert "<b onload" not in page


def test_many_steps_make_a_small_page_that_states_how_they_were_drawn(tmp_path: Path) -> None:
    long = a_timeline(40 * MOST_POINTS, step_s=2.0)
    page = written(a_report((long,)), tmp_path)
    assert len(page) < 1_500_000
    assert "Each point shows the greatest within 80 s, each tick the sum." in page


def test_a_short_crest_survives_the_thinning(tmp_path: Path) -> None:
    calm = a_timeline(10 * MOST_POINTS)
    calm.peak[12_345] = 5000.0
    ticks = re.findall(r">(\d+)</text>", written(a_report((calm,)), tmp_path))
    assert max(map(int, ticks)) >= 4000


@pytest.mark.parametrize("n_steps", [1, 2, MOST_POINTS, MOST_POINTS + 1])
def test_draws_any_number_of_steps(tmp_path: Path, n_steps: int) -> None:
    assert "<svg" in written(a_report((a_timeline(n_steps),)), tmp_path)


def test_draws_a_service_that_nobody_called_and_nobody_forecast(tmp_path: Path) -> None:
    nothing = np.full(50, np.nan)
    quiet = Timeline(
        service="jobs/nightly",
        start_s=0.0,
        step_s=60.0,
        peak=nothing,
        band=(),
        pods=(("KPA", np.zeros(50)),),
        cold=(),
    )
    assert "jobs/nightly over time" in written(a_report((quiet,)), tmp_path)


def test_draws_curves_without_a_cold_request(tmp_path: Path) -> None:
    perfect = Curve(
        name="kn-ahead",
        normalised_memory=np.array([1.0, np.nan]),
        cold_rate=np.array([0.0, np.nan]),
        labels=("60 s", "never ran"),
        line=True,
    )
    report = Report(
        title="Quiet", facts=(), columns=(), rows=(), curves=(perfect,), timelines=(), notes=()
    )
    page = written(report, tmp_path)
    assert ">60 s</text>" in page
    assert "never ran" not in page


def test_a_series_of_another_length_is_refused() -> None:
    with pytest.raises(PermanentError, match=r"'shop/cart': KPA has shape \(3,\); allowed: \(5,\)"):
        Timeline(
            service="shop/cart",
            start_s=0.0,
            step_s=60.0,
            peak=np.zeros(5),
            band=(),
            pods=(("KPA", np.zeros(3)),),
            cold=(),
        )


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match=r"nowhere/report\.html cannot be written"):
        write_report(a_report(), tmp_path / "nowhere" / "report.html")


def test_nothing_half_written_is_left_behind(tmp_path: Path) -> None:
    taken = tmp_path / "report.html"
    taken.mkdir()  # a folder cannot be replaced by a file
    with pytest.raises(PermanentError):
        write_report(a_report(), taken)
    assert list(tmp_path.iterdir()) == [taken]


def test_as_markdown_it_is_the_same_texts_and_tables(tmp_path: Path) -> None:
    said = ("Fewer requests would be cold.", "For as many pods.")
    lost = Section("Services", ("service", "cold"), (("shop/a|b", "3"),))
    path = tmp_path / "report.md"
    write_report(replace(a_report(), said=said, sections=(lost,)), path)
    assert (
        path.read_text()
        == """# Replay

**Fewer requests would be cold.**

For as many pods.

* Seed: 7

## Policies compared

| Policy | Cold requests |
| --- | ---: |
| KPA | 9,812 |
| kn-ahead | 312 |

## Services

| service | cold |
| --- | ---: |
| shop/a\\|b | 3 |

* The shop is synthetic.
"""
    )
