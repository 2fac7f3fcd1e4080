"""Which sound files are meant by files and folders, and where what is made of each goes; progress on a terminal."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from makesomenoise.audio.kinds import SUFFIXES
from makesomenoise.cli.errors import show
from makesomenoise.cli.targets import STANDARD, Kind, check
from makesomenoise.errors import FileError, MakeSomeNoiseError, RequestError


@dataclass(frozen=True)
class Piece:
    """A piece of work.

    Attributes:
        source: the sound file; `-` is standard input.
        target: where what is made of it goes; none is standard output.
    """

    source: Path
    target: Path | None


def sound_files(inputs: Sequence[Path]) -> list[Path]:
    """The files among the inputs, and those within folders, in order of their names.

    Raises:
        FileError: if a folder holds no sound file.
    """
    found: list[Path] = []
    for path in inputs:
        if not path.is_dir():
            found.append(path)
            continue
        within = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        if not within:
            raise FileError(f"The folder {path} holds no sound file: give one that does, or the files themselves.")
        found += within
    return found


def pieces(inputs: Sequence[Path], output: Path | None, kind: Kind, resume: bool, force: bool = False) -> list[Piece]:
    """What is to be done.

    Args:
        inputs: files and folders.
        output: a file for one input that is a file; a folder, made if missing, for more; `-` or none is standard
            output.
        kind: what is written; its usual suffix is that of the files made in a folder.
        resume: leave out what is made already.
        force: whether to replace what exists.

    Raises:
        FileError: as `sound_files`.
        TargetError: as `targets.check`.
        RequestError: if outputs cannot be told apart, or there is none to resume.
    """
    files = sound_files(inputs)
    if output is None or str(output) == STANDARD:
        if resume:
            raise RequestError("Nothing can be resumed on standard output: give --output FOLDER.")
        return [Piece(file, None) for file in files]
    if len(inputs) == 1 and not inputs[0].is_dir() and not output.is_dir():
        found = [Piece(files[0], output)]
    else:
        found = _into(output, files, kind.suffixes[0])
    left = [piece for piece in found if not (resume and piece.target and piece.target.exists())]
    for piece in left:
        if piece.target:
            check(piece.target, kind, force, files)
    return left


def each(work: Sequence[Piece], do: Callable[[Piece], None]) -> None:
    """Does every piece and says on standard error which; one that fails does not keep the others from being done.

    Raises:
        typer.Exit: with code 2 after the last piece, if any failed.
    """
    failed = False
    for number, piece in enumerate(work, 1):
        if len(work) > 1:
            typer.echo(f"[{number}/{len(work)}] {piece.source}", err=True)
        try:
            do(piece)
        except MakeSomeNoiseError as error:
            show(error)
            failed = True
    if failed:
        raise typer.Exit(2)


def _into(folder: Path, files: list[Path], suffix: str) -> list[Piece]:
    if folder.is_file():
        raise RequestError(f"{len(files)} inputs need a folder as output, and {folder} is a file.")
    targets = [folder / path.with_suffix(suffix).name for path in files]
    twice = [target for target in targets if targets.count(target) > 1]
    if twice:
        raise RequestError(f"Two inputs would both be written to {twice[0]}: give them one by one.")
    folder.mkdir(parents=True, exist_ok=True)
    return [Piece(file, target) for file, target in zip(files, targets, strict=True)]
