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
    from makesomenoise.evaluation.benchmark import measure_codec_speed, public_codecs, timed_tokenizer
    from makesomenoise.tokenizer.model import AudioTokenizer

    codecs = [timed_tokenizer(model, AudioTokenizer.load(model, vocoder))]
    for speed in measure_codec_speed(codecs + (public_codecs() if others else []), seconds, threads):
        rates = f"encode {speed.encode_speed:7.1f} x real time   decode {speed.decode_speed:7.1f} x real time"
        typer.echo(f"{speed.name:24} {speed.bits_per_second:7.1f} bit/s   {rates}")
