"""The REST API: what was forecast and decided, and why. It reads the board, changes nothing."""
