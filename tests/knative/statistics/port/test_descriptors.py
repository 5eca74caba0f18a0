import os
import resource
import subprocess
import sys

import pytest

from autoscaler.limits import SCRAPE_CONNECTIONS
from knative.statistics.port.descriptors import FEWEST, WANTED, plan

ALL = int(SCRAPE_CONNECTIONS.most)


@pytest.mark.parametrize(
    ("soft", "hard", "set_to", "scrapes"),
    [
        (1024, 1_048_576, 1024, ALL),
        (256, 1_048_576, WANTED, ALL),
        (-1, -1, -1, ALL),
        (256, -1, WANTED, ALL),
        (WANTED - 100, WANTED - 100, WANTED - 100, ALL - 50),
        (128, WANTED - 101, WANTED - 101, ALL - 51),
        (64, 64, 64, FEWEST),
    ],
)
def test_the_limit_is_raised_as_far_as_it_takes_and_scrapes_take_what_is_left(
    soft: int, hard: int, set_to: int, scrapes: int
) -> None:
    planned = plan(soft, hard)
    assert (planned.soft, planned.scrapes) == (set_to, scrapes)
    assert planned.missing == (0 if set_to < 0 else max(0, WANTED - set_to))


def test_a_process_with_few_descriptors_gets_more_or_says_how_it_makes_do() -> None:
    """In processes of their own: a limit that was lowered cannot be raised again."""
    code = (
        "import knative.statistics.port.descriptors as d, resource as r\n"
        "print(d.make_room(), *r.getrlimit(r.RLIMIT_NOFILE))"
    )
    said = {}
    for hard in (WANTED + 7, 600):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            cwd=os.getcwd(),  # noqa: PTH109
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard)),  # noqa: B023
        )
        said[hard] = done.stdout.split(), done.stderr
    assert said[WANTED + 7] == ([str(ALL), str(WANTED), str(WANTED + 7)], "")
    counts, warning = said[600]
    assert counts == [str(ALL - (WANTED - 600) // 2), "600", "600"]
    assert f"too few file descriptors allowed=600 most_needed={WANTED} " in warning
