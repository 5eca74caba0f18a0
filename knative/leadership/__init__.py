"""Leader election by the leases of Knative's own autoscaler."""
