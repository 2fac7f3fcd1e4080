"""Which output file belongs to which input file, and what may not be written; told before any model is loaded.

Names are kept apart by what they hold: an input is never an output, a name of another kind of file is refused, and what
exists stays, unless it is to be replaced (`--force`). `-` is standard output.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from makesomenoise.errors import MakeSomeNoiseError, RequestError
from makesomenoise.files import check_writable, is_folder, is_stream, make_folder, sweep

STANDARD = "-"
CODES = ".msn"
SOUNDS = (".wav", ".flac", ".ogg", ".opus", ".mp3")
# Of names that end in one of these something else is expected than what we write there.
_OTHERS = {
    f".{ending}"
    for endings in (
        "3gp aac ac3 aif aifc aiff amr ape au avi caf dsf flv m4a m4b m4v mka mkv mov mp2 mp4 mpeg",
        "mpg oga ogv ra rf64 snd spx swf tta voc w64 weba webm wma wmv wv",
        "bin ckpt csv gguf gz html jpeg jpg json jsonl md npy npz onnx parquet pdf png pt pth py",
        "safetensors sh svg tar tflite tgz toml tsv txt xml yaml yml zip",
    )
    for ending in endings.split()
}


class TargetError(RequestError):
    """Outputs that cannot be told apart, or that would destroy something; the message is one sentence for the user."""


@dataclass(frozen=True)
class Kind:
    """What a command writes.

    Attributes:
        name: what errors call it.
        suffixes: with which the names of such files end, the usual one first.
        strict: whether all others are refused, and not only those of other kinds of files.
        may_replace: whether an existing file holds nothing that would be lost.
        is_text: whether it can be shown on a terminal, and one after the other.
    """

    name: str
    suffixes: tuple[str, ...]
    strict: bool
    may_replace: Callable[[Path], bool] = lambda _: False
    is_text: bool = False


def _holds_codes(path: Path) -> bool:
    from makesomenoise.tokenizer import bitstream

    try:
        return bool(bitstream.read(path))
    except MakeSomeNoiseError:
        return False


# Codes can be made again from the sound, so that new ones may take their place.
CODE_FILES = Kind("codes", (CODES,), strict=False, may_replace=_holds_codes)
SOUND_FILES = Kind("sound", SOUNDS, strict=True)


@dataclass(frozen=True)
class Work:
    """What is to be done.

    Attributes:
        pairs: input and output file of each piece of work.
        refused: inputs of which nothing can be made, each with the reason.
        aloud: whether standard output is free for messages.
    """

    pairs: list[tuple[Path, Path]]
    refused: tuple[tuple[Path, MakeSomeNoiseError], ...] = ()
    aloud: bool = True


def plan(
    inputs: Sequence[Path],
    output: str,
    kind: Kind,
    force: bool = False,
    names: Sequence[Path] | None = None,
    resume: bool = False,
) -> Work:
    """Finds the outputs and makes their folder.

    Args:
        inputs: at least one file.
        output: a file, or `-`, for a single input; a folder, made if missing, for several, or if it ends in a slash.
        kind: what is written.
        force: whether to replace what exists.
        names: of the inputs within the folder, folders of them included, if it must be one.
        resume: leave out inputs whose output is there.

    What killed processes have left in the folders of outputs is swept.

    Raises:
        TargetError: if two inputs would be written to the same file, or several to what is a file, or if nothing can
            be made of the only one.
        FileError: if the output cannot be written.
    """
    if output == STANDARD:
        return _to_standard_output(inputs, kind, resume)
    folder = output.endswith(("/", os.sep)) or is_folder(output)
    if not folder and names is not None:
        folder = _may_be_folder(Path(output), len(inputs))
    if not folder and len(inputs) > 1:
        folder = _may_be_folder(Path(output), len(inputs))
    targets = _in_folder(names or inputs, make_folder(output), kind, names is not None) if folder else [Path(output)]
    pairs = list(zip(inputs, targets, strict=True))
    for one in {Path(os.path.realpath(target)).parent for target in targets}:
        sweep(one)
    left = [pair for pair in pairs if not (resume and pair[1].exists() and not is_stream(pair[1]))]
    if len(pairs) == 1 and left:
        check(targets[0], kind, force, inputs)
        return Work(pairs, aloud=is_aloud(targets[0]))
    wrong = {source: error for source, target in left if (error := _refused(target, kind, force, inputs))}
    return Work([pair for pair in left if pair[0] not in wrong], tuple(wrong.items()))


def check(target: Path, kind: Kind, force: bool, inputs: Sequence[Path] = ()) -> None:
    """Refuses an output that is an input, that is of another kind, that exists, or that cannot be written.

    Raises:
        TargetError: if it is one of these.
        FileError: if it cannot be written.
    """
    if is_stream(target):
        check_writable(target)
        return
    if any(_same(target, source) for source in inputs):
        raise TargetError(f"Cannot write {kind.name} to {target}: it is an input; name the output last.")
    suffix = target.suffix.lower()
    if suffix not in kind.suffixes and (kind.strict or suffix in (*SOUNDS, CODES, *_OTHERS)):
        expected = kind.suffixes[0] if len(kind.suffixes) == 1 else f"one of {', '.join(kind.suffixes)}"
        raise TargetError(
            f"Cannot write {kind.name} to {target}: its name must end in {expected}; name the output last."
        )
    check_writable(target)
    if target.exists() and not force and not kind.may_replace(target):
        raise TargetError(f"{target} exists and is kept: give another name, or --force to replace it.")


def numbered(output: str, count: int, kind: Kind, force: bool = False) -> list[Path]:
    """Names of files that are made from no file: `dog.wav`, or `dog-1.wav`, `dog-2.wav`, ...

    Args:
        output: a name, `-` for a single file, or a folder, made if missing where it ends in a slash.
        count: how many.
        kind: what is written.
        force: whether to replace what exists.

    Raises:
        TargetError, FileError: as `check`.
    """
    if output == STANDARD:
        if count > 1:
            raise TargetError(f"Standard output takes one file, and {count} are to be made: give a name.")
        return [_standard_output(kind)]
    if output.endswith(("/", os.sep)):
        make_folder(output)
    path = Path(output) / f"sound{kind.suffixes[0]}" if Path(output).is_dir() else Path(output)
    numbers = range(1, count + 1)
    paths = [path] if count == 1 else [path.with_name(f"{path.stem}-{number}{path.suffix}") for number in numbers]
    sweep(path.parent)
    for one in paths:
        check(one, kind, force)
    return paths


def is_aloud(target: Path) -> bool:
    """Whether standard output is free for messages, and not what is written to."""
    try:
        return not (is_stream(target) and os.path.samestat(target.stat(), os.fstat(1)))
    except OSError:
        return True


def _to_standard_output(inputs: Sequence[Path], kind: Kind, resume: bool) -> Work:
    if resume:
        raise TargetError("Nothing can be resumed on standard output: give a folder.")
    if kind.is_text:
        return Work([(source, Path(STANDARD)) for source in inputs], aloud=False)
    return Work([(_only(inputs), _standard_output(kind))], aloud=False)


def _only(inputs: Sequence[Path]) -> Path:
    if len(inputs) > 1:
        raise TargetError(f"{len(inputs)} inputs need a folder as output: standard output takes one file.")
    return inputs[0]


def _standard_output(kind: Kind) -> Path:
    if sys.stdout.isatty():
        raise TargetError(f"A terminal cannot show {kind.name}: give a name, or > file.")
    path = Path("/dev/stdout")
    sweep(tempfile.gettempdir())
    check_writable(path)
    return path


def _may_be_folder(output: Path, count: int) -> bool:
    """Whether a name that does not end in a slash is free to become a folder."""
    if os.path.lexists(output) or is_stream(output):
        raise TargetError(f"{count} inputs need a folder as output, and {output} is a file: give a folder last.")
    if output.suffix.lower() in (*SOUNDS, CODES, *_OTHERS):
        raise TargetError(f"{count} inputs need a folder as output: give {output.with_suffix('')}/ or so.")
    return True


def _in_folder(inputs: Sequence[Path], folder: Path, kind: Kind, keep_place: bool) -> list[Path]:
    names = [Path("stdin") if str(path) == STANDARD else path for path in inputs]
    named = [path.with_suffix(kind.suffixes[0]) for path in names]
    targets = [folder / (path if keep_place else path.name) for path in named]
    twice = [target for target in targets if targets.count(target) > 1]
    if twice:
        raise TargetError(f"Two inputs would both be written to {twice[0]}; give them different names.")
    for parent in {target.parent for target in targets} - {folder}:
        make_folder(parent)
    return targets


def _refused(target: Path, kind: Kind, force: bool, inputs: Sequence[Path]) -> MakeSomeNoiseError | None:
    try:
        check(target, kind, force, inputs)
    except MakeSomeNoiseError as error:
        return error
    return None


def _same(one: Path, other: Path) -> bool:
    try:
        return os.path.samestat(one.stat(), other.stat())
    except OSError:
        return False
