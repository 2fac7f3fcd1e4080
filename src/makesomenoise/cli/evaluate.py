"""`msn evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from makesomenoise.cli.options import EngineChoice, LanguageName, OntologyFile, TokenizerName, VocoderName

app = typer.Typer(no_args_is_help=True, help="Measure: `msn evaluate tokenizer CORPUS OUTPUT`.")
Report = Annotated[Path, typer.Argument(help="Folder for results.json, results.md, plots.", show_default=False)]
Classifier = Annotated[Path, typer.Option(help="Folder of the event classifier.")]
Limit = Annotated[int | None, typer.Option(min=1, help="At most so many clips of each dataset.")]
Ears = Annotated[
    list[str] | None,
    typer.Option("--ear", help="Embedding network (.tflite, .onnx) that had no part in training; repeat it."),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Measure anew what was measured before.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="A setting, such as guidance=3 or min_clips=20; repeat it.")
]


@app.callback()
def main() -> None:
    """Measure what the project promises."""


@app.command()
def tokenizer(  # noqa: PLR0913, PLR0917 - each is an option
    corpus: Annotated[Path, typer.Argument(help="Folder with train-*.tar and valid-*.tar.", show_default=False)],
    output: Report,
    models: Annotated[
        list[str], typer.Option("--model", help="Tokenizer, such as `vqvae` beside `default`; repeat it.")
    ] = ["default"],  # noqa: B006 - typer copies it
    classifier: Classifier = Path("runs/classifier"),
    vocoder: VocoderName = "default",
    limit: Limit = None,
    cache: Annotated[Path | None, typer.Option(help="Folder that keeps decoded clips.")] = None,
    ears: Ears = None,
    fresh: Fresh = False,
    settings: Settings = None,
) -> None:
    """Ask what survives coding, what the codes know, how close, how fast, how small."""
    from makesomenoise.evaluation.splits import Corpus
    from makesomenoise.evaluation.tokenizer.report import TokenizerEvaluationConfig, evaluate_tokenizer

    given = {"limit": limit, "fresh": fresh, "vocoder": vocoder}
    config = TokenizerEvaluationConfig.from_settings(settings or [], given)
    compared, clips = {Path(name).name: name for name in models}, Corpus.read(corpus, cache)
    evaluate_tokenizer(compared, clips, classifier, output, config, ears or ())
    typer.echo(f"Results in {output / 'results.md'}")


@app.command()
def language(  # noqa: PLR0913, PLR0917 - each is an option
    codes: Annotated[
        Path, typer.Argument(help="Code shards of the validation split, with scenes.", show_default=False)
    ],
    output: Report,
    corpus: Annotated[Path, typer.Option(help="Folder with train-*.tar and valid-*.tar.")] = Path("corpus"),
    classifier: Classifier = Path("runs/classifier"),
    model: LanguageName = "language",
    tokenizer: TokenizerName = "default",
    engine: EngineChoice = "auto",
    limit: Limit = None,
    ears: Ears = None,
    ontology_file: OntologyFile = None,
    fresh: Fresh = False,
    settings: Settings = None,
) -> None:
    """Ask what an LLM hears, says and makes, what it forgot of its language, how fast; run it again to go on."""
    from makesomenoise.evaluation.language.report import LanguageEvaluationConfig, LanguageInputs, evaluate_language

    config = LanguageEvaluationConfig.from_settings(settings or [], {"limit": limit, "fresh": fresh, "engine": engine})
    inputs = LanguageInputs(codes, corpus, classifier, model, tokenizer, tuple(ears or ()), ontology_file)
    evaluate_language(inputs, output, config)
    typer.echo(f"Results in {output / 'results.md'}")
