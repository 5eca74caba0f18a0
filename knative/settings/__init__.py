"""What the cluster and its users ask for: ConfigMaps and annotations, read within bounds.

`quantities` (Go's text forms) → `cluster`, `network`, `election` (ConfigMaps) → `annotations` (a
revision's own). Imports `mirror`.
"""
