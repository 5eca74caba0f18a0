"""Validation of "namespace/name" from outside.

Kubernetes allows less, but names of traces and of external series are arbitrary: only control
characters, spaces and a second slash are refused.
"""

from autoscaler.limits import SERVICE_NAME

SHOWN = 60  # characters of a name in messages


def fault_of_name(name: str) -> str:
    """Why a text is no "namespace/name"; "" = it is one."""
    if len(name) > SERVICE_NAME.most:
        return f"a name of {len(name)} characters; allowed: up to {SERVICE_NAME.most:.0f}"
    namespace, _, service = name.partition("/")
    if not (namespace and service) or "/" in service or " " in name or not name.isprintable():
        return "no namespace/name"
    return ""


def shown_name(name: str) -> str:
    """Any name, shortened and printable, for messages.

    >>> shown_name("shop/cart"), shown_name("shop/\\x1b[2J")
    ('shop/cart', "'shop/\\\\x1b[2J'")
    """
    name = name if len(name) <= SHOWN else f"{name[:SHOWN]}..."
    return name if name.isprintable() else ascii(name)
