"""Fills what `web/` needs beside its own files: onnxruntime-web, and a tokenizer as graphs, weights and tables.

    python -m tools.web
    python -m http.server -d web

`web/vendor` comes from npm, `web/model` from a model folder; neither is committed. Afterwards the page asks nobody.
"""

import argparse
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import safetensors.numpy

from makesomenoise import checkpoint, model_folder
from makesomenoise.audio.mel import mel_filters
from makesomenoise.files import make_folder, write_bytes, write_text
from makesomenoise.tokenizer.export import export_tokenizer
from makesomenoise.tokenizer.model import AudioTokenizer
from makesomenoise.vocoder.config import IstftVocoderConfig
from makesomenoise.vocoder.spectral import GriffinLim

FOLDER = Path(__file__).parents[1] / "web"
PACKAGE = "onnxruntime-web@1.30.0"
FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")


def vendor(folder: Path) -> None:
    """Fetches onnxruntime-web from npm and keeps the files that the page loads."""
    with tempfile.TemporaryDirectory() as temporary:
        done = subprocess.run(
            ["npm", "pack", PACKAGE, "--silent"], cwd=temporary, check=True, capture_output=True, text=True
        )
        with tarfile.open(Path(temporary) / done.stdout.strip().splitlines()[-1]) as archive:
            archive.extractall(temporary, filter="data")
        for name in FILES:
            shutil.copy(Path(temporary) / "package" / "dist" / name, make_folder(folder) / name)


def model(folder: Path, source: str, vocoder: str) -> None:
    """Writes a tokenizer and its vocoder: graphs, weights, settings, and what Python computes once from them."""
    export_tokenizer(source, folder, vocoder)
    tokenizer = AudioTokenizer.load(source, "griffin-lim")
    stored = checkpoint.load_model(model_folder.resolve(source), type(tokenizer.config))
    voice = model_folder.load_config(model_folder.resolve(vocoder), IstftVocoderConfig)
    search = GriffinLim(voice.mel, voice.griffin_lim_iters)
    tables = {
        "codebook": tokenizer.codebook,
        "mean": stored.state["decoder.mean"],
        "deviation": stored.state["decoder.deviation"],
        "filters": mel_filters(tokenizer.config.mel),
        "inverse_filters": search.inverse_filters,
        "turns": search.first_turns,
    }
    arrays = {name: np.ascontiguousarray(table, np.float32) for name, table in tables.items()}
    write_bytes(folder / "tables.safetensors", safetensors.numpy.save(arrays))
    settings = tokenizer.config.model_dump(mode="json") | {
        "fingerprint": tokenizer.fingerprint,
        "vocoder": {"griffin_lim_iters": voice.griffin_lim_iters, "context_frames": voice.context_frames},
    }
    write_text(folder / "model.json", json.dumps(settings, indent=2) + "\n")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Fill web/ with onnxruntime-web and a tokenizer.")
    parser.add_argument("--model", default="default", help="tokenizer: a folder, a bundled name or a Hub id")
    parser.add_argument("--vocoder", default="vocoder", help="vocoder: a folder, a bundled name or a Hub id")
    given = parser.parse_args()
    vendor(FOLDER / "vendor")
    model(FOLDER / "model", given.model, given.vocoder)


if __name__ == "__main__":
    main()
