"""The average of two adapters, one of which was trained on from the other.

Training that adds something takes away something else. Weights between those before and those after often have most of
both (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"), and cost no training.
"""

from pathlib import Path

from makesomenoise import checkpoint, model_folder
from makesomenoise.files import atomic_folder, check_free
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
        LanguageError: if the share is not between 0 and 1, or if the two have different bases, tokenizers or matrices.
        FileError: if the folder holds files or cannot be written.
    """
    if not 0.0 < share < 1.0:
        raise LanguageError(f"The share of the other model must be between 0 and 1; got {share:g}.")
    sources = [model_folder.resolve(source) for source in (model, other)]
    check_free(folder)
    config, second = (model_folder.load_config(source, LanguageConfig) for source in sources)
    for name in ("base", "tokenizer_fingerprint", "codebook_size", "lora"):
        if getattr(config, name) != getattr(second, name):
            raise LanguageError(f"The models differ in `{name}`: only one trained on from the other can be averaged.")
    state, added = (checkpoint.load_state(source) for source in sources)
    if {n: t.shape for n, t in state.items()} != {n: t.shape for n, t in added.items()}:
        raise LanguageError("The models differ in what they have learned: they cannot be averaged.")
    mean = {name: tensor.float().lerp(added[name].float(), share) for name, tensor in state.items()}
    with atomic_folder(folder) as whole:
        checkpoint.save_model(whole, config, mean, storage="float16")
