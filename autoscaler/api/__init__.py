"""The REST API: what was forecast and decided, and why. It reads, and changes nothing."""
