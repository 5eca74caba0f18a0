"""Names of services as they come in from outside: "namespace/name", and nothing that could be more.

What Kubernetes allows is narrower. Traces and series outside have names of their own making, so
only what no name can hold is refused: control characters, spaces, a second slash.
"""

from autoscaler.limits import SERVICE_NAME

SHOWN = 60  # characters of a wrong name that are shown


def fault_of_name(name: str) -> str:
    """What keeps a text from being "namespace/name"; "" = nothing does."""
    if len(name) > SERVICE_NAME.most:
        return f"a name of {len(name)} characters; allowed: up to {SERVICE_NAME.most:.0f}"
    namespace, _, service = name.partition("/")
    if not (namespace and service) or "/" in service or " " in name or not name.isprintable():
        return "no namespace/name"
    return ""


def shown_name(name: str) -> str:
    """A name for messages, however wrong it is.

    >>> shown_name("shop/cart"), shown_name("shop/\\x1b[2J")
    ('shop/cart', "'shop/\\\\x1b[2J'")
    """
    name = name if len(name) <= SHOWN else f"{name[:SHOWN]}..."
    return name if name.isprintable() else ascii(name)
