"""Writes the graphs of a tokenizer and its vocoder as files, for runtimes other than ours; ours builds them itself."""

from pathlib import Path

from makesomenoise import checkpoint, model_folder
from makesomenoise.engine.graph import GraphBuilder, stored_tensors
from makesomenoise.files import make_folder, write_bytes
from makesomenoise.tokenizer import graphs
from makesomenoise.tokenizer.config import TokenizerConfig
from makesomenoise.vocoder.config import IstftVocoderConfig
from makesomenoise.vocoder.onnx import vocoder_graph

VOCODER_FOLDER = "vocoder"


def export_tokenizer(source: str | Path, folder: str | Path, vocoder: str | Path = "vocoder") -> list[Path]:
    """Writes `encoder.onnx`, `trunk.onnx` and `denoiser.onnx`, and `vocoder/vocoder.onnx`, each beside its weights.

    The graphs hold no weights: they point into the `model.safetensors` beside them. No operator of theirs computes with
    complex numbers, so that they run in a browser too. Each carries the fingerprint of the codes as metadata.

    Args:
        source: a model folder, a bundled name or a Hub id of a tokenizer.
        folder: made if missing; files in it are replaced.
        vocoder: a model folder, a bundled name or a Hub id of a vocoder.

    Returns:
        The graphs.

    Raises:
        CheckpointError: if there is no such model.
        GraphError: if no graph is known for it.
        FileError: if the folder cannot be written.
    """
    origin, voice = model_folder.resolve(source), model_folder.resolve(vocoder)
    stored = checkpoint.load_model(origin, TokenizerConfig, lambda name: not name.startswith("decoder."))
    config = stored.config
    weights = stored_tensors(origin / checkpoint.WEIGHTS_FILE)
    graphs.check_sizes(config, weights, str(source))
    metadata = {"fingerprint": stored.fingerprint}
    parts = {
        "encoder": graphs.encoder_graph(config, weights),
        "trunk": graphs.trunk_graph(config, weights),
        "denoiser": graphs.denoiser_graph(config, weights),
    }
    written = _write(origin, make_folder(folder), parts, metadata)
    voice_config = model_folder.load_config(voice, IstftVocoderConfig)
    parts = {"vocoder": vocoder_graph(voice_config, voice / checkpoint.WEIGHTS_FILE)}
    return written + _write(voice, make_folder(Path(folder) / VOCODER_FOLDER), parts, metadata)


def _write(origin: Path, folder: Path, parts: dict[str, GraphBuilder], metadata: dict[str, str]) -> list[Path]:
    for name in (checkpoint.CONFIG_FILE, checkpoint.WEIGHTS_FILE):
        if not (folder / name).exists() or not (folder / name).samefile(origin / name):
            write_bytes(folder / name, (origin / name).read_bytes())
    for name, graph in parts.items():
        write_bytes(folder / f"{name}.onnx", graph.to_bytes(metadata))
    return [folder / f"{name}.onnx" for name in parts]
