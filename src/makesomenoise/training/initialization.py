"""What a tokenizer's training starts from, and which of its weights stay as they are."""

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, default_collate

from makesomenoise import checkpoint
from makesomenoise.model_folder import CheckpointError, load_config, resolve
from makesomenoise.tokenizer.config import TokenizerConfig
from makesomenoise.tokenizer.decoders.base import BandStandardiser
from makesomenoise.tokenizer.decoders.flow import FlowDecoder
from makesomenoise.tokenizer.encoder import SemanticBranch
from makesomenoise.tokenizer.network import TokenizerNetwork

NEW_DECODER = "new"
_DECODER, _BRANCH = "decoder.", "encoder.scene."
_BAND_EXAMPLES = 64
_TRUNK = ("latents_in", "trunk", "trunk_norm")


def load_start(network: TokenizerNetwork, source: str, decoder_source: str | None) -> None:
    """Copies the weights of other tokenizers.

    Args:
        network: receives them.
        source: a model folder or a bundled name.
        decoder_source: another one whose decoder is taken in place of its own, or `NEW_DECODER` to keep the network's.
            A regression decoder may take a flow decoder's weights, whose network is the same.

    Raises:
        CheckpointError: if there is no such model or it does not fit.
    """
    own, state = network.state_dict(), checkpoint.load_state(resolve(source))
    if decoder_source is not None:
        other = own if decoder_source == NEW_DECODER else checkpoint.load_state(resolve(decoder_source))
        decoder = {name: tensor for name, tensor in other.items() if name.startswith(_DECODER) and name in own}
        state = {name: tensor for name, tensor in state.items() if not name.startswith(_DECODER)} | decoder
    checkpoint.load_into(network, state, source if decoder_source is None else f"{source} and {decoder_source}")


def refuse_other_codes(config: TokenizerConfig, source: str) -> None:
    """Refuses to keep the codes of a tokenizer under settings that make others of the same weights.

    Raises:
        CheckpointError: if a setting that decides on codes differs.
    """
    ours, theirs = config.identity(), load_config(resolve(source), TokenizerConfig).identity()
    if ours != theirs:
        raise CheckpointError(
            f"The codes of {source} are to stay (freeze_codes), and it makes them with {theirs or 'the usual settings'}"
            f", where the configuration says {ours or 'nothing of that'}: give the same `model`."
        )


def load_semantic_branch(branch: SemanticBranch, source: str) -> None:
    """Copies the weights of a semantic branch that was trained alone, or of that of a tokenizer.

    Raises:
        CheckpointError: if there is no such model or it does not fit.
    """
    state = checkpoint.load_state(resolve(source))
    of_tokenizer = {name.removeprefix(_BRANCH): tensor for name, tensor in state.items() if name.startswith(_BRANCH)}
    checkpoint.load_into(branch, of_tokenizer or state, source)


def coding_parts(network: TokenizerNetwork) -> list[nn.Module]:
    """The modules that decide on the codes."""
    return [network.encoder, network.get_submodule("quantizer")]


def freeze_denoiser(network: TokenizerNetwork) -> None:
    """Keeps what a decoder makes of what it has read in the latents, its jumps too."""
    for name, module in network.get_submodule("decoder.network").named_children():
        if name not in (*_TRUNK, "trunk_up"):
            module.requires_grad_(False)


def freeze_trunk(network: TokenizerNetwork) -> None:
    """Keeps what a decoder reads in the latents, which then costs no backward pass."""
    steps = network.get_submodule("decoder.network")
    for name in _TRUNK:
        steps.get_submodule(name).requires_grad_(False)
    if isinstance(network.decoder, FlowDecoder):
        network.decoder.no_condition.requires_grad_(False)


@torch.no_grad()
def fit_bands(network: TokenizerNetwork, examples: Dataset[dict[str, Tensor]]) -> None:
    """Sets mean and deviation of the decoder's bands to those of the first examples."""
    first = default_collate([examples[number] for number in range(_BAND_EXAMPLES)])
    mel = network.config.scale.normalise(network.mel(first["waveform"]))
    decoder = network.decoder
    assert isinstance(decoder, BandStandardiser)  # every decoder is one
    decoder.fit_bands(mel)
