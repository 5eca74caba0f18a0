"""The only room that speaks to a cluster."""
