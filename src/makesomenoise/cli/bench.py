"""`msn bench`."""

from typing import Annotated

import typer

from makesomenoise.cli.options import Model, VocoderName


def bench(
    model: Model = "default",
    vocoder: VocoderName = "default",
    seconds: Annotated[float, typer.Option(min=1.0, help="Length of the sound.")] = 30.0,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 2,
    others: Annotated[bool, typer.Option("--others", help="Also time EnCodec, DAC and Mimi (transformers).")] = False,
) -> None:
    """Time encoding and decoding on this machine, as multiples of real time."""
    from makesomenoise.evaluation.benchmark import measure_speed, public_contenders, tokenizer_contender
    from makesomenoise.tokenizer.model import AudioTokenizer

    contenders = [tokenizer_contender(model, AudioTokenizer.load(model, vocoder))]
    for speed in measure_speed(contenders + (public_contenders() if others else []), seconds, threads):
        rates = f"encode {speed.encode_speed:7.1f} x real time   decode {speed.decode_speed:7.1f} x real time"
        typer.echo(f"{speed.name:24} {speed.bits_per_second:7.1f} bit/s   {rates}")
