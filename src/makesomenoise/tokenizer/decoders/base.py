"""What every decoder is, and the network that the flow and the regression decoder share.

Sharing it makes the comparison fair: with the same settings both have the same parameters.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from makesomenoise.config import Config
from makesomenoise.nn.conditioning import TimeEmbedding
from makesomenoise.nn.convnext import ConvNeXtBlock
from makesomenoise.nn.resample import Downsample, Upsample
from makesomenoise.nn.transformer import TransformerBlock

FRAMES_PER_CODE = 4


class NetworkConfig(Config):
    """Settings of the decoder network.

    Attributes:
        frame_dim: channels at the rate of the frames.
        frame_layers: ConvNeXt blocks there, before and again after the transformer.
        dim: channels at the rate of the codes.
        layers: transformer blocks there.
        heads: attention heads.
    """

    frame_dim: int = 128
    frame_layers: int = 1
    dim: int = 320
    layers: int = 5
    heads: int = 5


@dataclass(frozen=True)
class Reconstruction:
    """What a decoder makes of a training example.

    Attributes:
        loss: the training objective, a scalar.
        mel: [B, M, 4N] the mel that it predicts.
    """

    loss: Tensor
    mel: Tensor


class Decoder(Protocol):
    """Quantized latents [B, D, N] to normalised log-mel [B, M, 4N]."""

    def reconstruct(self, mel: Tensor, latents: Tensor, generator: torch.Generator) -> Reconstruction:
        """The training path for mel [B, M, 4N] given latents [B, D, N]."""
        ...

    def decode(self, latents: Tensor, noise: Tensor, steps: int | None, guidance: float | None) -> Tensor:
        """Latents [B, D, N] and standard normal noise [B, M, 4N] to mel [B, M, 4N]; None takes the trained default."""
        ...


class DecoderNetwork(nn.Module):
    """Mel frames in, mel frames out, steered by latents and by a time.

    Frames are gathered by four into positions of the code rate, where the transformer works: one position then costs
    a quarter, and the latents line up with it.

    Args:
        config: settings.
        n_mels: mel bands M.
        latent_dim: latent channels D.
    """

    def __init__(self, config: NetworkConfig, n_mels: int, latent_dim: int):
        super().__init__()
        frame_dim, dim = config.frame_dim, config.dim
        self.embed = nn.Conv1d(n_mels, frame_dim, 7, padding=3)
        self.frames_in = _frame_blocks(config)
        self.down = Downsample(frame_dim, dim, FRAMES_PER_CODE)
        self.condition = nn.Conv1d(latent_dim, dim, 3, padding=1)
        self.time = TimeEmbedding(dim)
        # One modulation for all blocks plus a learned offset for each (adaLN-single of PixArt) saves a third of them.
        self.modulation = nn.Linear(dim, 6 * dim)
        self.offsets = nn.Parameter(torch.zeros(config.layers, 6, dim))
        self.blocks = nn.ModuleList(TransformerBlock(dim, config.heads, 4 * dim) for _ in range(config.layers))
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.up = Upsample(dim, frame_dim, FRAMES_PER_CODE)
        self.frames_out = _frame_blocks(config)
        self.out = nn.Conv1d(frame_dim, n_mels, 7, padding=3)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, latents: Tensor, t: Tensor) -> Tensor:
        """Transforms frames.

        Args:
            x: [B, M, 4N].
            latents: [B, D, N].
            t: [B] in [0, 1].
        """
        frames = self.frames_in(self.embed(x))
        y = (self.down(frames) + self.condition(latents)).transpose(1, 2)
        modulation = self.modulation(self.time(t)).view(len(t), 6, -1)
        for block, offset in zip(self.blocks, self.offsets, strict=True):
            y = block(y, modulation + offset)
        frames = frames + self.up(self.norm(y).transpose(1, 2))
        return self.out(self.frames_out(frames))


def _frame_blocks(config: NetworkConfig) -> nn.Sequential:
    return nn.Sequential(*(ConvNeXtBlock(config.frame_dim, 3 * config.frame_dim) for _ in range(config.frame_layers)))
