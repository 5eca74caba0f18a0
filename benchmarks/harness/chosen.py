"""Contenders by name, with those that are always there: what others are compared with."""

from collections.abc import Sequence

from autoscaler.errors import PermanentError
from benchmarks.policies.contender import Contender
from benchmarks.policies.contenders import contender, contenders
from benchmarks.policies.kn_ahead import KnAhead, OfOthers

KPA, ALWAYS_ON = "KPA", "min-scale"
NEW_SERVICES = "kn-ahead on new services"
REFERENCE = (KPA, ALWAYS_ON)  # their defaults bound the hypervolume


def chosen(names: Sequence[str] = ()) -> list[Contender]:
    """Those named, and `REFERENCE`; () = all. ``module:attribute`` is one of the user's.

    Raises PermanentError where a name is not known.
    """
    known = contenders()
    known[NEW_SERVICES] = KnAhead(NEW_SERVICES, OfOthers())
    for name in names:
        if ":" in name:
            known[name] = contender(name)
        elif name not in known:
            raise PermanentError(f"contender {name!r} is not known; allowed: {', '.join(known)}")
    wanted = dict.fromkeys((*REFERENCE, *(names or known)))
    return [known[name] for name in wanted]
