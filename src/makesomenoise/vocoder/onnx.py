"""Runs a trained vocoder without torch: the network as a graph, Fourier transforms and Griffin-Lim on arrays."""

import math
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from makesomenoise import checkpoint
from makesomenoise.audio.mel import magnitude
from makesomenoise.config import Teacher
from makesomenoise.engine import layers
from makesomenoise.engine.graph import GraphBuilder, stored_tensors
from makesomenoise.engine.onnx import OnnxSession
from makesomenoise.vocoder.config import IstftVocoderConfig
from makesomenoise.vocoder.spectral import Fourier, GriffinLim

_LOUDEST = math.log(1e2)  # of `vocoder.vocos`, as the next
_TINY = np.float32(1e-12)


class OnnxVocoder:
    """Log-mel [B, M, T] to waveform [B, T * hop]: `vocoder.vocos.IstftVocoder` for ONNX Runtime.

    Args:
        folder: a model folder.
        threads: see `OnnxSession`.

    Raises:
        CheckpointError: if its files are missing or damaged, or not of one model.
        GraphError: if its weights do not fit its configuration.
    """

    def __init__(self, folder: str | Path, threads: int | None = None):
        self.config = checkpoint.load_model(folder, IstftVocoderConfig).config
        self._folder, self._threads = Path(folder), threads
        self._graph = vocoder_graph(self.config, self._folder / checkpoint.WEIGHTS_FILE)
        mel, rounds = self.config.mel, self.config.griffin_lim_iters
        self._fourier = Fourier(mel.n_fft, mel.hop_samples)
        self._prior = GriffinLim(mel, rounds) if rounds else None

    @property
    def context_frames(self) -> int:
        """See `IstftVocoderConfig.context_frames`."""
        return self.config.context_frames

    @property
    def teachers(self) -> tuple[Teacher, ...]:
        """Networks trained elsewhere that had a part in its training."""
        return self.config.teachers

    def __call__(self, mel: np.ndarray) -> np.ndarray:
        """Waveform [B, T * hop] of log-mel frames [B, M, T]."""
        if self._prior is None:
            return self._fourier.inverse(self._spectrum({"mel": mel}))
        prior = self._prior.spectrum(mel)
        return self._fourier.inverse(self._spectrum({"mel": mel, "mismatch": self._mismatch(prior)}) * prior)

    @cached_property
    def _session(self) -> OnnxSession:
        return OnnxSession(self._graph, self._folder, self._threads)

    def _spectrum(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        real, imaginary = self._session(inputs)
        return real + np.complex64(1j) * imaginary

    def _mismatch(self, spectrum: NDArray[np.complexfloating]) -> np.ndarray:
        """How what sounds differs from what was asked for [B, T, 2 * bins]: real and imaginary part of each bin."""
        consistent = self._fourier.forward(self._fourier.inverse(spectrum))
        powers = magnitude(spectrum) ** 2 + magnitude(consistent) ** 2 + _TINY
        ratio = (consistent * spectrum.conj() / powers).astype(np.complex64)
        return ratio.view(np.float32)


def vocoder_graph(config: IstftVocoderConfig, weights: Path) -> GraphBuilder:
    """`mel` [B, M, T], and `mismatch` [B, T, 2 * bins] where there is a prior, to `real` and `imaginary` [B, T, bins].

    Raises:
        GraphError: if the weights cannot be read or do not fit the configuration.
    """
    g, bins = GraphBuilder(stored_tensors(weights)), config.mel.n_fft // 2 + 1
    mel = g.input("mel", "float32", ("batch", config.mel.n_mels, "frames"))
    x = layers.convolution(g, g.op("Transpose", mel, perm=(0, 2, 1)), "backbone.embed")
    if config.griffin_lim_iters:
        mismatch = g.input("mismatch", "float32", ("batch", "frames", 2 * bins))
        x = g.op("Add", x, layers.linear(g, mismatch, "prior.embed"))
    x = layers.layer_norm(g, x, "backbone.norm")
    for number in range(config.layers):
        x = layers.convnext_block(g, x, f"backbone.convnext.{number}")
    x = layers.linear(g, layers.layer_norm(g, x, "backbone.final_layer_norm"), "head.out")
    level, phase = g.split("Split", 2, x, axis=-1, num_outputs=2)
    magnitude = g.op("Exp", g.op("Min", level, g.numbers(_LOUDEST)))
    for name, turn in (("real", "Cos"), ("imaginary", "Sin")):
        g.output(g.op("Mul", magnitude, g.op(turn, phase)), name, "float32", ("batch", "frames", bins))
    return g
