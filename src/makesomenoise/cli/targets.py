"""Which output file belongs to which input file."""

from collections.abc import Sequence
from pathlib import Path

from makesomenoise.errors import RequestError


class TargetError(RequestError):
    """Outputs that cannot be told apart; the message is one sentence for the user."""


def pairs(inputs: Sequence[Path], output: Path, suffix: str) -> list[tuple[Path, Path]]:
    """Input and output file of each piece of work.

    Args:
        inputs: at least one file.
        output: a file for a single input; a folder, made if missing, for several.
        suffix: ending of the files made in a folder.

    Raises:
        TargetError: if two inputs would be written to the same file, or several to what is a file.
    """
    if len(inputs) == 1 and not output.is_dir():
        return [(inputs[0], output)]
    if output.is_file():
        raise TargetError(f"{len(inputs)} inputs need a folder as output, and {output} is a file.")
    targets = [output / path.with_suffix(suffix).name for path in inputs]
    twice = [target for target in targets if targets.count(target) > 1]
    if twice:
        raise TargetError(f"Two inputs would both be written to {twice[0]}; give them different names.")
    output.mkdir(parents=True, exist_ok=True)
    return list(zip(inputs, targets, strict=True))
