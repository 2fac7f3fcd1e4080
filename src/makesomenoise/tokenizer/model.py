"""`AudioTokenizer`: waveforms to codes and back. The public face of the package.

Sound of any length is worked on in overlapping windows at fixed places (`streaming.py`), one clip and one window at a
time. That is what makes the promises exact: the codes of a clip do not depend on what else is in the batch, nor on how
a stream was chunked, and memory does not grow with length.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from makesomenoise import checkpoint
from makesomenoise.errors import RequestError
from makesomenoise.tokenizer.config import FRAMES_PER_CODE, TokenizerConfig
from makesomenoise.tokenizer.decoders.base import Quality, as_quality
from makesomenoise.tokenizer.network import TokenizerNetwork
from makesomenoise.tokenizer.streaming import Block, blocks, joined, padded
from makesomenoise.vocoder.loading import Vocoder, load_vocoder

_VOCODER_FRAMES = 384


class AudioTokenizer(nn.Module):
    """Sound as integers.

    Args:
        network: the trained part.
        vocoder: log-mel [B, M, T] to waveform.
    """

    def __init__(self, network: TokenizerNetwork, vocoder: Vocoder):
        super().__init__()
        self.network = network.eval()
        self.vocoder = vocoder
        # What decides on the codes. A decoder may be trained further: what was encoded before stays readable, and a
        # language model that learned the codes keeps its worth.
        self.fingerprint = checkpoint.fingerprint(network.config, network.state_dict(), without="decoder")

    @classmethod
    def load(cls, source: str | Path = "default", vocoder: str | Path = "default", device: str = "cpu") -> Self:
        """Loads a tokenizer.

        Args:
            source: a model folder, a bundled name (`default`, `vqvae`) or a Hub id.
            vocoder: `default`, `griffin-lim`, a vocoder folder, or `hub:<id>` of Vocos weights.
            device: where it computes.

        Raises:
            CheckpointError: if there is no such model, or if its weights and configuration do not match.
        """
        folder = checkpoint.resolve(source)
        network = TokenizerNetwork(checkpoint.load_config(folder, TokenizerConfig))
        checkpoint.load_into(network, checkpoint.load_state(folder), origin=str(source))
        return cls(network, load_vocoder(vocoder, network.config.mel)).to(device)

    def save(self, folder: str | Path) -> None:
        """Writes the tokenizer (without the vocoder) as a model folder."""
        checkpoint.save_model(folder, self.config, self.network.state_dict())

    def push_to_hub(self, repo_id: str) -> None:
        """Uploads the tokenizer as a model repository `owner/name` of the Hugging Face Hub."""
        checkpoint.upload(repo_id, self.config, self.network.state_dict())

    @property
    def config(self) -> TokenizerConfig:
        """The configuration of the trained part."""
        return self.network.config

    @property
    def sample_rate(self) -> int:
        """Samples a second, Hz."""
        return self.config.mel.sample_rate

    @property
    def samples_per_code(self) -> int:
        """Samples that one code stands for."""
        return self.config.mel.hop_samples * FRAMES_PER_CODE

    @property
    def code_rate(self) -> float:
        """Codes a second."""
        return self.sample_rate / self.samples_per_code

    @property
    def codebook_size(self) -> int:
        """Number of codes K."""
        return self.network.quantizer.codebook_size

    @property
    def bits_per_code(self) -> int:
        """Bits that one code takes."""
        return (self.codebook_size - 1).bit_length()

    @property
    def bits_per_second(self) -> float:
        """Bitrate of the packed codes."""
        return self.code_rate * self.bits_per_code

    def encode(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Waveforms to codes.

        Args:
            waveform: [B, S] mono in [-1, 1] at `sample_rate`.
            lengths: [B] samples of each clip; what lies behind is ignored.

        Returns:
            [B, N] int64 with N = ceil(S / samples_per_code). Clip b fills ceil(lengths[b] / samples_per_code) codes;
            the rest of its row is 0.

        Raises:
            RequestError: if the waveform is not [B, S], is empty or is not finite.
        """
        if waveform.dim() != 2 or waveform.shape[1] == 0:  # noqa: PLR2004 - [B, S]
            raise RequestError(f"Expected a waveform [B, S] with S > 0, got shape {list(waveform.shape)}.")
        sizes = [waveform.shape[1]] * len(waveform) if lengths is None else lengths.tolist()
        if len(sizes) != len(waveform) or not all(0 < size <= waveform.shape[1] for size in sizes):
            raise RequestError(f"Expected {len(waveform)} lengths in 1..{waveform.shape[1]}, got {sizes}.")
        count = -(-waveform.shape[1] // self.samples_per_code)
        codes = torch.zeros(len(waveform), count, dtype=torch.int64, device=waveform.device)
        for row, clip, size in zip(codes, waveform, sizes, strict=True):
            found = torch.cat(list(self.stream_encode([clip[:size]])))
            row[: len(found)] = found
        return codes

    def decode(
        self,
        codes: Tensor,
        steps: int | None = None,
        guidance: float | None = None,
        seed: int = 0,
        quality: Quality = "fast",
    ) -> Tensor:
        """Codes to waveforms.

        Args:
            codes: [B, N] in [0, K).
            steps: number of steps; none is the trained number of the quality.
            guidance: scale of the guidance, 1 is off; none is the trained scale.
            seed: the same seed gives the same waveform.
            quality: `fast`, or `best`, which takes several times as long.

        Returns:
            [B, N * samples_per_code].

        Raises:
            RequestError: if the shape is wrong, a code is not in [0, K), or there is no such quality.
        """
        self._check_codes(codes, dimensions=2)
        return torch.stack(
            [torch.cat(list(self.stream_decode([row], steps, guidance, seed, quality))) for row in codes]
        )

    def decode_mel(
        self,
        codes: Tensor,
        steps: int | None = None,
        guidance: float | None = None,
        seed: int = 0,
        quality: Quality = "fast",
    ) -> Tensor:
        """Codes [B, N] to log-mel [B, M, 4N]: `decode` without the vocoder; arguments and errors are the same."""
        self._check_codes(codes, dimensions=2)
        return torch.stack(
            [torch.cat(list(self._stream_mel([row], steps, guidance, seed, quality)), -1) for row in codes]
        )

    def stream_encode(self, chunks: Iterable[Tensor]) -> Iterator[Tensor]:
        """Encodes a stream in constant memory; the codes are those of the whole sound.

        Args:
            chunks: consecutive pieces [s] of a mono waveform.

        Yields:
            consecutive pieces [n] of the codes.

        Raises:
            RequestError: if a sample is not finite.
        """
        window, unit = self.config.window, self.samples_per_code
        # One code more on each side than the network sees: the mel window reaches beyond the frames.
        for block in blocks(padded(chunks, unit), window.codes * unit, (window.context + 1) * unit, filled=True):
            yield self._encode_block(block)

    def stream_decode(
        self,
        chunks: Iterable[Tensor],
        steps: int | None = None,
        guidance: float | None = None,
        seed: int = 0,
        quality: Quality = "fast",
    ) -> Iterator[Tensor]:
        """Decodes a stream in constant memory; the waveform is that of the whole sequence of codes.

        Args:
            chunks: consecutive pieces [n] of the codes.
            steps: see `decode`.
            guidance: see `decode`.
            seed: the same seed gives the same waveform.
            quality: see `decode`.

        Yields:
            consecutive pieces [s] of the waveform.

        Raises:
            RequestError: if a code is not in [0, K), or there is no such quality.
        """
        hop = self.config.mel.hop_samples
        mel = self._stream_mel(chunks, steps, guidance, seed, quality)
        for block in blocks(mel, _VOCODER_FRAMES, self.vocoder.context_frames):
            with torch.inference_mode():
                waveform = self.vocoder(block.content[None])[0]
            yield waveform[block.left * hop : (block.left + block.size) * hop]

    @torch.inference_mode()
    def _encode_block(self, block: Block) -> Tensor:
        if not torch.isfinite(block.content).all():
            raise RequestError("The waveform holds samples that are not finite (NaN or infinity).")
        unit, full = self.samples_per_code, (self.config.window.context + 1) * self.samples_per_code
        mel = self.network.mel(block.content[None])
        start = FRAMES_PER_CODE if block.left < block.number * self.config.window.codes * unit else 0
        stop = mel.shape[-1] - (FRAMES_PER_CODE if block.right == full else 0)
        first = (block.left - (unit if start else 0)) // unit
        return self.network.encode(mel[..., start:stop])[0, first : first + block.size // unit].clone()

    def _stream_mel(
        self, chunks: Iterable[Tensor], steps: int | None, guidance: float | None, seed: int, quality: Quality
    ) -> Iterator[Tensor]:
        as_quality(quality)
        window = self.config.decoder.window

        @torch.inference_mode()
        def decoded(block: Block) -> Tensor:
            self._check_codes(block.content, dimensions=1)
            noise = self._noise(block, seed)
            return self.network.decode(block.content[None], noise[None], steps, guidance, quality)[0]

        pieces = (
            (decoded(block), block.left * FRAMES_PER_CODE, block.right * FRAMES_PER_CODE)
            for block in blocks(chunks, window.codes, window.context, filled=True)
        )
        return joined(pieces, self.config.window.seam_frames)

    def _noise(self, block: Block, seed: int) -> Tensor:
        """Noise [M, 4n] that belongs to absolute places, so that neighbouring windows agree on what they share."""
        window = self.config.decoder.window
        shape = (self.config.mel.n_mels, window.codes * FRAMES_PER_CODE)
        reach = -(-max(block.left, block.right) // window.codes)
        numbers = range(block.number - reach, block.number + reach + 1)
        noise = torch.cat([_drawn(shape, seed, number) for number in numbers], dim=-1)
        start = (reach * window.codes - block.left) * FRAMES_PER_CODE
        length = block.content.shape[-1] * FRAMES_PER_CODE
        return noise[:, start : start + length].to(block.content.device)

    def _check_codes(self, codes: Tensor, dimensions: int) -> None:
        if codes.dim() != dimensions or codes.shape[-1] == 0 or codes.is_floating_point():
            shape = "[B, N]" if dimensions == 2 else "[N]"  # noqa: PLR2004 - [B, N]
            raise RequestError(f"Expected integer codes {shape} with N > 0, got {codes.dtype} {list(codes.shape)}.")
        low, high = int(codes.min()), int(codes.max())
        if low < 0 or high >= self.codebook_size:
            wrong = low if low < 0 else high
            raise RequestError(f"Code {wrong} is outside [0, {self.codebook_size}) of this tokenizer.")


def _drawn(shape: tuple[int, int], seed: int, number: int) -> Tensor:
    # Numbers before the first block belong to no sound; any value does, and manual_seed takes none below zero.
    mixed = (seed * 1_000_003 + max(number, 0)) % 2**63
    return torch.randn(shape, generator=torch.Generator().manual_seed(mixed))
