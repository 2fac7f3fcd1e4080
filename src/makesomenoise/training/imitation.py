"""A decoder learns other codes: first it reads in them what it read in those of before, without making any sound.

What a trunk reads is all that the rest of a decoder knows of codes. That rest is most of the work and most of the
skill, and needs no new lesson where the trunk tells it of new codes what it told of the old ones. So the trunk is asked
for that alone, of both tokenizers' codes of the same sound, at a third of the cost of a step of flow matching and with
no noise in the target.
"""

import torch
from pydantic import Field
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from makesomenoise.config import Config
from makesomenoise.tokenizer.decoders.flow import FlowDecoder
from makesomenoise.tokenizer.network import TokenizerNetwork

_EXAMPLES = 48


class ImitationConfig(Config):
    """How a decoder begins with other codes.

    Attributes:
        tokenizer: whose decoder is imitated, of the same network: a model folder or a bundled name.
        share: share of the run for it, at its beginning.
    """

    tokenizer: str
    share: float = Field(default=0.3, gt=0.0, le=1.0)


class Imitation:
    """What the decoder of another tokenizer reads in that one's codes, and how far a decoder is from it.

    Args:
        config: settings.

    Raises:
        CheckpointError: if there is no such tokenizer.
    """

    def __init__(self, config: ImitationConfig):
        self.config = config
        self.before = TokenizerNetwork.load(config.tokenizer).requires_grad_(False)

    def begin(self, network: TokenizerNetwork, examples: Dataset[dict[str, Tensor]]) -> None:
        """Gives a tokenizer the imitated decoder, which reads the straight line from its latents to those of before.

        Args:
            network: of other codes.
            examples: of which the first are looked at.
        """
        decoder, own = _flow(network), _flow(self.before)
        decoder.load_state_dict(own.state_dict())
        waveform = default_collate([examples[number] for number in range(_EXAMPLES)])["waveform"]
        new, old = (_latents(one, waveform).transpose(1, 2).flatten(0, 1) for one in (network, self.before))
        ones = new.new_ones(len(new), 1)
        line = torch.linalg.lstsq(torch.cat((new, ones), 1), old).solution
        layer = decoder.network.latents_in
        with torch.no_grad():
            layer.bias += layer.weight @ line[-1]
            layer.weight.copy_(layer.weight @ line[:-1].T)
            decoder.no_condition.zero_()

    def loss(self, network: TokenizerNetwork, waveform: Tensor, latents: Tensor, dropped: Tensor) -> Tensor:
        """How far what a decoder reads is from what the one before reads: squared, in units of its variance, a scalar.

        Args:
            network: learns.
            waveform: [B, S].
            latents: [B, D, N] of its codes.
            dropped: [B] bool, whether an example has no condition.
        """
        decoder, own = _flow(network), _flow(self.before)
        with torch.no_grad():
            wanted = own.condition(_dropped(own, _latents(self.before, waveform), dropped))
        found = decoder.condition(_dropped(decoder, latents, dropped))
        pairs = ((found.codes, wanted.codes), (found.frames, wanted.frames))
        return torch.stack([(one.float() - other).square().mean() / other.float().var() for one, other in pairs]).sum()


def _flow(network: TokenizerNetwork) -> FlowDecoder:
    assert isinstance(network.decoder, FlowDecoder)  # the configuration sees to it
    return network.decoder


def _latents(network: TokenizerNetwork, waveform: Tensor) -> Tensor:
    return network.forward_frozen(waveform).quantized.latents


def _dropped(decoder: FlowDecoder, latents: Tensor, dropped: Tensor) -> Tensor:
    return torch.where(dropped[:, None, None], decoder.no_condition[:, None], latents)
