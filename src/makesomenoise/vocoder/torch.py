"""Runs a vocoder in torch, on any device, on arrays: what `vocoder.onnx` does without it."""

import numpy as np
import torch

from makesomenoise.config import Teacher
from makesomenoise.engine.torch import inference
from makesomenoise.vocoder.vocos import IstftVocoder


class TorchVocoder:
    """Log-mel [B, M, T] to waveform [B, T * hop].

    Args:
        vocoder: the network; it is moved to the device.
        device: where it computes.
    """

    def __init__(self, vocoder: IstftVocoder, device: str = "cpu"):
        self.vocoder, self._device = vocoder.to(device).eval(), device

    @property
    def context_frames(self) -> int:
        """See `IstftVocoderConfig.context_frames`."""
        return self.vocoder.context_frames

    @property
    def teachers(self) -> tuple[Teacher, ...]:
        """Networks trained elsewhere that had a part in its training."""
        return self.vocoder.config.teachers

    def __call__(self, mel: np.ndarray) -> np.ndarray:
        """Waveform [B, T * hop] of log-mel frames [B, M, T]."""
        with inference(self._device):
            return self.vocoder(torch.from_numpy(np.ascontiguousarray(mel)).to(self._device)).cpu().numpy()
