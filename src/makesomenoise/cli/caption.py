"""`msn caption`."""

from makesomenoise.cli.options import Device, Inputs, Json, LanguageName, Strict, TokenizerName, Window


def caption(
    files: Inputs,
    window: Window = None,
    as_json: Json = False,
    strict: Strict = False,
    model: LanguageName = "language",
    tokenizer: TokenizerName = "default",
    device: Device = "cpu",
) -> None:
    """Describe sounds in a sentence each: `msn caption rain.wav`."""
    from makesomenoise.cli.hearing import Asked, load
    from makesomenoise.language import wording

    Asked(wording.CAPTION, "caption", window, as_json, strict=strict).show(load(model, tokenizer, device), files)
