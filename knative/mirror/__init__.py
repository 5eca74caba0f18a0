"""What we keep of the cluster's objects, kept current: one cache a kind, list then watch."""
