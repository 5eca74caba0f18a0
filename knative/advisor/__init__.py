"""The advisor's part in the cluster: Events, and authorization of readers of its API."""
