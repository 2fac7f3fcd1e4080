"""Store a tokenizer in fewer bits, as it is shipped.

    python -m recipes.store MODEL FOLDER --storage int8 --card CARD.md

In 8 bits are the large matrices of the decoder, with a scale for each row. Encoder and quantizer stay in 16, since they
decide on the codes, whose fingerprint is printed and stays what it was.
"""

import argparse
from pathlib import Path

from makesomenoise import checkpoint, model_folder
from makesomenoise.checkpoint import CheckpointError, Storage
from makesomenoise.tokenizer.config import TokenizerConfig
from recipes.gpu.errors import ending


def store(model: str, folder: Path, storage: Storage, card: str | None = None) -> str:
    """Writes a model folder.

    Args:
        model: a model folder or a bundled name.
        folder: receives the model; files in it are replaced.
        storage: see `checkpoint.save_model`.
        card: text of its card, or none.

    Returns:
        The fingerprint of its codes.

    Raises:
        CheckpointError: if there is no such model.
    """
    source = model_folder.resolve(model)
    config, state = model_folder.load_config(source, TokenizerConfig), checkpoint.load_state(source)
    checkpoint.save_model(folder, config, state, storage, card)
    return checkpoint.model_fingerprint(config, state)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model folder or a bundled name")
    parser.add_argument("folder", type=Path, help="receives the model")
    parser.add_argument("--storage", choices=["float32", "float16", "int8"], default="int8")
    parser.add_argument("--card", type=Path, help="file with the text of the model card")
    given = parser.parse_args()
    card = given.card.read_text(encoding="utf-8") if given.card else None
    codes = store(given.model, given.folder, given.storage, card)
    print(f"{given.folder}: {given.storage}, codes of {codes}")


if __name__ == "__main__":
    ending(main, (CheckpointError, OSError))
