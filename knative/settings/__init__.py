"""Settings of the cluster and its users: ConfigMaps and annotations, read within bounds.

`quantities` (Go's text forms) → `cluster`, `network`, `election` (ConfigMaps) → `annotations` (a
revision's own). Imports `mirror`.
"""
