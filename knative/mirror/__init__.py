"""Caches of the cluster's objects, one for each kind, with only the fields that are needed.

`fields`, `annotation_names` → `objects`, `conditions`, `routes`, `reporters` → `pods`, `quota` →
`cache`. Imports the API client.
"""
