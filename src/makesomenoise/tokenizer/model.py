"""`AudioTokenizer`: waveforms to codes and back. The public face of the package.

Sound of any length is worked on in overlapping windows at fixed places (`streaming.py`), and the networks see as many
of them at once as `windows_at_once` says, whether a batch has more or fewer. That is what makes the promises exact: the
codes of a clip do not depend on what else is in the batch, nor on how a stream was chunked, and a stream takes no more
memory the longer it is.
"""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np

from makesomenoise import checkpoint, model_folder
from makesomenoise.audio import arrays
from makesomenoise.audio.mel import MelSpectrogram
from makesomenoise.checkpoint import StoredModel
from makesomenoise.engine.base import CodecEngine, VocoderEngine, chosen_engine
from makesomenoise.errors import RequestError
from makesomenoise.tokenizer.config import (
    FRAMES_PER_CODE,
    DecodingWindow,
    EmaConfig,
    FsqConfig,
    TokenizerConfig,
    VariationalConfig,
)
from makesomenoise.tokenizer.decoding import MelDecoder, Quality, as_quality
from makesomenoise.tokenizer.onnx import OnnxCodec
from makesomenoise.tokenizer.streaming import Block, blocks, joined, padded, run_in_groups
from makesomenoise.vocoder.loading import load_vocoder

PADDING = -1  # behind the codes of a clip that is shorter than others of its batch; no code
_VOCODER_FRAMES = 384
_WINDOWS_AT_ONCE = 16  # of a GPU; a CPU is busy with one


class AudioTokenizer:
    """Sound as integers; arrays or tensors in, arrays out.

    It is no module: what is done to one that holds it, as training or another precision, changes none of its codes.

    Args:
        stored: settings and weights, at least those that decide on the codes and those that `MelDecoder` needs.
        engine: runs the networks.
        vocoder: log-mel [B, M, T] to waveform.
        windows_at_once: windows that the networks see together, always so many: how floating-point sums are rounded
            depends on their number. None: 1 on a CPU, 16 elsewhere.
    """

    def __init__(
        self,
        stored: StoredModel[TokenizerConfig],
        engine: CodecEngine,
        vocoder: VocoderEngine,
        windows_at_once: int | None = None,
    ):
        self._short_window: DecodingWindow | None = None
        self.config, self.fingerprint = stored.config, stored.fingerprint
        self.vocoder = vocoder
        self.mel = MelSpectrogram(self.config.mel)
        self._engine, self._codebook = engine, codebook(self.config, stored.state)
        self._decoder = MelDecoder(self.config, stored.state, engine)
        self._at_once = windows_at_once or (1 if engine.device == "cpu" else _WINDOWS_AT_ONCE)

    @classmethod
    def load(
        cls,
        source: str | Path = "default",
        vocoder: str | Path = "default",
        device: str = "cpu",
        engine: str = "auto",
        threads: int | None = None,
    ) -> Self:
        """Loads a tokenizer.

        Args:
            source: a model folder, a bundled name (`default`, `vqvae`) or a Hub id.
            vocoder: `default`, `griffin-lim`, a vocoder folder, or `hub:<id>` of Vocos weights.
            device: where it computes.
            engine: `onnx` for a CPU, `torch`, or `auto`, which is torch where the device or the quantizer needs it.
            threads: of the engine onnx; none is one for each core that this process may use.

        Raises:
            CheckpointError: if there is no such model, or if its weights and configuration do not match.
            EngineError: if the engine is not installed or cannot run it.
        """
        folder = model_folder.resolve(source)
        stored = checkpoint.load_model(folder, TokenizerConfig, lambda name: not name.startswith("decoder.network."))
        config = stored.config
        if engine == "auto" and isinstance(config.quantizer, FsqConfig):
            engine = "torch"
        chosen = chosen_engine(engine, device)
        networks = _in_torch(folder, device) if chosen == "torch" else OnnxCodec(config, folder, threads)
        return cls(stored, networks, load_vocoder(vocoder, config.mel, engine, device))

    @property
    def device(self) -> str:
        """Where the networks compute; arrays go there and come back."""
        return self._engine.device

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
        return len(self._codebook)

    @property
    def codebook(self) -> np.ndarray:
        """The latent of every code [K, D]."""
        return self._codebook

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
    ) -> np.ndarray:
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
        sound = arrays.batch(waveform)
        sizes = [sound.shape[1]] * len(sound) if lengths is None else arrays.integers(lengths).tolist()
        if len(sizes) != len(sound) or not all(0 < size <= sound.shape[1] for size in sizes):
            raise RequestError(f"Expected {len(sound)} lengths in 1..{sound.shape[1]}, got {sizes}.")
        rate, longest = self.sample_rate if sample_rate is None else sample_rate, sound.shape[1]
        clips = [arrays.at_rate(clip[:size], rate, self.sample_rate) for clip, size in zip(sound, sizes, strict=True)]
        if rate != self.sample_rate:
            longest = max(len(clip) for clip in clips)
        found = run_in_groups(
            [self._sound_blocks([clip]) for clip in clips], self._encode_group, self._encode_shape, self._at_once
        )
        return _filled(np.full((len(clips), -(-longest // self.samples_per_code)), PADDING, np.int64), found)

    def decode(
        self,
        codes: arrays.Array,
        steps: int | None = None,
        guidance: float | None = None,
        seed: int = 0,
        quality: Quality = "fast",
    ) -> np.ndarray:
        """Codes to waveforms.

        Args:
            codes: [B, N] in [0, K), or `PADDING` behind the last code of a row.
            steps: number of steps; none is the trained number of the quality.
            guidance: scale of the guidance, 1 is off; none is the trained scale.
            seed: the same seed gives the same waveform.
            quality: `fast`, or `best`, which takes several times as long.

        Returns:
            [B, N * samples_per_code] float32; behind the last code of a row it is silent.

        Raises:
            RequestError: if the shape is wrong, a code is not in [0, K), or there is no such quality.
        """
        given = arrays.integers(codes)
        self._check_codes(np.where(given == PADDING, 0, given) if _ends_padded(given) else given, dimensions=2)
        mels = self._decode_rows([row[row != PADDING] for row in given], steps, guidance, seed, quality)
        streams = [blocks([mel], _VOCODER_FRAMES, self.vocoder.context_frames) for mel in mels]
        found = run_in_groups(streams, self._vocode_group, _shape, self._at_once)
        return _filled(np.zeros((len(given), given.shape[1] * self.samples_per_code), np.float32), found)

    def decode_mel(
        self,
        codes: arrays.Array,
        steps: int | None = None,
        guidance: float | None = None,
        seed: int = 0,
        quality: Quality = "fast",
    ) -> np.ndarray:
        """Codes [B, N] without padding to log-mel [B, M, 4N]: `decode` without the vocoder; errors are the same."""
        given = arrays.integers(codes)
        self._check_codes(given, dimensions=2)
        return np.stack(self._decode_rows(given, steps, guidance, seed, quality))

    def stream_encode(self, chunks: Iterable[arrays.Array]) -> Iterator[np.ndarray]:
        """Encodes a stream in constant memory; the codes are those of the whole sound.

        Args:
            chunks: consecutive pieces [s] of a mono waveform.

        Yields:
            consecutive pieces [n] of the codes.

        Raises:
            RequestError: if a sample is not finite.
        """
        for block in self._sound_blocks(arrays.piece(chunk) for chunk in chunks):
            yield self._encode_group([block])[0]

    def stream_decode(
        self,
        chunks: Iterable[arrays.Array],
        steps: int | None = None,
        guidance: float | None = None,
        seed: int = 0,
        quality: Quality = "fast",
    ) -> Iterator[np.ndarray]:
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

    def _sound_blocks(self, pieces: Iterable[np.ndarray]) -> Iterator[Block]:
        window, unit = self.config.window, self.samples_per_code
        # One code more on each side than the network sees: the mel window reaches beyond the frames.
        return blocks(padded(pieces, unit), window.codes * unit, (window.context + 1) * unit, filled=True)

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

    def _encode_group(self, group: Sequence[Block]) -> list[np.ndarray]:
        """Codes [n] of each of some blocks that have their `_encode_shape` in common."""
        if not all(np.isfinite(block.content).all() for block in group):
            raise RequestError("The waveform holds samples that are not finite (NaN or infinity).")
        _, start, stop = self._encode_shape(group[0])
        unit = self.samples_per_code
        codes = self._engine.encode(self._full([self.mel(block.content[None])[0, :, start:stop] for block in group]))
        firsts = [(block.left - (unit if start else 0)) // unit for block in group]
        return [
            row[first : first + block.size // unit]
            for row, first, block in zip(codes, firsts, group, strict=False)  # as many as there are blocks
        ]

    def _decode_rows(
        self, rows: Iterable[np.ndarray], steps: int | None, guidance: float | None, seed: int, quality: Quality
    ) -> list[np.ndarray]:
        """Log-mel [M, 4n] of each row of codes [n]."""
        as_quality(quality)
        window = self._decoding_window

        def decoded(group: Sequence[Block]) -> list[np.ndarray]:
            return self._decode_group(group, steps, guidance, seed, quality)

        streams = [blocks([row], window.codes, window.context, filled=True) for row in rows]
        found = run_in_groups(streams, decoded, _shape, self._at_once)
        return [np.concatenate(list(self._joined(row)), axis=-1) for row in found]

    def _decode_group(
        self, group: Sequence[Block], steps: int | None, guidance: float | None, seed: int, quality: Quality
    ) -> list[np.ndarray]:
        """Log-mel [M, 4n] of each of some blocks of codes of the same length."""
        latents = self._full([self._codebook[block.content] for block in group])
        noise = self._full([self._noise(block, seed) for block in group])
        return list(self._decoder.decode(latents, noise, steps, guidance, quality)[: len(group)])

    def _vocode_group(self, group: Sequence[Block]) -> list[np.ndarray]:
        """Waveform [s] of each of some blocks of log-mel of the same length."""
        hop = self.config.mel.hop_samples
        waveforms = self.vocoder(self._full([block.content for block in group]))
        return [
            row[block.left * hop : (block.left + block.size) * hop]
            for row, block in zip(waveforms, group, strict=False)
        ]

    def _full(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """Windows [...] as a batch [at_once, ...], the last one repeated."""
        return np.stack([*windows, *[windows[-1]] * (self._at_once - len(windows))])

    def _stream_mel(
        self, chunks: Iterable[np.ndarray], steps: int | None, guidance: float | None, seed: int, quality: Quality
    ) -> Iterator[np.ndarray]:
        as_quality(quality)
        window = self._decoding_window

        def decoded() -> Iterator[tuple[Block, np.ndarray]]:
            for block in blocks(chunks, window.codes, window.context, filled=True):
                self._check_codes(block.content, dimensions=1)
                yield block, self._decode_group([block], steps, guidance, seed, quality)[0]

        return self._joined(decoded())

    def _joined(self, pieces: Iterable[tuple[Block, np.ndarray]]) -> Iterator[np.ndarray]:
        return joined(
            ((mel, block.left * FRAMES_PER_CODE, block.right * FRAMES_PER_CODE) for block, mel in pieces),
            self.config.window.seam_frames,
        )

    def _noise(self, block: Block, seed: int) -> np.ndarray:
        """Noise [4n, M] that belongs to absolute places, so that neighbouring windows agree on what they share."""
        window = self._decoding_window
        shape = (window.codes * FRAMES_PER_CODE, self.config.mel.n_mels)
        reach = -(-max(block.left, block.right) // window.codes)
        numbers = range(block.number - reach, block.number + reach + 1)
        noise = np.concatenate([_drawn(shape, seed, number) for number in numbers])
        start = (reach * window.codes - block.left) * FRAMES_PER_CODE
        return noise[start : start + len(block.content) * FRAMES_PER_CODE]

    def _check_codes(self, codes: np.ndarray, dimensions: int) -> None:
        if codes.ndim != dimensions or not codes.size or not np.issubdtype(codes.dtype, np.integer):
            shape = "[B, N]" if dimensions == 2 else "[N]"  # noqa: PLR2004 - [B, N]
            raise RequestError(f"Expected integer codes {shape} with N > 0, got {codes.dtype} {list(codes.shape)}.")
        low, high = int(codes.min()), int(codes.max())
        if low < 0 or high >= self.codebook_size:
            wrong = low if low < 0 else high
            raise RequestError(f"Code {wrong} is outside [0, {self.codebook_size}) of this tokenizer.")


def codebook(config: TokenizerConfig, weights: Mapping[str, np.ndarray]) -> np.ndarray:
    """The latent of every code [K, D], of length sqrt(D): `Quantizer.codebook` on arrays."""
    match config.quantizer:
        case VariationalConfig():
            vectors = weights["quantizer.embeddings"]
        case EmaConfig():
            vectors = weights["quantizer.layer._codebook.embed"][0]
        case FsqConfig() as fsq:
            return _fsq_codebook(fsq.levels, weights)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True) * np.float32(vectors.shape[-1] ** 0.5)


def _fsq_codebook(levels: tuple[int, ...], weights: Mapping[str, np.ndarray]) -> np.ndarray:
    """The channels of finite scalar quantization, the first changing fastest, each -1 to 1, and their projection."""
    places = np.array(np.unravel_index(np.arange(np.prod(levels)), levels[::-1])[::-1], np.float32).T
    halves = np.array([level // 2 for level in levels], np.float32)
    values = (places - halves) / halves
    name = "quantizer.layer.project_out"
    if f"{name}.weight" not in weights:
        return values
    return values @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def _in_torch(folder: Path, device: str) -> CodecEngine:
    from makesomenoise.tokenizer.network import TokenizerNetwork  # noqa: PLC0415 - torch is loaded where it computes
    from makesomenoise.tokenizer.torch import TorchCodec  # noqa: PLC0415

    return TorchCodec(TokenizerNetwork.load(folder), device)


def _drawn(shape: tuple[int, int], seed: int, number: int) -> np.ndarray:
    # Numbers before the first block belong to no sound; any value does, and no seed is below zero.
    generator = np.random.default_rng((seed % 2**64, max(number, 0)))
    return generator.standard_normal(shape, np.float32)


def _shape(block: Block) -> tuple[int, ...]:
    return block.content.shape


def _filled(rows: np.ndarray, found: Sequence[Sequence[tuple[Block, np.ndarray]]]) -> np.ndarray:
    """Writes the results of each row's blocks one after the other, and leaves what is behind them as it is."""
    for row, windows in zip(rows, found, strict=True):
        whole = np.concatenate([piece for _, piece in windows])
        row[: len(whole)] = whole
    return rows


def _ends_padded(codes: np.ndarray) -> bool:
    """Whether these are rows that have at least a code each, and padding at most behind the last one."""
    padding = codes == PADDING
    return codes.ndim == 2 and not padding[:, :1].any() and not (padding[:, :-1] & ~padding[:, 1:]).any()  # noqa: PLR2004 - [B, N]
