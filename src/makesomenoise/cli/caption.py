"""`msn caption`."""

from makesomenoise.cli.listening import Asking, HeardOptions
from makesomenoise.cli.models import ListenerOptions
from makesomenoise.cli.options import Inputs


def caption(inputs: Inputs, *, heard: HeardOptions, models: ListenerOptions) -> None:
    """Describe sounds in a sentence each.

    Sound files or .msn files: `msn caption rain.wav`.
    """
    from makesomenoise.language.wording import CAPTION

    Asking("caption", {}).about(inputs, CAPTION, heard, models)
