"""The average of two adapters, one of which was trained on from the other.

Training that adds something takes away something else. Weights between those before and those after often have most of
both (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"), and cost no training.
"""

from pathlib import Path

from makesomenoise import checkpoint
from makesomenoise.language.config import LanguageConfig, LanguageError


def average(model: str | Path, other: str | Path, folder: str | Path, share: float = 0.5) -> None:
    """Writes the weighted mean of what two language models have learned; settings are those of the first.

    Args:
        model: a model folder, a bundled name or a Hub id.
        other: the same; one of the two was trained on from the other.
        folder: model folder that is new or empty.
        share: weight of `other`, between 0 and 1.

    Raises:
        CheckpointError: if there is no such model.
        LanguageError: if the share is not between 0 and 1, if the folder holds files or cannot be written, or if the
            two have different bases, tokenizers or matrices.
    """
    if not 0.0 < share < 1.0:
        raise LanguageError(f"The share of the other model must be between 0 and 1; got {share:g}.")
    sources = [checkpoint.resolve(source) for source in (model, other)]
    if not checkpoint.is_free(folder):
        raise LanguageError(f"{folder} is no new or empty folder: name one.")
    config, second = (checkpoint.load_config(source, LanguageConfig) for source in sources)
    for name in ("base", "tokenizer_fingerprint", "codebook_size", "lora"):
        if getattr(config, name) != getattr(second, name):
            raise LanguageError(f"The models differ in `{name}`: only one trained on from the other can be averaged.")
    state, added = (checkpoint.load_state(source) for source in sources)
    if {n: t.shape for n, t in state.items()} != {n: t.shape for n, t in added.items()}:
        raise LanguageError("The models differ in what they have learned: they cannot be averaged.")
    mean = {name: tensor.float().lerp(added[name].float(), share) for name, tensor in state.items()}
    try:
        checkpoint.save_model(folder, config, mean, storage="float16")
    except OSError as error:
        raise LanguageError(f"Cannot write a model to {folder}: {error.strerror}.") from None
