"""What the advisor has to do with the cluster: Events, and who may ask its API."""
