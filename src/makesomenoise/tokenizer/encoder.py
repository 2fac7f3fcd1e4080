"""Log-mel frames to latents at a quarter of their rate.

Two branches look at the same mel. The semantic branch, two-dimensional convolutions that shrink time and frequency
alike, tells at little cost what sounds (to a third of a second); it can be trained on labels first. The fine branch
follows single frames. Transformer blocks at the rate of the codes see both, and, where the configuration asks for it,
which bands stand out: the fine branch alone was slow to learn pitch.
"""

import torch
from torch import Tensor, nn

from makesomenoise.audio.peaks import peak_shares
from makesomenoise.nn.across import BatchNorm1d
from makesomenoise.nn.convnext import ConvNeXtBlock
from makesomenoise.nn.resample import Downsample
from makesomenoise.nn.spectrogram import TRUNK_STRIDE, SpectrogramTrunk
from makesomenoise.nn.transformer import TransformerBlock
from makesomenoise.tokenizer.config import CODES_PER_POSITION, FRAMES_PER_CODE, EncoderConfig, SemanticBranchConfig


class SemanticBranch(nn.Module):
    """The semantic branch.

    Args:
        config: settings.
        n_mels: mel bands M.
    """

    def __init__(self, config: SemanticBranchConfig, n_mels: int):
        super().__init__()
        self.trunk = SpectrogramTrunk(config.channels)
        self.project = nn.Linear(config.channels[-1] * -(-n_mels // TRUNK_STRIDE), config.dim)
        self.blocks = nn.ModuleList(
            TransformerBlock(config.dim, config.heads, 4 * config.dim) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.dim, eps=1e-6)

    def forward(self, mel: Tensor) -> Tensor:
        """Normalised log-mel [B, M, T] to [B, C, ceil(T / 32)]."""
        maps = self.trunk(mel[:, None].contiguous(memory_format=torch.channels_last))
        x = self.project(maps.flatten(1, 2).transpose(1, 2))
        for block in self.blocks:
            x = block(x)
        return self.norm(x).transpose(1, 2)


class Encoder(nn.Module):
    """Both branches, and what puts them together.

    Args:
        config: settings.
        n_mels: mel bands M.
    """

    def __init__(self, config: EncoderConfig, n_mels: int):
        super().__init__()
        # The names of weights are those of the first models: they are part of every fingerprint.
        self.scene = SemanticBranch(config.semantic_branch, n_mels)
        self.scene_in = nn.Conv1d(config.semantic_branch.dim, config.dim, 1)
        self.embed = nn.Conv1d(n_mels, config.frame_dim, 7, padding=3)
        self.frame_blocks = nn.Sequential(
            *(ConvNeXtBlock(config.frame_dim, 3 * config.frame_dim) for _ in range(config.frame_layers))
        )
        self.down = Downsample(config.frame_dim, config.dim, FRAMES_PER_CODE)
        self.peaks = (
            nn.Conv1d(n_mels, config.dim, FRAMES_PER_CODE, FRAMES_PER_CODE) if config.spectral_peak_input else None
        )
        self.blocks = nn.ModuleList(
            TransformerBlock(config.dim, config.heads, 4 * config.dim) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.dim, eps=1e-6)
        self.out = nn.Linear(config.dim, config.latent_dim)
        # Each latent channel is kept at mean 0 and variance 1 over the data. Without it the latents of a young encoder
        # all point the same way and share a handful of codes (perplexity 2 after 200 steps, 250 with it).
        self.spread = BatchNorm1d(config.latent_dim, affine=False)

    def forward(self, mel: Tensor) -> Tensor:
        """Normalised log-mel [B, M, 4N] to latents [B, D, N]."""
        fine = self.down(self.frame_blocks(self.embed(mel)))
        if self.peaks is not None:
            # Even shares are 0; a lone tone is 20.
            fine = fine + self.peaks((peak_shares(mel) * mel.shape[1] - 1.0) / 5.0)
        coarse = self.scene_in(self.scene(mel)).repeat_interleave(CODES_PER_POSITION, dim=-1)
        x = (fine + coarse[..., : fine.shape[-1]]).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return self.spread(self.out(self.norm(x)).transpose(1, 2))
