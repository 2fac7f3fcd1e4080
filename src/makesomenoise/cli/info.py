"""`msn info`."""

from pathlib import Path
from typing import Annotated

import typer


def info(file: Annotated[Path, typer.Argument(help="An .msn file.", show_default=False)]) -> None:
    """Show what an .msn file holds, without any model."""
    from makesomenoise.tokenizer import bitstream

    held = bitstream.read(file)
    bits, different = len(held.codes) * held.bits_per_code, len(set(held.codes.tolist()))
    typer.echo(f"length       {held.seconds:.3f} s ({held.sample_count} samples at {held.sample_rate} Hz)")
    typer.echo(f"codes        {len(held.codes)} of {held.bits_per_code} bits, {different} different")
    typer.echo(f"bitrate      {bits / held.seconds:.1f} bit/s ({bits} bits; {file.stat().st_size} bytes as a file)")
    typer.echo(f"tokenizer    {held.fingerprint}")
