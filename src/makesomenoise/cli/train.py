"""`msn train`."""

from pathlib import Path
from typing import Annotated

import typer

from makesomenoise.cli.options import ConfigFile, Resume, RunFolder, RunSteps

app = typer.Typer(
    no_args_is_help=True, help="Train a part: `msn train tokenizer configs/tokenizer/tiny.yaml --run runs/x`."
)


@app.command()
def tokenizer(config: ConfigFile, run: RunFolder, resume: Resume = False, steps: RunSteps = None) -> None:
    """Train encoder, quantizer and decoder."""
    from makesomenoise.training.tokenizer import TokenizerTrainingConfig, train_tokenizer

    typer.echo(f"Model written to {train_tokenizer(TokenizerTrainingConfig.from_file(config, steps), run, resume)}")


@app.command()
def semantic_branch(config: ConfigFile, run: RunFolder, resume: Resume = False, steps: RunSteps = None) -> None:
    """Train the encoder's semantic branch on labels, to start a tokenizer from."""
    from makesomenoise.training.semantic_branch import SemanticBranchTrainingConfig, train_semantic_branch

    settings = SemanticBranchTrainingConfig.from_file(config, steps)
    typer.echo(f"Model written to {train_semantic_branch(settings, run, resume)}")


@app.command()
def vocoder(config: ConfigFile, run: RunFolder, resume: Resume = False, steps: RunSteps = None) -> None:
    """Train the vocoder that turns log-mel into sound."""
    from makesomenoise.training.vocoder import VocoderTrainingConfig, train_vocoder

    typer.echo(f"Model written to {train_vocoder(VocoderTrainingConfig.from_file(config, steps), run, resume)}")


@app.command()
def language(
    config: ConfigFile,
    run: Annotated[Path | None, typer.Option("--run", help="Folder of the run: checkpoints, curves, weights.")] = None,
    resume: Resume = False,
    steps: RunSteps = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what the run would take.")] = False,
    gpu: Annotated[str, typer.Option(help="With --dry-run: on which GPU, as h100 or l4.", show_default=False)] = "",
    devices: Annotated[int, typer.Option(min=1, help="With --dry-run: on how many of them.")] = 1,
) -> None:
    """Train what an LLM learns of sound: LoRA weights beside its layers, and embeddings of the codes."""
    from makesomenoise.training.language import recipe

    settings = recipe.LanguageTrainingConfig.from_file(config, steps)
    if dry_run:
        typer.echo(str(recipe.plan_language(settings, gpu, devices) if gpu else recipe.estimate_language(settings)))
    elif run is None:
        raise typer.BadParameter("name the folder of the run, or ask for a --dry-run.", param_hint="--run")
    else:
        typer.echo(f"Model written to {recipe.train_language(settings, run, resume)}")
