"""Our own annotations, on a revision's template."""

MODE = "kn-ahead.dev/mode"  # what a forecast may do to it
COLD_PRICE = "kn-ahead.dev/cold-price"  # what a cold request is worth, as a duration of idle pod
MAX_COLD_RATE = "kn-ahead.dev/max-cold-rate"  # promised instead of a price: 0.5%, 0.005
MAX_EXTRA = "kn-ahead.dev/max-extra"  # most pod time ahead, of what Knative's rule wants: 20%, 0.2
EXTRA_ALLOWANCE = "kn-ahead.dev/extra-allowance"  # pod time beyond that, as a duration
UPSTREAMS = "kn-ahead.dev/upstreams"  # services that call it
DOWNSTREAM_NAMESPACES = "kn-ahead.dev/downstream-namespaces"  # that it consents to be named in
