"""`msn caption`."""

from makesomenoise.cli.listening import Listener
from makesomenoise.cli.options import Device, EngineChoice, Inputs, Json, LanguageName, Strict, TokenizerName, Window


def caption(
    files: Inputs,
    window: Window = None,
    as_json: Json = False,
    strict: Strict = False,
    model: LanguageName = "language",
    tokenizer: TokenizerName = "default",
    device: Device = "cpu",
    engine: EngineChoice = "auto",
) -> None:
    """Describe sounds in a sentence each.

    Sound files or .msn files: `msn caption rain.wav`.
    """
    from makesomenoise.language.wording import CAPTION

    Listener(files, window, as_json, model, tokenizer, device, engine, "caption", strict=strict).ask(CAPTION)
