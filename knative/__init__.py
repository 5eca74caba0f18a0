"""The only room that speaks to a cluster.

`client` → `mirror` (objects as we keep them) → `settings`, `statistics`, `leadership` →
`controller`; `advisor` is the advisor's part. Imports `autoscaler`, never `learner`.
"""
