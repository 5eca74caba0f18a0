"""The command `kn-ahead`: starts the controller without importing what it does not need."""

import sys
from importlib import import_module

from autoscaler.cli.exit_codes import ExitCode

ROOMS = ("autoscaler", "benchmarks", "knative", "learner")


def kubectl_plugin() -> None:
    """Run the command line as `kubectl ahead`; kn finds `kn-ahead` as `kn ahead` by its name."""
    main("kubectl ahead")


def main(program: str = "kn-ahead") -> None:
    """Run the command line; a missing library of an extra is reported in one line.

    program: how it was called, for its help.
    """
    if sys.argv[1:2] == ["controller"]:
        # By name: this package must not import that one.
        sys.exit(import_module("knative.controller.__main__").main(sys.argv[2:]))
    if sys.argv[1:2] == ["advisor"] and "--keep" in sys.argv:
        from autoscaler.keeper import keep_this_command  # noqa: PLC0415

        sys.exit(keep_this_command("advisor", "--keep"))
    try:
        import_module("autoscaler.cli.main").main(program)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ROOMS:
            raise
        print(
            f"kn-ahead: {error.name} is not installed; allowed here: the command controller. "
            "The others come with kn-ahead[advisor], kn-ahead[learner] or kn-ahead[benchmarks]",
            file=sys.stderr,
        )
        sys.exit(ExitCode.UNUSABLE)


if __name__ == "__main__":
    main()
