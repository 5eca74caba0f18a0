"""The fitted model on disk, and what came of its forecasts: a restart need not wait for a fit.

An npz of plain arrays with trees in XGBoost's own format, never pickle, written whole or not at
all.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autoscaler.bundle.checks import LATEST_S, texts_of
from autoscaler.bundle.npz import Arrays, read_npz
from autoscaler.errors import PermanentError
from autoscaler.files import whole_file
from autoscaler.limits import MODEL_BYTES, MODEL_UNPACKED
from learner.calibration.reliability import CENTRES
from learner.calibration.rolling import RollingCalibration
from learner.experts.mixture import Mixture
from learner.experts.recency import MOST_CELLS, PAUSES, Recency
from learner.models.boosting_arrays import arrays_of, boosting_of
from learner.models.pooled import Pooled
from learner.models.upstream import UpstreamPairs

MAGIC = "kn-ahead fitted model"
VERSION = 2  # of the file, and of what columns mean
# What the numbers in the file mean; a learner that counts otherwise cannot use them.
MEANING = f"{len(CENTRES)} bins of log odds from {CENTRES[0]:g} to {CENTRES[-1]:g}"

_ALLOWED = f"a {MAGIC} of version {VERSION}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A model, and what belongs to it."""

    model: Pooled
    recency: Recency
    weights: Arrays  # of the experts, as `Mixture.arrays` has them
    calibration: RollingCalibration
    fitted_at_s: float  # Unix s: end of the demand that it learned from
    step_s: float  # of that demand


def save_fitted(fitted: Fitted, path: Path) -> None:
    """Write it to ``path``, atomically. Raises PermanentError where it cannot be written."""
    pairs = fitted.model.pairs_
    arrays: Arrays = arrays_of(fitted.model.boosting_) | fitted.calibration.arrays()
    arrays |= fitted.weights | {
        "counted_services": np.array(fitted.recency.services_, dtype=np.str_),
        "shares": fitted.recency.shares_,
        "fitted_at_s": np.array(float(fitted.fitted_at_s)),
        "step_s": np.array(float(fitted.step_s)),
        "upstream": np.array(pairs.upstream, dtype=np.str_),
        "service": np.array(pairs.service, dtype=np.str_),
        "lag": pairs.lag,
        "pods_per_request": pairs.pods_per_request,
    }
    with whole_file(path) as file:
        np.savez_compressed(
            file, allow_pickle=False, magic=MAGIC, version=VERSION, meaning=MEANING, **arrays
        )


def load_fitted(path: Path) -> Fitted:
    """Read what `save_fitted` wrote.

    Raises PermanentError, naming the file, where it is missing, foreign, damaged, of another
    version or too large: whoever asks begins anew, and says why.
    """
    arrays = read_npz(path, allowed=_ALLOWED, packed=MODEL_BYTES, unpacked=MODEL_UNPACKED)
    for name, value in (("magic", MAGIC), ("version", str(VERSION)), ("meaning", MEANING)):
        if str(arrays.get(name)) != value:
            held = f"{arrays.get(name)!s:.80}"
            raise PermanentError(f"{path}: {name} is {held}; allowed: {_ALLOWED}, {value}")
    try:
        boosting = boosting_of(arrays)
        weights = {name: arrays[name] for name in Mixture(1, boosting.windows).arrays()}
        Mixture(1, boosting.windows).resume(weights)
        return Fitted(
            model=Pooled.of(boosting, _pairs(arrays)),
            recency=_recency(arrays, boosting.windows),
            weights=weights,
            calibration=RollingCalibration.of_arrays(boosting.windows, arrays),
            fitted_at_s=_seconds(arrays, "fitted_at_s"),
            step_s=_seconds(arrays, "step_s"),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise PermanentError(f"{path}: {error!s:.200}; allowed: {_ALLOWED}") from error


def _pairs(arrays: Arrays) -> UpstreamPairs:
    for name, kind in (
        ("upstream", "U"),
        ("service", "U"),
        ("lag", "i"),
        ("pods_per_request", "f"),
    ):
        array = arrays[name]
        if array.dtype.kind != kind or array.shape != arrays["upstream"].shape or array.ndim != 1:
            raise ValueError(f"{name} is {array.dtype!s:.40} of shape {array.shape}")
    lag, share = arrays["lag"].astype(np.int64), arrays["pods_per_request"].astype(np.float64)
    if (lag < 1).any() or not (np.isfinite(share) & (share >= 0)).all():
        raise ValueError("an upstream has no lag, or brings no number of pods")
    return UpstreamPairs(
        upstream=tuple(texts_of(arrays["upstream"])),
        service=tuple(texts_of(arrays["service"])),
        lag=lag,
        pods_per_request=share,
    )


def _recency(arrays: Arrays, windows: tuple[int, ...]) -> Recency:
    services, shares = texts_of(arrays["counted_services"]), arrays["shares"]
    n_rows, n_windows, n_pauses = len(services) + 1, len(windows) - 1, len(PAUSES) + 1
    cells = range(1, MOST_CELLS + 1)
    if shares.dtype.kind != "f" or shares.shape not in {
        (n_rows, n_cells, n_pauses, n_windows) for n_cells in cells
    }:
        raise ValueError(f"shares is {shares.dtype!s:.40} of shape {shares.shape}")
    if not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError("shares holds a number that cannot be")
    return Recency.of(windows, services, shares.astype(np.float32))


def _seconds(arrays: Arrays, name: str) -> float:
    array = arrays[name]
    if array.dtype.kind != "f" or array.ndim or not 0 < array <= LATEST_S:
        raise ValueError(f"{name} is {array!s:.40}")
    return float(array)
