"""A controller that counts, and what a ledger knows of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.advisor.ledger.comparison import Compared
from autoscaler.advisor.ledger.table import merged
from autoscaler.advisor.read_model import ReadModel
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Mode
from tests.autoscaler.advisor.controller import Controller

BEGIN_S = 1_772_442_000.0  # 2026-03-02T09:00:00Z
HOUR_S, DAY_S = 3600.0, 86_400.0
CART, TILL = "shop/cart", "shop/till"


def spec(mode: Mode) -> Any:
    return replace(KNATIVE_DEFAULTS, mode=mode)


def begins_anew(controller: Controller, folder: Path) -> Controller:
    """Another process of the controller, whose sums begin at zero."""
    new = Controller(folder, begin_s=controller.begin_s)
    new.model = controller.model
    new.has(f"{CART}-1", spec=spec(Mode.FULL))
    return new


def known(model: ReadModel, service: str = CART, *modes: Mode, column: str = "requests") -> float:
    """A sum of all that is known of a service, while in some modes or in any."""
    days = model.ledger.days(0.0, float("inf"))
    rows = Compared.of(merged(days, start_s=0.0, length_s=0.0))
    chosen = [
        name == service and (not modes or Mode(int(mode)) in modes)
        for name, mode in zip(rows.services, rows.mode, strict=True)
    ]
    return rows.together(np.array(chosen, dtype=np.bool_)).total(column)


def covered(model: ReadModel) -> float:
    return sum(table.covered_s for table in model.ledger.hours(0.0, float("inf")))
