"""Runs the networks of a tokenizer by ONNX Runtime, each loaded when it is first asked."""

from functools import cached_property
from pathlib import Path

import numpy as np

from makesomenoise import checkpoint
from makesomenoise.engine.base import Condition
from makesomenoise.engine.graph import stored_tensors
from makesomenoise.engine.onnx import OnnxSession
from makesomenoise.tokenizer import graphs
from makesomenoise.tokenizer.config import TokenizerConfig


class OnnxCodec:
    """A `CodecEngine` on the weights of a model folder.

    Args:
        config: settings.
        folder: the model folder; its weights stay where they are.
        threads: see `OnnxSession`.

    Raises:
        GraphError: if its weights cannot be read, do not fit its configuration, or no graph is known for it.
    """

    device = "cpu"

    def __init__(self, config: TokenizerConfig, folder: Path, threads: int | None = None):
        weights = stored_tensors(folder / checkpoint.WEIGHTS_FILE)
        graphs.check_sizes(config, weights, str(folder))
        self._folder, self._threads = folder, threads
        self._encoder_graph = graphs.encoder_graph(config, weights)
        self._trunk_graph = graphs.trunk_graph(config, weights)
        self._denoiser_graph = graphs.denoiser_graph(config, weights)

    def encode(self, mel: np.ndarray) -> np.ndarray:
        """See `CodecEngine`."""
        return self._encoder({"mel": mel})[0]

    def condition(self, latents: np.ndarray) -> Condition:
        """See `CodecEngine`."""
        return Condition(*self._trunk({"latents": latents}))

    def denoise(
        self, x: np.ndarray, condition: Condition, t: np.ndarray, span: np.ndarray, guidance: np.ndarray
    ) -> np.ndarray:
        """See `CodecEngine`."""
        steps = {"t": t, "span": span, "guidance": guidance}
        return self._denoiser({"x": x, "by_code": condition.by_code, "by_frame": condition.by_frame, **steps})[0]

    @cached_property
    def _encoder(self) -> OnnxSession:
        return OnnxSession(self._encoder_graph, self._folder, self._threads)

    @cached_property
    def _trunk(self) -> OnnxSession:
        return OnnxSession(self._trunk_graph, self._folder, self._threads)

    @cached_property
    def _denoiser(self) -> OnnxSession:
        return OnnxSession(self._denoiser_graph, self._folder, self._threads)
