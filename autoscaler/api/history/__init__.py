"""What became of a service of late: `answers`, `readings`, the `picture`, `routes`."""
