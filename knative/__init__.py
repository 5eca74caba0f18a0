"""The only package that accesses a cluster.

`client` → `mirror` (caches of objects) → `settings`, `statistics`, `leadership` →
`controller`; `advisor` is the advisor's part. Imports `autoscaler`, never `learner`.
"""
