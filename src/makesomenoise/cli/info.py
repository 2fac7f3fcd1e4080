"""`msn info`."""

from pathlib import Path
from typing import Annotated

import typer


def info(file: Annotated[Path, typer.Argument(help="An .msn file, or `-`.", show_default=False)]) -> None:
    """Show what an .msn file holds, without any model."""
    from makesomenoise.tokenizer.msn_header import read_header

    held = read_header(file)
    bits = held.code_count * held.bits_per_code
    typer.echo(f"length       {held.seconds:.3f} s ({held.sample_count} samples at {held.sample_rate} Hz)")
    typer.echo(f"codes        {held.code_count} of {held.bits_per_code} bits")
    typer.echo(f"bitrate      {bits / held.seconds:.1f} bit/s ({bits} bits; {held.file_bytes} bytes as a file)")
    typer.echo(f"tokenizer    {held.fingerprint}")
