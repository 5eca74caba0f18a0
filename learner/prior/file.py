"""A prior on disk: an npz of plain arrays, with trees in XGBoost's own format, never pickle."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autoscaler.bundle.npz import Arrays, read_npz
from autoscaler.errors import PermanentError
from autoscaler.files import whole_file
from autoscaler.limits import MODEL_BYTES, MODEL_UNPACKED
from learner.models.boosting import Boosting, TrainingSet
from learner.models.boosting_arrays import arrays_of, boosting_of
from learner.models.columns import LevelFeatures
from learner.models.pooled import Pooled
from learner.models.rows import DrawnRows, LevelRows

MAGIC = "kn-ahead prior"
VERSION = 1  # of the file and of what its columns mean
SHIPPED = Path(__file__).with_name("prior.npz")
NAME = "prior"  # of the model, in bundles
MOST_SETS = 16  # of rows: as many arrays as an archive may hold
MOST_VALUE = float(np.finfo(np.float16).max)
ANY_STEP = 0.0  # s, of a prior that knows made services alone

_ALLOWED = f"a {MAGIC} of version {VERSION}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """Fitted trees, and the step of the demand that they learned from."""

    boosting: Boosting
    step_s: float  # s; `ANY_STEP` = whatever the step
    rows: tuple[TrainingSet, ...] = ()
    """Some rows of each demand that it learned from, for fits to learn beside those of their own
    cluster; of the columns that trees ask for."""

    def model(self, *, windows: tuple[int, ...], step_s: float) -> Pooled:
        """The model that answers for these windows and this step.

        Raises PermanentError where the prior learned others.
        """
        if self.boosting.windows != windows:
            raise PermanentError(
                f"the prior has the windows {self.boosting.windows}; allowed: {windows}, as asked"
            )
        if self.step_s not in {ANY_STEP, step_s}:
            raise PermanentError(
                f"the prior has steps of {self.step_s:g} s; allowed: {step_s:g} s, as asked"
            )
        return Pooled.of(self.boosting, name=NAME)


def save_prior(prior: Prior, path: Path) -> None:
    """Write it to ``path``, atomically. Raises PermanentError where it cannot be written."""
    arrays = arrays_of(prior.boosting) | {"step_s": np.array(prior.step_s)}
    for place, each in enumerate(prior.rows):
        values = np.clip(each.features.values, -MOST_VALUE, MOST_VALUE)
        arrays[f"values_{place}"] = values.astype(np.float16)
        arrays[f"outcome_{place}"] = each.drawn.outcome
        arrays[f"offset_{place}"] = each.drawn.offset
    with whole_file(path) as file:
        np.savez_compressed(file, allow_pickle=False, magic=MAGIC, version=VERSION, **arrays)


def load_prior(path: Path = SHIPPED) -> Prior:
    """Read what `save_prior` wrote.

    Raises PermanentError, naming the file, where it is missing, foreign, damaged, of another
    version or too large.
    """
    arrays = read_npz(path, allowed=_ALLOWED, packed=MODEL_BYTES, unpacked=MODEL_UNPACKED)
    for name, value in (("magic", MAGIC), ("version", str(VERSION))):
        if str(arrays.get(name)) != value:
            raise PermanentError(f"{path}: {name} is {arrays.get(name)!s:.80}; allowed: {_ALLOWED}")
    try:
        step_s = arrays["step_s"]
        if step_s.dtype.kind != "f" or step_s.ndim or not 0 <= step_s < np.inf:
            raise ValueError(f"step_s is {step_s!s:.40}")
        boosting = boosting_of(arrays)
        rows = tuple(
            _rows(arrays, place, boosting)
            for place in range(MOST_SETS)
            if f"values_{place}" in arrays
        )
        return Prior(boosting=boosting, step_s=float(step_s), rows=rows)
    except (ValueError, TypeError, KeyError) as error:
        raise PermanentError(f"{path}: {error!s:.200}; allowed: {_ALLOWED}") from error


def _rows(arrays: Arrays, place: int, boosting: Boosting) -> TrainingSet:
    """Raises ValueError or KeyError where arrays do not fit each other."""
    values, outcome, offset = (
        arrays[f"{name}_{place}"] for name in ("values", "outcome", "offset")
    )
    n_windows = len(boosting.windows) - 1
    shapes = (values.shape[1:], outcome.shape, offset.shape)
    if shapes != ((len(boosting.columns_),), (len(values), n_windows), (n_windows,)):
        raise ValueError(f"rows {place} do not fit columns and windows")
    if (values.dtype, outcome.dtype, offset.dtype) != (np.float16, np.int8, np.float64):
        raise ValueError(f"rows {place} are of other kinds of numbers")
    if (
        np.isinf(values).any()
        or not np.isfinite(offset).all()
        or not np.isin(outcome, [-1, 0, 1]).all()
    ):
        raise ValueError(f"rows {place} hold a number that cannot be")
    nowhere = np.zeros(len(values), dtype=np.int64)
    return TrainingSet(
        features=LevelFeatures(names=boosting.columns_, values=values.astype(np.float32)),
        drawn=DrawnRows(
            rows=LevelRows(service=nowhere, cell=nowhere, origin=nowhere),
            outcome=outcome,
            offset=offset,
        ),
    )
