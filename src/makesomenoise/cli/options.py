"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer


def _available(device: str) -> str:
    if device == "cpu":
        return device
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):
        raise typer.BadParameter(f"'{device}' is not here; give cpu, or cuda where there is one.") from None
    return device


Inputs = Annotated[list[Path], typer.Argument(help="One or more files.", show_default=False)]
Output = Annotated[Path, typer.Argument(help="A file, or a folder for one file per input.", show_default=False)]
LanguageName = Annotated[str, typer.Option("--model", help="Language model: a folder, `language` or a Hub id.")]
TokenizerName = Annotated[str, typer.Option("--tokenizer", help="The tokenizer that the model was trained with.")]
Window = Annotated[float | None, typer.Option(help="Cut sounds into windows of so many seconds.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON documents, one a line.")]
Model = Annotated[str, typer.Option(help="Tokenizer: a model folder, `default`, `vqvae` or a Hub id.")]
VocoderName = Annotated[str, typer.Option(help="`default`, `griffin-lim`, a folder or `hub:charactr/vocos-mel-24khz`.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Steps of the decoder: more are finer and slower.")]
QualityName = Annotated[str, typer.Option("--quality", help="`fast`, or `best`, which takes longer.")]
Guidance = Annotated[float | None, typer.Option(help="Guidance scale; 1 turns it off.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same sound.")]
EngineChoice = Annotated[
    str, typer.Option("--engine", help="`onnx` on a cpu, `torch`, or `auto`, which is onnx where it can be.")
]
Device = Annotated[str, typer.Option(callback=_available, help="Where to compute: cpu or cuda.")]
RunFolder = Annotated[Path, typer.Option("--run", help="Folder of the run: checkpoints, curves, weights.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where the run in this folder stopped.")]
ConfigFile = Annotated[Path, typer.Argument(help="A complete YAML file, as in configs/.", show_default=False)]
