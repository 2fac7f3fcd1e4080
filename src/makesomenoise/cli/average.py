"""`msn average`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from makesomenoise.cli.options import Json

Model = Annotated[str, typer.Argument(help="Language model: a folder, `language` or a Hub id.", show_default=False)]
Other = Annotated[str, typer.Argument(help="Another, trained on from it or before it.", show_default=False)]
Target = Annotated[Path, typer.Argument(help="A folder that is new or empty.", show_default=False)]
Share = Annotated[float, typer.Option(min=0.0, max=1.0, help="Weight of the other model, between 0 and 1.")]


def average(model: Model, other: Other, folder: Target, share: Share = 0.5, as_json: Json = False) -> None:
    """Write the weighted mean of two language models, one trained on from the other: some of what both can do."""
    from makesomenoise.files import check_free

    check_free(folder)
    from makesomenoise.language.averaging import average as write

    write(model, other, folder, share)
    typer.echo(json.dumps({"folder": str(folder), "share": share}) if as_json else f"Model written to {folder}")
