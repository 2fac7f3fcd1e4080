"""Runs the networks of a tokenizer in torch, on any device."""

import numpy as np
import torch
from torch import Tensor

from makesomenoise.engine.base import Condition
from makesomenoise.engine.torch import inference
from makesomenoise.tokenizer.decoders import network
from makesomenoise.tokenizer.network import TokenizerNetwork


class TorchCodec:
    """A `CodecEngine` around a torch module.

    Args:
        module: the networks; they are moved to the device.
        device: where they compute.
    """

    def __init__(self, module: TokenizerNetwork, device: str = "cpu"):
        self._module, self.device = module.to(device).eval(), device
        decoder = module.get_submodule("decoder.network")
        assert isinstance(decoder, network.DecoderNetwork)  # both kinds of decoder have one
        self._decoder = decoder

    def encode(self, mel: np.ndarray) -> np.ndarray:
        """See `CodecEngine`."""
        with inference(self.device):
            return self._module.encode(self._given(mel)).cpu().numpy()

    def condition(self, latents: np.ndarray) -> Condition:
        """See `CodecEngine`."""
        with inference(self.device):
            found = self._decoder.condition(self._given(latents))
            return Condition(found.codes.cpu().numpy(), found.frames.cpu().numpy())

    def denoise(
        self, x: np.ndarray, condition: Condition, t: np.ndarray, span: np.ndarray, guidance: np.ndarray
    ) -> np.ndarray:
        """See `CodecEngine`."""
        read = network.Condition(self._given(condition.by_code), self._given(condition.by_frame))
        steps = (self._given(step) for step in (t, span, guidance))
        with inference(self.device):
            return self._decoder(self._given(x), read, *steps).cpu().numpy()

    def _given(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)
