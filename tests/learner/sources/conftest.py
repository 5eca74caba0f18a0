"""A Prometheus with answers that a test sets."""

from collections.abc import Iterator

import pytest

from tests.learner.sources.fake_prometheus import FakePrometheus, fake_prometheus


@pytest.fixture
def server() -> Iterator[FakePrometheus]:
    with fake_prometheus() as fake:
        yield fake
