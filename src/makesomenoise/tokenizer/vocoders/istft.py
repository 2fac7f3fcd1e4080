"""Vocoder that predicts a complex spectrogram and inverts it; knows log-mel frames and nothing of codes.

After Vocos (Siuzdak 2023, arXiv 2306.00814): ConvNeXt blocks at the frame rate, a linear head that gives magnitude and
phase of every bin, and one inverse STFT. Parameter names are those of Vocos, so that its published weights load.
"""

import math
from pathlib import Path
from typing import Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor, nn

from makesomenoise import checkpoint
from makesomenoise.audio.mel import MelConfig
from makesomenoise.config import Config
from makesomenoise.nn.convnext import ConvNeXtBlock

_KERNEL = 7
_LOUDEST = math.log(1e2)
_IGNORED = ("feature_extractor.", "head.istft.")
_DEFAULT_MEL = MelConfig()


class IstftVocoderConfig(Config):
    """Settings of the iSTFT vocoder.

    Attributes:
        kind: tag of this vocoder.
        mel: the log-mel it reads.
        dim: channels of the blocks.
        hidden: channels inside a block.
        layers: number of blocks.
    """

    kind: Literal["istft"] = "istft"
    mel: MelConfig = _DEFAULT_MEL
    dim: int = 256
    hidden: int = 768
    layers: int = 8

    @model_validator(mode="after")
    def _whole_hops(self) -> Self:
        if self.mel.n_fft % (2 * self.mel.hop_samples) or self.mel.n_fft < 4 * self.mel.hop_samples:
            raise ValueError("mel.n_fft must be an even multiple of mel.hop_samples, at least 4 times as long")
        return self


class InverseStft(nn.Module):
    """Overlap-add of windowed frames, frame i centred on sample i * hop."""

    window: Tensor

    def __init__(self, n_fft: int, hop_samples: int):
        super().__init__()
        self.n_fft, self.hop_samples = n_fft, hop_samples
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def forward(self, spectrum: Tensor) -> Tensor:
        """Maps complex [B, T, n_fft // 2 + 1] to a waveform [B, T * hop].

        The sum is divided by that of the squared windows that really overlap, also at both ends.
        """
        frames = torch.fft.irfft(spectrum, n=self.n_fft) * self.window
        envelope = self._overlapped((self.window**2).expand(1, frames.shape[1], -1))
        return self._overlapped(frames) / envelope

    def _overlapped(self, frames: Tensor) -> Tensor:
        batch, count, _ = frames.shape
        overlap = self.n_fft // self.hop_samples
        hops = frames.reshape(batch, count, overlap, self.hop_samples)
        total = sum(nn.functional.pad(hops[:, :, k], (0, 0, k, overlap - 1 - k)) for k in range(overlap))
        return total[:, overlap // 2 : overlap // 2 + count].flatten(1)


class Backbone(nn.Module):
    """Log-mel frames to features: a convolution and ConvNeXt blocks between two LayerNorms."""

    def __init__(self, bands: int, dim: int, hidden: int, layers: int):
        super().__init__()
        self.embed = nn.Conv1d(bands, dim, _KERNEL, padding=_KERNEL // 2)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.convnext = nn.ModuleList(ConvNeXtBlock(dim, hidden, _KERNEL, 1.0 / layers) for _ in range(layers))
        self.final_layer_norm = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, mel: Tensor) -> Tensor:
        """Maps [B, M, T] to [B, T, C]."""
        x = self.norm(self.embed(mel).transpose(1, 2)).transpose(1, 2)
        for block in self.convnext:
            x = block(x)
        return self.final_layer_norm(x.transpose(1, 2))


class Head(nn.Module):
    """Features to waveform: log-magnitude and phase of every bin, then the inverse STFT."""

    def __init__(self, dim: int, n_fft: int, hop_samples: int):
        super().__init__()
        self.out = nn.Linear(dim, n_fft + 2)
        self.istft = InverseStft(n_fft, hop_samples)

    def forward(self, features: Tensor) -> Tensor:
        """Maps [B, T, C] to [B, T * hop]."""
        log_magnitude, phase = self.out(features).float().chunk(2, dim=-1)
        magnitude = log_magnitude.clamp(max=_LOUDEST).exp()
        return self.istft(torch.complex(magnitude * phase.cos(), magnitude * phase.sin()))


class IstftVocoder(nn.Module):
    """Log-mel [B, M, T] to waveform [B, T * hop], frame i centred on sample i * hop."""

    def __init__(self, config: IstftVocoderConfig):
        super().__init__()
        self.config = config
        self.backbone = Backbone(config.mel.n_mels, config.dim, config.hidden, config.layers)
        self.head = Head(config.dim, config.mel.n_fft, config.mel.hop_samples)

    @property
    def context_frames(self) -> int:
        """Frames on either side that a sample depends on; with them a window gives what the whole signal gives."""
        overlap = self.config.mel.n_fft // (2 * self.config.mel.hop_samples)
        return (_KERNEL // 2) * (self.config.layers + 1) + overlap

    def forward(self, mel: Tensor) -> Tensor:
        """Waveform [B, T * hop] of log-mel frames [B, M, T]."""
        return self.head(self.backbone(mel))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Reads a model folder.

        Raises:
            CheckpointError: if its files are missing, damaged or do not match.
        """
        vocoder = cls(checkpoint.load_config(folder, IstftVocoderConfig))
        checkpoint.load_into(vocoder, checkpoint.load_state(folder), str(folder))
        return vocoder.eval()

    def save(self, folder: str | Path, half: bool = False, card: str | None = None) -> None:
        """Writes a model folder, in 16 bits where `half` says so."""
        checkpoint.save_model(folder, self.config, self.state_dict(), half, card)
