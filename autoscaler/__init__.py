"""Decides how many pods each Knative revision has, and serves the API that says why."""
