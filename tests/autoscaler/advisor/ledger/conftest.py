from pathlib import Path

import pytest

from autoscaler.core.state.revision import Mode
from tests.autoscaler.advisor.controller import Controller
from tests.autoscaler.advisor.ledger.counting import BEGIN_S, CART, spec


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    controller = Controller(tmp_path, begin_s=BEGIN_S)
    controller.has(f"{CART}-1", spec=spec(Mode.FULL))
    return controller
