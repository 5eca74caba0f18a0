"""The prior: what is known of services in general, before any of a cluster's own are fitted.

`fitting` makes one of made services and of demand given; `file` writes and reads it. The one that
ships is ``prior.npz``; ``PRIOR.md`` beside it says what it was made of, by which command, and how
it scores.
"""
