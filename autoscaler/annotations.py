"""Our own annotations, on a revision's template."""

MODE = "kn-ahead.dev/mode"  # what a forecast may do to it
COLD_PRICE = "kn-ahead.dev/cold-price"  # what a cold request is worth, as a duration of idle pod
UPSTREAMS = "kn-ahead.dev/upstreams"  # services that call it
DOWNSTREAM_NAMESPACES = "kn-ahead.dev/downstream-namespaces"  # that it consents to be named in
