"""Make a model folder of what a GPU trained, and judge it.

    python -m recipes.gpu.bring_in PIECES default FOLDER

PIECES is OUT of `recipes.gpu.train`; encoder, quantizer and settings are those of the tokenizer that the pack started
from, so codes stay what they are. With --corpus, `msn evaluate tokenizer` then compares the new decoder with that one.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from makesomenoise import model_folder
from makesomenoise.checkpoint import CheckpointError, Storage
from makesomenoise.tokenizer.config import TokenizerConfig
from recipes.convert_decoder import write_tokenizer
from recipes.gpu.errors import RecipeError, ending
from recipes.gpu.pieces import join_pieces


def bring_in(pieces: Path, tokenizer: str, folder: Path, storage: Storage = "int8") -> None:
    """Writes a model folder.

    Args:
        pieces: folder of the pieces.
        tokenizer: gives encoder, quantizer and settings.
        folder: new or empty; receives the model.
        storage: see `checkpoint.save_model`.

    Raises:
        RecipeError: if the pieces are no whole checkpoint.
        CheckpointError: if they do not fit the tokenizer, or if the folder is in use.
    """
    joined = join_pieces(pieces)
    decoder = model_folder.load_config(model_folder.resolve(tokenizer), TokenizerConfig).decoder
    write_tokenizer(folder, tokenizer, decoder, joined.state, storage, origin=str(pieces))
    print(f"{folder}: step {joined.step}")


def judge(folder: Path, tokenizer: str, corpus: Path, report: Path, options: list[str]) -> None:
    """Compares the new model with the one that it started from.

    Raises:
        RecipeError: if the evaluation ends with an error, which it has explained.
    """
    command = [sys.executable, "-m", "makesomenoise", "evaluate", "tokenizer", str(corpus), str(report)]
    command += ["--model", str(folder), "--model", tokenizer, *options]
    if subprocess.run(command, check=False).returncode:
        raise RecipeError(f"The evaluation of {folder} failed; run it again by: {' '.join(command)}.")


def main() -> None:
    """Reads the command line; what it does not know is passed on to `msn evaluate tokenizer`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pieces", type=Path)
    parser.add_argument("tokenizer", help="what the pack started from: a model folder or a bundled name")
    parser.add_argument("folder", type=Path, help="receives the model, new or empty")
    parser.add_argument("--storage", choices=["float32", "float16", "int8"], default="int8")
    parser.add_argument("--corpus", type=Path, help="judge on the validation clips of this corpus")
    parser.add_argument("--report", type=Path, default=Path("runs/brought-in"), help="receives the report")
    given, options = parser.parse_known_args()
    if options and given.corpus is None:
        parser.error(f"unknown without --corpus: {' '.join(options)}")
    bring_in(given.pieces, given.tokenizer, given.folder, given.storage)
    if given.corpus is not None:
        judge(given.folder, given.tokenizer, given.corpus, given.report, options)


if __name__ == "__main__":
    ending(main, (CheckpointError,))
