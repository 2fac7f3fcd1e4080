"""`AudioTokenizer`: waveforms to codes and back. The public face of the package.

Sound of any length is worked on in overlapping windows at fixed places (`streaming.py`), and the network sees as many
of them at once as `windows_at_once` says, whether a batch has more or fewer. That is what makes the promises exact: the
codes of a clip do not depend on what else is in the batch, nor on how a stream was chunked, and memory does not grow
with length.
"""

import copy
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from makesomenoise import checkpoint
from makesomenoise.audio import arrays
from makesomenoise.errors import RequestError
from makesomenoise.tokenizer.config import FRAMES_PER_CODE, DecodingWindow, TokenizerConfig
from makesomenoise.tokenizer.decoders.base import Quality, as_quality
from makesomenoise.tokenizer.network import TokenizerNetwork
from makesomenoise.tokenizer.streaming import Block, blocks, joined, padded, run_in_groups
from makesomenoise.vocoder.loading import Vocoder, load_vocoder

PADDING = -1  # behind the codes of a clip that is shorter than others of its batch; no code
_VOCODER_FRAMES = 384
_WINDOWS_AT_ONCE = 16  # of a GPU; a CPU is busy with one


class AudioTokenizer(nn.Module):
    """Sound as integers.

    Args:
        network: the trained part.
        vocoder: log-mel [B, M, T] to waveform.
        windows_at_once: windows that the network sees together, always so many: how floating-point sums are rounded
            depends on their number. None: 1 on a CPU, 16 elsewhere.

    It can be a part of any module: `train()` leaves it as it is, its weights take no gradients, and what would make it
    compute in another precision, and so change its codes, is refused.
    """

    def __init__(self, network: TokenizerNetwork, vocoder: Vocoder, windows_at_once: int | None = None):
        super().__init__()
        self._short_window: DecodingWindow | None = None
        self.network = network.requires_grad_(False).eval()
        self.vocoder = vocoder
        self.windows_at_once = windows_at_once
        self._known: tuple[object, str] | None = None

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
        stored = checkpoint.load_model(folder, TokenizerConfig)
        network = TokenizerNetwork(stored.config)
        checkpoint.load_into(network, stored.state, origin=str(source))
        return cls(network, load_vocoder(vocoder, network.config.mel)).to(device)

    def save(self, folder: str | Path) -> None:
        """Writes the tokenizer (without the vocoder) as a model folder."""
        checkpoint.save_model(folder, self.config, self.network.state_dict())

    def push_to_hub(self, repo_id: str) -> None:
        """Uploads the tokenizer as a model repository `owner/name` of the Hugging Face Hub."""
        checkpoint.upload(repo_id, self.config, self.network.state_dict())

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with what decides on the codes, also if weights are changed in place."""
        state = self.network.state_dict(keep_vars=True)
        versions = tuple(
            (tensor.data_ptr(), 0 if tensor.is_inference() else tensor._version) for tensor in state.values()
        )
        if self._known is None or self._known[0] != versions:
            self._known = versions, checkpoint.model_fingerprint(self.config, self.network.state_dict())
        return self._known[1]

    @property
    def device(self) -> torch.device:
        """Where it computes; what it is given is moved there."""
        return next(self.network.parameters()).device

    def train(self, mode: bool = True) -> Self:
        """Stays ready to be used: statistics that moved with what it sees would change its codes."""
        del mode
        return super().train(False)

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        wanted = fn(torch.zeros(1, device=self.device)).dtype
        if wanted != torch.float32:
            raise RequestError(
                f"An AudioTokenizer computes in float32 and cannot be made {wanted}, which would change its codes: "
                "convert the other modules one by one, or use torch.autocast, which it keeps out of."
            )
        return super()._apply(fn, recurse)

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

    def encode(
        self, waveform: arrays.Array, lengths: arrays.Array | None = None, sample_rate: int | None = None
    ) -> Tensor:
        """Waveforms to codes.

        Args:
            waveform: [B, S] mono in [-1, 1]: a tensor, NumPy array or list. Integers of 8, 16 and 32 bits count from
                their full scale; channels (`[S, C]` or `[B, C, S]`) are averaged, with an `AudioWarning`.
            lengths: [B] samples of each clip; what lies behind is ignored.
            sample_rate: of the waveform, Hz, if it is not that of the tokenizer; it is resampled.

        Returns:
            [B, N] int64 with N = ceil(S / samples_per_code), where S counts at the tokenizer's rate. Clip b fills
            ceil(lengths[b] / samples_per_code) codes; the rest of its row is `PADDING`, which is no code.

        Raises:
            RequestError: if the waveform has another shape, is empty, is not finite, or is louder than sound is.
        """
        waveform = arrays.batch(waveform)
        sizes = [waveform.shape[1]] * len(waveform) if lengths is None else arrays.integers(lengths).tolist()
        if len(sizes) != len(waveform) or not all(0 < size <= waveform.shape[1] for size in sizes):
            raise RequestError(f"Expected {len(waveform)} lengths in 1..{waveform.shape[1]}, got {sizes}.")
        rate, longest = self.sample_rate if sample_rate is None else sample_rate, waveform.shape[1]
        clips = [
            arrays.at_rate(clip[:size], rate, self.sample_rate) for clip, size in zip(waveform, sizes, strict=True)
        ]
        if rate != self.sample_rate:
            longest = max(len(clip) for clip in clips)
        window, unit = self.config.window, self.samples_per_code
        streams = [
            # One code more on each side than the network sees: the mel window reaches beyond the frames.
            blocks(padded([clip.to(self.device)], unit), window.codes * unit, (window.context + 1) * unit, filled=True)
            for clip in clips
        ]
        found = run_in_groups(streams, self._encode_group, self._encode_shape, self._at_once)
        codes = torch.full((len(clips), -(-longest // unit)), PADDING, device=self.device)
        for row, windows in zip(codes, found, strict=True):
            whole = torch.cat([piece for _, piece in windows])
            row[: len(whole)] = whole
        return codes

    def decode(
        self,
        codes: arrays.Array,
        steps: int | None = None,
        guidance: float | None = None,
        seed: int = 0,
        quality: Quality = "fast",
    ) -> Tensor:
        """Codes to waveforms.

        Args:
            codes: [B, N] in [0, K), or `PADDING` behind the last code of a row.
            steps: number of steps; none is the trained number of the quality.
            guidance: scale of the guidance, 1 is off; none is the trained scale.
            seed: the same seed gives the same waveform.
            quality: `fast`, or `best`, which takes several times as long.

        Returns:
            [B, N * samples_per_code]; behind the last code of a row it is silent.

        Raises:
            RequestError: if the shape is wrong, a code is not in [0, K), or there is no such quality.
        """
        codes = arrays.integers(codes)
        mels = self._decode_rows(codes, steps, guidance, seed, quality)
        streams = [blocks([mel], _VOCODER_FRAMES, self.vocoder.context_frames) for mel in mels]
        found = run_in_groups(streams, self._vocode_group, _shape, self._at_once)
        rows = [torch.cat([waveform for _, waveform in row]) for row in found]
        rows.append(rows[0].new_empty(codes.shape[1] * self.samples_per_code))  # as long as a row without padding
        return nn.utils.rnn.pad_sequence(rows, batch_first=True)[:-1]

    def decode_mel(
        self,
        codes: arrays.Array,
        steps: int | None = None,
        guidance: float | None = None,
        seed: int = 0,
        quality: Quality = "fast",
    ) -> Tensor:
        """Codes [B, N] without padding to log-mel [B, M, 4N]: `decode` without the vocoder; errors are the same."""
        return torch.stack(self._decode_rows(arrays.integers(codes), steps, guidance, seed, quality))

    def stream_encode(self, chunks: Iterable[arrays.Array]) -> Iterator[Tensor]:
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
        pieces = (arrays.piece(chunk).to(self.device) for chunk in chunks)
        for block in blocks(padded(pieces, unit), window.codes * unit, (window.context + 1) * unit, filled=True):
            yield self._encode_group([block])[0]

    def stream_decode(
        self,
        chunks: Iterable[arrays.Array],
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
        mel = self._stream_mel(map(arrays.integers, chunks), steps, guidance, seed, quality)
        frames = _VOCODER_FRAMES
        if self._short_window is not None:  # half of it, so that the first one is heard before the second is there
            frames = min(self._short_window.codes * FRAMES_PER_CODE // 2, frames)
        for block in blocks(mel, frames, self.vocoder.context_frames):
            yield self._vocode_group([block])[0]

    def with_window(self, window: DecodingWindow) -> Self:
        """The same tokenizer that cuts codes for decoding in another way, which gives slightly another waveform.

        Args:
            window: short ones let the beginning of a stream be heard before its last codes are there.
        """
        other = copy.copy(self)
        other._short_window = window
        return other

    @property
    def _decoding_window(self) -> DecodingWindow:
        return self._short_window or self.config.decoder.window

    @property
    def _at_once(self) -> int:
        return self.windows_at_once or (1 if self.device.type == "cpu" else _WINDOWS_AT_ONCE)

    def _encode_shape(self, block: Block) -> tuple[int, int, int]:
        """What windows must have in common to be encoded together: their length and the frames the network sees.

        samples   | left               | size               | right             |
        frames    |....[start                                          stop]....|    at most a code's on each side

        """
        unit, full = self.samples_per_code, (self.config.window.context + 1) * self.samples_per_code
        length = block.content.shape[-1]
        start = FRAMES_PER_CODE if block.left < block.number * self.config.window.codes * unit else 0
        stop = length // self.config.mel.hop_samples - (FRAMES_PER_CODE if block.right == full else 0)
        return length, start, stop

    @torch.inference_mode()
    def _encode_group(self, group: Sequence[Block]) -> list[Tensor]:
        """Codes [n] of each of some blocks that have their `_encode_shape` in common."""
        waveforms = self._full([block.content for block in group])
        if not torch.isfinite(waveforms).all():
            raise RequestError("The waveform holds samples that are not finite (NaN or infinity).")
        _, start, stop = self._encode_shape(group[0])
        unit = self.samples_per_code
        with torch.autocast(self.device.type, enabled=False):
            codes = self.network.encode(self.network.mel(waveforms)[..., start:stop])
        firsts = [(block.left - (unit if start else 0)) // unit for block in group]
        return [
            row[first : first + block.size // unit].clone()
            for row, first, block in zip(codes, firsts, group, strict=False)
        ]

    def _decode_rows(
        self, codes: Tensor, steps: int | None, guidance: float | None, seed: int, quality: Quality
    ) -> list[Tensor]:
        """Log-mel [M, 4n] of each row of codes [B, N], without its padding."""
        as_quality(quality)
        codes = codes.to(self.device)
        self._check_codes(codes.clamp_min(0) if codes.dim() == 2 and _ends_padded(codes) else codes, dimensions=2)  # noqa: PLR2004 - [B, N]
        window = self._decoding_window
        streams = [blocks([row[row != PADDING]], window.codes, window.context, filled=True) for row in codes]

        def decoded(group: Sequence[Block]) -> list[Tensor]:
            return self._decode_group(group, steps, guidance, seed, quality)

        found = run_in_groups(streams, decoded, _shape, self._at_once)
        return [torch.cat(list(self._joined(row)), dim=-1) for row in found]

    @torch.inference_mode()
    def _decode_group(
        self, group: Sequence[Block], steps: int | None, guidance: float | None, seed: int, quality: Quality
    ) -> list[Tensor]:
        """Log-mel [M, 4n] of each of some blocks of codes of the same length."""
        codes = self._full([block.content for block in group])
        noise = self._full([self._noise(block, seed) for block in group])
        with torch.autocast(self.device.type, enabled=False):
            return list(self.network.decode(codes, noise, steps, guidance, quality)[: len(group)])

    @torch.inference_mode()
    def _vocode_group(self, group: Sequence[Block]) -> list[Tensor]:
        """Waveform [s] of each of some blocks of log-mel of the same length."""
        hop = self.config.mel.hop_samples
        with torch.autocast(self.device.type, enabled=False):
            waveforms = self.vocoder(self._full([block.content for block in group]))
        return [
            row[block.left * hop : (block.left + block.size) * hop]
            for row, block in zip(waveforms, group, strict=False)
        ]

    def _full(self, windows: Sequence[Tensor]) -> Tensor:
        """Windows [...] as a batch [at_once, ...], the last one repeated."""
        return torch.stack([*windows, *[windows[-1]] * (self._at_once - len(windows))])

    def _stream_mel(
        self, chunks: Iterable[Tensor], steps: int | None, guidance: float | None, seed: int, quality: Quality
    ) -> Iterator[Tensor]:
        as_quality(quality)
        window = self._decoding_window

        def decoded() -> Iterator[tuple[Block, Tensor]]:
            moved = (chunk.to(self.device) for chunk in chunks)
            for block in blocks(moved, window.codes, window.context, filled=True):
                self._check_codes(block.content, dimensions=1)
                yield block, self._decode_group([block], steps, guidance, seed, quality)[0]

        return self._joined(decoded())

    def _joined(self, pieces: Iterable[tuple[Block, Tensor]]) -> Iterator[Tensor]:
        return joined(
            ((mel, block.left * FRAMES_PER_CODE, block.right * FRAMES_PER_CODE) for block, mel in pieces),
            self.config.window.seam_frames,
        )

    def _noise(self, block: Block, seed: int) -> Tensor:
        """Noise [M, 4n] that belongs to absolute places, so that neighbouring windows agree on what they share."""
        window = self._decoding_window
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


def _shape(block: Block) -> tuple[int, ...]:
    return tuple(block.content.shape)


def _ends_padded(codes: Tensor) -> bool:
    """Whether each row has at least a code, and padding at most behind its last one."""
    padding = codes == PADDING
    return bool(padding.any()) and not padding[:, :1].any() and not (padding[:, :-1] & ~padding[:, 1:]).any()
