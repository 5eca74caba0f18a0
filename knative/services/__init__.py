"""The settings of a cluster's services, read once with the right to look and no other.

`listing` (objects, and errors for people) → `pods` (start-up, and what a pod requests) → `reader`
(each service's settings). The rights are those of `knative/manifests/whatif.yaml`.
"""
