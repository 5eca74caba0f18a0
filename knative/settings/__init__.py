"""What the cluster and its users ask for: ConfigMaps and annotations, read within bounds."""
