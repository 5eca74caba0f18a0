"""What activators report: who may speak, what is taken of it, and to whom it is passed on."""
