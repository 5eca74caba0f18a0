"""Contenders by name, with those that are always there: what others are compared with."""

from collections.abc import Iterator, Sequence

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
    known = _known()
    for name in names:
        if ":" in name:
            known[name] = contender(name)
        elif name not in known:
            raise PermanentError(f"contender {name!r} is not known; allowed: {', '.join(known)}")
    wanted = dict.fromkeys((*REFERENCE, *(names or known)))
    return [known[name] for name in wanted]


def names_in(text: str) -> Iterator[str]:
    """Names with commas between; one that has a comma itself is found, if it is known."""
    known, pieces = _known(), [piece for piece in text.split(",") if piece.strip()]
    while pieces:
        joined = [",".join(pieces[:n]).strip() for n in range(len(pieces), 0, -1)]
        name = next((one for one in joined if one in known), joined[-1])
        yield name
        pieces = pieces[name.count(",") + 1 :]


def _known() -> dict[str, Contender]:
    return contenders() | {NEW_SERVICES: KnAhead(NEW_SERVICES, OfOthers())}
