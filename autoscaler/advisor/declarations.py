"""What services declare about edges, in annotations of their revisions.

`kn-ahead.dev/upstreams` names the services that call this one: "cart" of its own namespace or
"shop/cart" of another, separated by commas. `kn-ahead.dev/downstream-namespaces` names the
namespaces whose services may be started ahead when this one is called, or is "*" for all.

Everybody who may create a service may write these texts, so they are bounded before they are
parsed. An invalid name is left out and reported; the others count.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from autoscaler import limits
from autoscaler.annotations import DOWNSTREAM_NAMESPACES, UPSTREAMS
from autoscaler.core.state.revision import Mode

EVERY_NAMESPACE = "*"
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LONGEST_NAME = 63  # characters of a namespace's or a Knative service's name
SHOWN = 60  # characters of an invalid name in a report
WRONG_NAMES = 3  # invalid names of one annotation that are reported

_UPSTREAM = "another service, as name or namespace/name, with commas between several"
_NAMESPACE = "namespaces with commas between, or *"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What one revision declares.

    Of a text longer than ANNOTATION_CHARS the first ANNOTATION_CHARS + 1 characters are enough.
    """

    upstreams: str = ""  # text of the annotation; "" = there is none
    downstream_namespaces: str = ""  # text of the annotation; "" = there is none
    mode: Mode = Mode.SHADOW


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongName:
    """An invalid name in an annotation, which is left out."""

    service: str  # "namespace/service"
    annotation: str
    name: str  # its beginning
    allowed: str

    def __str__(self) -> str:
        return (
            f"{self.service}: {self.annotation} names {self.name!r}, which is left out; "
            f"allowed: {self.allowed}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names in one annotation of all revisions of a service, each once."""

    names: tuple[str, ...]
    wrong: tuple[WrongName, ...]
    excess: Counter[str]  # names left out, by the name of the limit


class Declared:
    """The declarations of a fleet's services, parsed."""

    def __init__(self, declared: Mapping[str, Sequence[Declaration]]) -> None:
        self.present: set[str] = set()  # services with a revision
        self.off: set[str] = set()  # services whose revisions are all in mode off
        self.upstreams: dict[str, tuple[str, ...]] = {}  # by service
        self.consents: dict[str, frozenset[str]] = {}  # namespaces, by service
        self.excess: Counter[str] = Counter()  # names left out, by the name of the limit
        wrong: list[WrongName] = []
        for service, revisions in sorted(declared.items()):
            if not revisions:
                continue
            self.present.add(service)
            if all(revision.mode == Mode.OFF for revision in revisions):
                self.off.add(service)
            ups = upstream_names(service, (r.upstreams for r in revisions))
            downs = downstream_namespaces(service, (r.downstream_namespaces for r in revisions))
            if ups.names:
                self.upstreams[service] = ups.names
            if downs.names:
                self.consents[service] = frozenset(downs.names)
            self.excess += ups.excess + downs.excess
            wrong += ups.wrong + downs.wrong
        self.wrong_names = tuple(wrong)

    def consent(self, upstream: str, namespace: str) -> bool:
        """Whether a service consents to be an upstream of services of a namespace."""
        names = self.consents.get(upstream, frozenset())
        return namespace in names or EVERY_NAMESPACE in names


def upstream_names(service: str, texts: Iterable[str]) -> Names:
    """The upstreams that a service names: "namespace/service" each."""
    home = service.partition("/")[0]

    def name_of(word: str) -> str | None:
        namespace, slash, name = word.rpartition("/")
        fits = _is_name(name) and (not slash or _is_name(namespace))
        full = word if slash else f"{home}/{word}"
        return full if fits and full != service else None

    return _read(service, UPSTREAMS, texts, name_of, limits.UPSTREAM_NAMES)


def downstream_namespaces(service: str, texts: Iterable[str]) -> Names:
    """Namespaces that a service consents to, or `EVERY_NAMESPACE`."""

    def name_of(word: str) -> str | None:
        return word if word == EVERY_NAMESPACE or _is_name(word) else None

    return _read(service, DOWNSTREAM_NAMESPACES, texts, name_of, limits.CONSENT_NAMES)


def _is_name(word: str) -> bool:
    return len(word) <= LONGEST_NAME and NAME.fullmatch(word) is not None


def _read(
    service: str,
    annotation: str,
    texts: Iterable[str],
    name_of: Callable[[str], str | None],
    most: limits.Limit,
) -> Names:
    names: dict[str, None] = {}
    wrong: dict[str, None] = {}
    excess: Counter[str] = Counter()
    for text in dict.fromkeys(texts):
        if len(text) > limits.ANNOTATION_CHARS.most:
            excess[limits.ANNOTATION_CHARS.name] += 1
            wrong[text[:SHOWN]] = None
            continue
        words = text.split(",") if text else []
        excess[most.name] += max(0, len(words) - int(most.most))
        for word in (word.strip() for word in words[: int(most.most)]):
            name = name_of(word)
            if name is None:
                wrong[word[:SHOWN]] = None
            elif len(names) < most.most or name in names:
                names[name] = None
            else:
                excess[most.name] += 1
    allowed = _UPSTREAM if annotation == UPSTREAMS else _NAMESPACE
    return Names(
        names=tuple(names),
        wrong=tuple(
            WrongName(service=service, annotation=annotation, name=name, allowed=allowed)
            for name in list(wrong)[:WRONG_NAMES]
        ),
        excess=+excess,
    )
