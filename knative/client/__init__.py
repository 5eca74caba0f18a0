"""A client of the Kubernetes API: `outline`, `answers` (reading within limits) → `api`.

`port_forward` leads the command line to the autoscaler in a cluster.
"""
