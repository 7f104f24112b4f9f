"""Commands of the library: `python -m node_core table1 --help`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from node_core.studies.architectures.command import main as table1

COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {"table1": table1}


def main(arguments: Sequence[str]) -> int:
    """Run a command; returns the exit status."""
    name = arguments[0] if arguments else "--help"
    if name in COMMANDS:
        return COMMANDS[name](arguments[1:])
    told = f"usage: python -m node_core {{{','.join(COMMANDS)}}} ...  (each has its own --help)"
    if name in ("-h", "--help"):
        print(told)
        return 0
    print(f"{told}\nThere is no command {name!r}: choose one of {', '.join(COMMANDS)}.", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
