"""The command `kn-ahead`: the controller starts before anything that it does not need is read."""

import sys
from importlib import import_module


def main() -> None:
    """Run the command line."""
    if sys.argv[1:2] == ["controller"]:
        # By name: this room is below that one, and knows no more of it than its command.
        sys.exit(import_module("knative.controller.__main__").main(sys.argv[2:]))
    if sys.argv[1:2] == ["advisor"] and "--keep" in sys.argv:
        from autoscaler.keeper import keep_this  # noqa: PLC0415

        sys.exit(keep_this("advisor", "--keep"))
    from autoscaler.cli import main as commands  # noqa: PLC0415

    commands()


if __name__ == "__main__":
    main()
