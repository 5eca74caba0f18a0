"""What we keep of the cluster's objects, kept current: one cache a kind, list then watch.

`fields`, `annotation_names` → `objects`, `conditions`, `routes`, `reporters` → `pods`, `quota` →
`cache`. Imports the API client.
"""
