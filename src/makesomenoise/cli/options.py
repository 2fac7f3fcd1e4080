"""Options that several commands share."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

MOST_SEED = 2**63 - 1


def _available(device: str) -> str:
    kind, _, number = device.partition(":")
    if kind in ("cuda", "mps", "xpu") and (number.isdecimal() or device == kind):
        import torch

        with suppress(RuntimeError, AssertionError):
            torch.empty(0, device=device)
            return device
    elif device == "cpu":
        return device
    raise typer.BadParameter(f"'{device}' is not here; give cpu, or cuda where there is one.")


def _quality(name: str) -> str:
    if name not in ("fast", "best"):
        raise typer.BadParameter(f"unknown quality '{name}': give fast or best.")
    return name


def above_zero(seconds: float) -> float:
    """A length that is one; what is not finite is refused for all options alike."""
    if seconds <= 0.0:
        raise typer.BadParameter(f"cannot make {seconds:g} s of sound: give a length above 0 s.")
    return seconds


@dataclass(frozen=True)
class Options:
    """Options that stand together: each field of a subclass is one; a command takes them as a single parameter."""


Inputs = Annotated[list[Path], typer.Argument(help="Files or folders; `-` is standard input.", show_default=False)]
Output = Annotated[
    str, typer.Argument(help="A file, `-`, or a folder (FOLDER/) for one file per input.", show_default=False)
]
Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Of folders, also the folders in them.")]
LeaveOut = Annotated[bool, typer.Option("--resume", help="Leave out inputs whose output is there already.")]
Force = Annotated[bool, typer.Option("--force", "-f", help="Replace files that exist.")]
LanguageName = Annotated[str, typer.Option("--model", help="Language model: a folder, `language` or a Hub id.")]
TokenizerName = Annotated[str, typer.Option("--tokenizer", help="The tokenizer that the model was trained with.")]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse sound files of which something is missing.")]
Window = Annotated[
    float | None,
    typer.Option(min=0.05, help="Cut sounds into windows of so many seconds.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON documents, one a line.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing of what goes well.")]
Model = Annotated[str, typer.Option(help="Tokenizer: a model folder, `default`, `vqvae` or a Hub id.")]
VocoderName = Annotated[str, typer.Option(help="`default`, `griffin-lim`, a folder or `hub:charactr/vocos-mel-24khz`.")]
Steps = Annotated[int | None, typer.Option(min=1, max=1000, help="Steps of the decoder: more are finer and slower.")]
QualityName = Annotated[
    str, typer.Option("--quality", callback=_quality, help="`fast`, or `best`, which takes longer.")
]
Guidance = Annotated[float | None, typer.Option(min=0.0, max=100.0, help="Guidance scale; 1 turns it off.")]
Seed = Annotated[int, typer.Option(min=0, max=MOST_SEED, help="The same seed gives the same sound.")]
EngineChoice = Annotated[
    str, typer.Option("--engine", help="`onnx` on a cpu, `torch`, or `auto`, which is onnx where it can be.")
]
Device = Annotated[str, typer.Option(callback=_available, help="Where to compute: cpu or cuda.")]
OntologyFile = Annotated[
    Path | None,
    typer.Option("--ontology", help="Table of the names of sounds, instead of the one that ships.", show_default=False),
]
RunFolder = Annotated[Path, typer.Option("--run", help="Folder of the run: checkpoints, curves, weights.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where the run in this folder stopped.")]
ConfigFile = Annotated[Path, typer.Argument(help="A complete YAML file, as in configs/.", show_default=False)]
RunSteps = Annotated[
    int | None, typer.Option("--steps", min=1, help="Length of the run, where not that of CONFIG.", show_default=False)
]
