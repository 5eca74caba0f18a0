"""How many examples a law draws: some in `make test`, many in `make fuzz`."""

import os

FUZZING = "KN_AHEAD_FUZZ_EXAMPLES" in os.environ


def examples(few: int, *, many: int) -> int:
    """For Hypothesis. `few` is enough where it finds faults that are made on purpose."""
    return many if FUZZING else few
