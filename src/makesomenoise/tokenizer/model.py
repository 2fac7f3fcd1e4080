"""`AudioTokenizer`: waveforms to codes and back. The public face of the package.

Sound of any length is worked on in overlapping windows at fixed places (`streaming.py`), one clip and one window at a
time. That is what makes the promises exact: the codes of a clip do not depend on what else is in the batch, nor on how
a stream was chunked, and memory does not grow with length.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from makesomenoise import checkpoint
from makesomenoise.audio import arrays
from makesomenoise.audio.mel import MelSpectrogram
from makesomenoise.engine.base import CodecEngine, VocoderEngine, chosen_engine
from makesomenoise.errors import RequestError
from makesomenoise.tokenizer.config import FRAMES_PER_CODE, EmaConfig, FsqConfig, TokenizerConfig, VariationalConfig
from makesomenoise.tokenizer.decoding import MelDecoder, Quality, as_quality
from makesomenoise.tokenizer.onnx import OnnxCodec
from makesomenoise.tokenizer.streaming import Block, blocks, joined, padded
from makesomenoise.vocoder.loading import load_vocoder

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_VOCODER_FRAMES = 384


class AudioTokenizer:
    """Sound as integers; arrays or tensors in, arrays out.

    Args:
        config: settings.
        weights: arrays by name, at least those that decide on the codes and those that `MelDecoder` needs.
        engine: runs the networks.
        vocoder: log-mel [B, M, T] to waveform.
    """

    def __init__(
        self,
        config: TokenizerConfig,
        weights: Mapping[str, np.ndarray],
        engine: CodecEngine,
        vocoder: VocoderEngine,
    ):
        self.config = config
        self.vocoder = vocoder
        # What decides on the codes. A decoder may be trained further: what was encoded before stays readable, and a
        # language model that learned the codes keeps its worth.
        self.fingerprint = checkpoint.fingerprint(config, weights, without="decoder")
        self.mel = MelSpectrogram(config.mel)
        self._engine, self._codebook = engine, codebook(config, weights)
        self._decoder = MelDecoder(config, weights, engine)

    @classmethod
    def load(
        cls,
        source: str | Path = "default",
        vocoder: str | Path = "default",
        device: str = "cpu",
        engine: str = "auto",
    ) -> Self:
        """Loads a tokenizer.

        Args:
            source: a model folder, a bundled name (`default`, `vqvae`) or a Hub id.
            vocoder: `default`, `griffin-lim`, a vocoder folder, or `hub:<id>` of Vocos weights.
            device: where it computes.
            engine: `onnx` for a CPU, `torch`, or `auto`, which is torch where the device or the quantizer needs it.

        Raises:
            CheckpointError: if there is no such model, or if its weights and configuration do not match.
            EngineError: if the engine is not installed or cannot run it.
        """
        folder = checkpoint.resolve(source)
        config = checkpoint.load_config(folder, TokenizerConfig)
        if engine == "auto" and isinstance(config.quantizer, FsqConfig):
            engine = "torch"
        chosen = chosen_engine(engine, device)
        weights = checkpoint.load_arrays(folder, wanted=lambda name: not name.startswith("decoder.network."))
        networks = _in_torch(folder, device) if chosen == "torch" else OnnxCodec(config, folder)
        return cls(config, weights, networks, load_vocoder(vocoder, config.mel, engine, device))

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
            ceil(lengths[b] / samples_per_code) codes; the rest of its row is 0.

        Raises:
            RequestError: if the waveform is not [B, S], is empty or is not finite.
        """
        sound = arrays.batch(waveform)
        sizes = [sound.shape[1]] * len(sound) if lengths is None else arrays.integers(lengths).tolist()
        if len(sizes) != len(sound) or not all(0 < size <= sound.shape[1] for size in sizes):
            raise RequestError(f"Expected {len(sound)} lengths in 1..{sound.shape[1]}, got {sizes}.")
        rate, longest = self.sample_rate if sample_rate is None else sample_rate, sound.shape[1]
        clips = [arrays.at_rate(clip[:size], rate, self.sample_rate) for clip, size in zip(sound, sizes, strict=True)]
        if rate != self.sample_rate:
            longest = max(len(clip) for clip in clips)
        count = -(-longest // self.samples_per_code)
        codes = np.zeros((len(clips), count), np.int64)
        for row, clip in zip(codes, clips, strict=True):
            found = np.concatenate(list(self.stream_encode([clip])))
            row[: len(found)] = found
        return codes

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
        rows = self._checked(codes, dimensions=2)
        return np.stack(
            [np.concatenate(list(self.stream_decode([row], steps, guidance, seed, quality))) for row in rows]
        )

    def decode_mel(
        self,
        codes: arrays.Array,
        steps: int | None = None,
        guidance: float | None = None,
        seed: int = 0,
        quality: Quality = "fast",
    ) -> np.ndarray:
        """Codes [B, N] to log-mel [B, M, 4N]: `decode` without the vocoder; arguments and errors are the same."""
        rows = self._checked(codes, dimensions=2)
        return np.stack(
            [np.concatenate(list(self._stream_mel([row], steps, guidance, seed, quality)), -1) for row in rows]
        )

    def stream_encode(self, chunks: Iterable[arrays.Array]) -> Iterator[np.ndarray]:
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
        pieces = (arrays.piece(chunk) for chunk in chunks)
        for block in blocks(padded(pieces, unit), window.codes * unit, (window.context + 1) * unit, filled=True):
            yield self._encode_block(block)

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
        hop = self.config.mel.hop_samples
        mel = self._stream_mel(chunks, steps, guidance, seed, quality)
        for block in blocks(mel, _VOCODER_FRAMES, self.vocoder.context_frames):
            waveform = self.vocoder(block.content[None])[0]
            yield waveform[block.left * hop : (block.left + block.size) * hop]

    def _encode_block(self, block: Block) -> np.ndarray:
        if not np.isfinite(block.content).all():
            raise RequestError("The waveform holds samples that are not finite (NaN or infinity).")
        unit, full = self.samples_per_code, (self.config.window.context + 1) * self.samples_per_code
        mel = self.mel(block.content[None])
        start = FRAMES_PER_CODE if block.left < block.number * self.config.window.codes * unit else 0
        stop = mel.shape[-1] - (FRAMES_PER_CODE if block.right == full else 0)
        first = (block.left - (unit if start else 0)) // unit
        return self._engine.encode(mel[..., start:stop])[0, first : first + block.size // unit]

    def _stream_mel(
        self, chunks: Iterable[arrays.Array], steps: int | None, guidance: float | None, seed: int, quality: Quality
    ) -> Iterator[np.ndarray]:
        as_quality(quality)
        window = self.config.decoder.window

        def decoded(block: Block) -> np.ndarray:
            latents = self._codebook[self._checked(block.content, dimensions=1)]
            return self._decoder.decode(latents[None], self._noise(block, seed)[None], steps, guidance, quality)[0]

        given = map(arrays.integers, chunks)
        pieces = (
            (decoded(block), block.left * FRAMES_PER_CODE, block.right * FRAMES_PER_CODE)
            for block in blocks(given, window.codes, window.context, filled=True)
        )
        return joined(pieces, self.config.window.seam_frames)

    def _noise(self, block: Block, seed: int) -> np.ndarray:
        """Noise [4n, M] that belongs to absolute places, so that neighbouring windows agree on what they share."""
        window = self.config.decoder.window
        shape = (window.codes * FRAMES_PER_CODE, self.config.mel.n_mels)
        reach = -(-max(block.left, block.right) // window.codes)
        numbers = range(block.number - reach, block.number + reach + 1)
        noise = np.concatenate([_drawn(shape, seed, number) for number in numbers])
        start = (reach * window.codes - block.left) * FRAMES_PER_CODE
        return noise[start : start + len(block.content) * FRAMES_PER_CODE]

    def _checked(self, codes: "ArrayLike", dimensions: int) -> np.ndarray:
        found = arrays.integers(codes)
        if found.ndim != dimensions or found.shape[-1] == 0 or not np.issubdtype(found.dtype, np.integer):
            shape = "[B, N]" if dimensions == 2 else "[N]"  # noqa: PLR2004 - [B, N]
            raise RequestError(f"Expected integer codes {shape} with N > 0, got {found.dtype} {list(found.shape)}.")
        low, high = int(found.min()), int(found.max())
        if low < 0 or high >= self.codebook_size:
            wrong = low if low < 0 else high
            raise RequestError(f"Code {wrong} is outside [0, {self.codebook_size}) of this tokenizer.")
        return found


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
