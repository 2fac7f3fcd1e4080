"""`msn info`."""

from pathlib import Path
from typing import Annotated

import typer


def info(file: Annotated[Path, typer.Argument(help="An .msn file, or `-`.", show_default=False)]) -> None:
    """Show what an .msn file holds, without any model."""
    from makesomenoise.tokenizer import bitstream

    held = bitstream.read(file)
    bits = len(held.codes) * held.bits_per_code
    typer.echo(f"length       {held.seconds:.3f} s ({held.sample_count} samples at {held.sample_rate} Hz)")
    typer.echo(f"codes        {len(held.codes)} of {held.bits_per_code} bits, {len(held.codes.unique())} different")
    typer.echo(f"bitrate      {bits / held.seconds:.1f} bit/s ({bits} bits; {held.file_bytes} bytes as a file)")
    typer.echo(f"tokenizer    {held.fingerprint}")
