"""Who pulls whom, learned from what each service shows by itself: no tracing needed."""
