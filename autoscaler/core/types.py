"""The array types the rooms speak in; shape and unit stand where an array is declared."""

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Curves = npt.NDArray[np.floating[Any]]  # probabilities: single precision does
