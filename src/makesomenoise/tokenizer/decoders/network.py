"""The network that the flow and the regression decoder share, which makes their comparison fair.

A trunk reads the latents once a decoding, at the rate of the codes. What is asked in every step works mostly at the
rate of the frames and wide enough there (384 channels for 100 bands) that the noise of a frame passes through; in its
middle, four frames are gathered into one position of the code rate, where long spans of time are cheap. All layers are
convolutions: a sound of any length goes, and a place sees only its surroundings.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from makesomenoise.nn.conditioning import Modulation, StepEmbedding
from makesomenoise.nn.convnext import AdaptiveConvNeXtBlock
from makesomenoise.tokenizer.config import FRAMES_PER_CODE, NetworkConfig


@dataclass(frozen=True)
class Condition:
    """What the trunk read in the latents.

    Attributes:
        codes: [B, N, C] at the rate of the codes.
        frames: [B, 4N, F] at the rate of the frames.
    """

    codes: Tensor
    frames: Tensor


class DecoderNetwork(nn.Module):
    """Mel frames in, mel frames out, steered by latents and by the step of a sampler.

    Args:
        config: settings.
        n_mels: mel bands M.
        latent_dim: latent channels D.
    """

    def __init__(self, config: NetworkConfig, n_mels: int, latent_dim: int):
        super().__init__()
        dim, frame_dim = config.dim, config.frame_dim
        gathered = FRAMES_PER_CODE * frame_dim
        self.latents_in = nn.Linear(latent_dim, dim)
        self.trunk = _code_blocks(config, config.trunk_layers)
        self.trunk_norm = nn.LayerNorm(dim, eps=1e-6)
        self.trunk_up = nn.Linear(dim, gathered)
        self.step = StepEmbedding(dim)
        self.frame_modulation = Modulation(dim, frame_dim, 2 * config.frame_layers)
        self.code_modulation = Modulation(dim, dim, config.middle_layers)
        self.mel_in = nn.Linear(n_mels, frame_dim)
        self.frames_before = _frame_blocks(config)
        self.down = nn.Linear(gathered, dim)
        self.middle = _code_blocks(config, config.middle_layers)
        self.middle_norm = nn.LayerNorm(dim, eps=1e-6)
        self.up = nn.Linear(dim, gathered)
        self.frames_after = _frame_blocks(config)
        self.norm = nn.LayerNorm(frame_dim, eps=1e-6)
        self.mel_out = nn.Linear(frame_dim, n_mels)
        nn.init.zeros_(self.mel_out.weight)
        nn.init.zeros_(self.mel_out.bias)

    def condition(self, latents: Tensor) -> Condition:
        """Reads latents [B, N, D], once for all steps of a decoding."""
        x = self.latents_in(latents)
        for block in self.trunk:
            x = block(x)
        x = self.trunk_norm(x)
        return Condition(x, _to_frames(self.trunk_up(x)))

    def forward(
        self, x: Tensor, condition: Condition, t: Tensor, span: Tensor | None = None, guidance: Tensor | None = None
    ) -> Tensor:
        """Transforms frames.

        Args:
            x: [B, 4N, M].
            condition: what `condition` gave for the latents.
            t: [B] in [0, 1].
            span: [B] how far the step jumps; none is an instant.
            guidance: [B] scale of the guidance; none is 1.

        Returns:
            [B, 4N, M] in 32 bits.
        """
        embedding = self.step(t, span, guidance)
        by_frame, by_code = self.frame_modulation(embedding), self.code_modulation(embedding)
        frames = _through(self.frames_before, self.mel_in(x) + condition.frames, by_frame[: len(self.frames_before)])
        codes = _through(self.middle, self.down(_to_codes(frames)) + condition.codes, by_code)
        frames = frames + _to_frames(self.up(self.middle_norm(codes)))
        frames = _through(self.frames_after, frames, by_frame[len(self.frames_before) :])
        return self.mel_out(self.norm(frames)).float()


def _frame_blocks(config: NetworkConfig) -> nn.ModuleList:
    hidden = config.expansion * config.frame_dim
    return nn.ModuleList(
        AdaptiveConvNeXtBlock(config.frame_dim, hidden, config.kernel) for _ in range(config.frame_layers)
    )


def _code_blocks(config: NetworkConfig, layers: int) -> nn.ModuleList:
    hidden = config.expansion * config.dim
    return nn.ModuleList(AdaptiveConvNeXtBlock(config.dim, hidden, config.trunk_kernel) for _ in range(layers))


def _through(blocks: nn.ModuleList, x: Tensor, modulations: list[Tensor]) -> Tensor:
    for block, modulation in zip(blocks, modulations, strict=True):
        x = block(x, modulation)
    return x


def _to_codes(frames: Tensor) -> Tensor:
    """[B, 4N, F] to [B, N, 4F]: the four frames of a code side by side, as they lie in memory."""
    return frames.reshape(len(frames), -1, FRAMES_PER_CODE * frames.shape[-1])


def _to_frames(codes: Tensor) -> Tensor:
    """[B, N, 4F] to [B, 4N, F]; inverse of `_to_codes`."""
    return codes.reshape(len(codes), -1, codes.shape[-1] // FRAMES_PER_CODE)
