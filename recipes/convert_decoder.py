"""Makes a tokenizer folder of a flow decoder that was trained by itself: its weights, with an encoder and a quantizer.

    python -m recipes.convert_decoder WEIGHTS.safetensors default FOLDER

WEIGHTS has the layout of the experiment that the decoder comes from: a file of its own, with other names of layers,
matrices in 8 bits with a scale for each row or plain floats. Codes stay what they are: encoder and quantizer are those
of the tokenizer that is named.
"""

import argparse
import re
from pathlib import Path

import torch
from torch import Tensor

from makesomenoise import checkpoint, model_folder
from makesomenoise.checkpoint import CheckpointError, Storage
from makesomenoise.files import is_free
from makesomenoise.tokenizer.config import DecoderConfig, FlowConfig, NetworkConfig, TokenizerConfig
from makesomenoise.tokenizer.network import TokenizerNetwork
from recipes.gpu.errors import ending

DECODER = "decoder."
LAYERS = {  # of the experiment: of the decoder
    "read": "network.latents_in",
    "trunk": "network.trunk",
    "trunk_norm": "network.trunk_norm",
    "to_frames": "network.trunk_up",
    "time.0": "network.step.time",
    "time.2": "network.step.hidden",
    "jump": "network.step.jump",
    "frame_modulation": "network.frame_modulation",
    "code_modulation": "network.code_modulation",
    "embed": "network.mel_in",
    "before": "network.frames_before",
    "gather": "network.down",
    "middle": "network.middle",
    "middle_norm": "network.middle_norm",
    "scatter": "network.up",
    "after": "network.frames_after",
    "norm": "network.norm",
    "out": "network.mel_out",
    "no_condition": "no_condition",
    "mean": "mean",
    "deviation": "deviation",
}


def convert_flow(weights: Path, tokenizer: str, folder: Path, storage: Storage) -> None:
    """Writes a tokenizer whose flow decoder has the weights of the experiment.

    Args:
        weights: safetensors file of the experiment.
        tokenizer: model folder or bundled name that gives encoder and quantizer.
        folder: receives the model.
        storage: see `checkpoint.save_model`.

    Raises:
        CheckpointError: if a file is missing or damaged, or does not fit.
    """
    decoder = flow_state(checkpoint.load_weights(weights))
    config = FlowConfig(network=network_config(decoder))
    write_tokenizer(folder, tokenizer, config, decoder, storage)


def flow_state(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights under the names of `FlowDecoder`.

    Raises:
        CheckpointError: if a name is not one of the experiment.
    """
    state = {renamed(name): tensor for name, tensor in weights.items()}
    for name, tensor in state.items():
        if name.endswith("mix.weight"):  # [K, C] there, [C, 1, K] in a convolution of groups
            state[name] = tensor.T[:, None].contiguous()
    if "network.step.jump.weight" not in state:  # trained on velocities alone
        state["network.step.jump.weight"] = torch.zeros(len(state["network.step.hidden.bias"]), 34)
    return state


def renamed(name: str) -> str:
    """The name of a tensor in `FlowDecoder`: the longest known layer is replaced."""
    for layer in sorted(LAYERS, key=len, reverse=True):
        if name == layer or name.startswith(f"{layer}."):
            return LAYERS[layer] + name.removeprefix(layer)
    raise CheckpointError(f"Unknown weights '{name}': expected those of the flow decoder's experiment.")


def network_config(state: dict[str, Tensor]) -> NetworkConfig:
    """The settings that the shapes of a decoder's weights tell."""
    frame_dim, _, kernel = state["network.frames_before.0.mix.weight"].shape
    dim, _, trunk_kernel = state["network.trunk.0.mix.weight"].shape
    return NetworkConfig(
        frame_dim=frame_dim,
        dim=dim,
        trunk_layers=count(state, "network.trunk"),
        middle_layers=count(state, "network.middle"),
        frame_layers=count(state, "network.frames_before"),
        kernel=kernel,
        trunk_kernel=trunk_kernel,
        expansion=len(state["network.trunk.0.up.bias"]) // dim,
    )


def count(state: dict[str, Tensor], layers: str) -> int:
    """Number of the layers in a row of them."""
    return len({found[1] for name in state if (found := re.match(rf"{re.escape(layers)}\.(\d+)\.", name))})


def write_tokenizer(
    folder: Path,
    tokenizer: str,
    decoder_config: DecoderConfig,
    decoder: dict[str, Tensor],
    storage: Storage,
    origin: str | None = None,
) -> None:
    """Writes a tokenizer with another decoder, after checking that all of it fits together.

    Args:
        folder: new or empty; receives the model.
        tokenizer: model folder or bundled name that gives encoder, quantizer and all settings but the decoder's.
        decoder_config: settings of the decoder.
        decoder: its weights by name.
        storage: see `checkpoint.save_model`.
        origin: where its weights came from, named in errors; none: `folder`.

    Raises:
        CheckpointError: if the folder is in use, if there is no such tokenizer, or if the weights do not fit.
    """
    if not is_free(folder):
        raise CheckpointError(f"{folder} holds something already: name a new or empty folder.")
    source = model_folder.resolve(tokenizer)
    config = model_folder.load_config(source, TokenizerConfig, {"decoder": decoder_config.model_dump()})
    kept = {name: t for name, t in checkpoint.load_state(source).items() if not name.startswith(DECODER)}
    state = kept | {DECODER + name: tensor for name, tensor in decoder.items()}
    network = TokenizerNetwork(config)
    checkpoint.load_into(network, state, origin or str(folder))
    checkpoint.save_model(folder, config, network.state_dict(), storage)
    print(f"{folder}: codes of {checkpoint.model_fingerprint(config, state)}")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="the safetensors file")
    parser.add_argument("tokenizer", help="gives encoder and quantizer: a model folder or a bundled name")
    parser.add_argument("folder", type=Path, help="receives the model, new or empty")
    parser.add_argument("--storage", choices=["float32", "float16", "int8"], default="int8")
    given = parser.parse_args()
    convert_flow(given.weights, given.tokenizer, given.folder, given.storage)


if __name__ == "__main__":
    ending(main, (CheckpointError,))
