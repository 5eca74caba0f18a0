"""Who leads: one controller at a time, by the leases of Knative's own autoscaler."""
