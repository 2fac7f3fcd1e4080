"""Which sound files are meant by files and folders, and where what is made of each goes; progress on a terminal."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from makesomenoise.cli.errors import show
from makesomenoise.errors import FileError, MakeSomeNoiseError, RequestError

STANDARD = "-"
_SUFFIXES = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".m4a", ".webm", ".mp4", ".wma", ".au"}


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
        within = sorted(file for file in path.rglob("*") if file.suffix.lower() in _SUFFIXES and file.is_file())
        if not within:
            raise FileError(f"The folder {path} holds no sound file: give one that does, or the files themselves.")
        found += within
    return found


def pieces(inputs: Sequence[Path], output: Path | None, suffix: str, resume: bool) -> list[Piece]:
    """What is to be done.

    Args:
        inputs: files and folders.
        output: a file for one input that is a file; a folder, made if missing, for more; `-` or none is standard
            output.
        suffix: ending of the files made in a folder.
        resume: leave out what is made already.

    Raises:
        FileError: as `sound_files`.
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
        found = _into(output, files, suffix)
    return [piece for piece in found if not (resume and piece.target and piece.target.exists())]


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


def readable(source: Path) -> "Path | bytes":
    """What is read: the file, or the bytes of standard input."""
    return sys.stdin.buffer.read() if str(source) == STANDARD else source


def _into(folder: Path, files: list[Path], suffix: str) -> list[Piece]:
    if folder.is_file():
        raise RequestError(f"{len(files)} inputs need a folder as output, and {folder} is a file.")
    targets = [folder / path.with_suffix(suffix).name for path in files]
    twice = [target for target in targets if targets.count(target) > 1]
    if twice:
        raise RequestError(f"Two inputs would both be written to {twice[0]}: give them one by one.")
    folder.mkdir(parents=True, exist_ok=True)
    return [Piece(file, target) for file, target in zip(files, targets, strict=True)]
