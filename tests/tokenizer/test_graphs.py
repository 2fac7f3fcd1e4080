"""The graphs compute what the torch networks do, on weights in each kind of storage."""

from pathlib import Path

import numpy as np
import pytest
import torch

from makesomenoise import checkpoint
from makesomenoise.engine.graph import GraphError, stored_tensors
from makesomenoise.engine.onnx import OnnxSession
from makesomenoise.tokenizer import graphs
from makesomenoise.tokenizer.config import TokenizerConfig
from makesomenoise.tokenizer.network import TokenizerNetwork

ENCODER = {
    "semantic_branch": {"channels": [4, 4, 8, 8], "dim": 8, "layers": 1, "heads": 2},
    **{"frame_dim": 8, "dim": 16, "layers": 2, "heads": 2, "latent_dim": 4},
}
NETWORK = {"frame_dim": 12, "dim": 16, "trunk_layers": 2, "middle_layers": 1, "frame_layers": 2, "kernel": 5}
DECODER = {"kind": "flow", "network": NETWORK}
OURS = {"encoder": ENCODER | {"spectral_peak_input": True}, "quantizer": {"kind": "variational"}, "decoder": DECODER}
BASELINE = {"encoder": ENCODER, "quantizer": {"kind": "ema"}, "decoder": {"kind": "regression", "network": NETWORK}}
RNG = np.random.default_rng(0)


def network(values: dict) -> TokenizerNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = TokenizerNetwork(TokenizerConfig.from_dict(values)).eval()
        for name, tensor in made.state_dict().items():
            if tensor.is_floating_point():  # what starts at zero or one would hide what is left out
                tensor.add_(
                    0.1 * torch.randn(tensor.shape).abs() if name.endswith("var") else 0.1 * torch.randn(tensor.shape)
                )
    return made


def session(build, made: TokenizerNetwork, folder: Path, storage: checkpoint.Storage = "float32") -> OnnxSession:
    checkpoint.save_model(folder, made.config, made.state_dict(), storage)
    return OnnxSession(build(made.config, stored_tensors(folder / checkpoint.WEIGHTS_FILE)), folder, 1)


def arrays(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("values", [OURS, BASELINE])
@pytest.mark.parametrize("frames", [4, 36, 68])
def test_codes_are_those_of_torch(values: dict, frames: int, tmp_path: Path) -> None:
    made, mel = network(values), 3.0 * arrays(2, 100, frames) - 2.0
    (codes,) = session(graphs.encoder_graph, made, tmp_path)({"mel": mel})
    with torch.inference_mode():
        assert codes.tolist() == made.encode(torch.from_numpy(mel)).tolist()


@pytest.mark.parametrize("storage", ["float32", "float16", "int8"])
def test_the_decoder_is_that_of_torch(
    storage: checkpoint.Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "_ROUNDED_ELEMENTS", 100)
    made = network(OURS)
    latents, x, steps = arrays(2, 7, 4), arrays(2, 28, 100), {"t": [0.1, 0.7], "span": [0.3, 0.0], "guidance": [2, 1]}
    steps = {name: np.array(values, np.float32) for name, values in steps.items()}
    by_code, by_frame = session(graphs.trunk_graph, made, tmp_path, storage)({"latents": latents})
    denoiser = session(graphs.denoiser_graph, made, tmp_path, storage)
    (result,) = denoiser({"x": x, "by_code": by_code, "by_frame": by_frame, **steps})
    checkpoint.load_into(made, checkpoint.load_state(tmp_path), "here")
    decoder = made.decoder.network
    with torch.inference_mode():
        condition = decoder.condition(torch.from_numpy(latents))
        expected = decoder(torch.from_numpy(x), condition, *(torch.from_numpy(step) for step in steps.values()))
    np.testing.assert_allclose(by_code, condition.codes.numpy(), atol=1e-4)
    np.testing.assert_allclose(by_frame, condition.frames.numpy(), atol=1e-4)
    np.testing.assert_allclose(result, expected.numpy(), atol=1e-4)


def test_a_quantizer_without_a_graph_is_refused(tmp_path: Path) -> None:
    made = network(OURS | {"quantizer": {"kind": "fsq"}})
    with pytest.raises(GraphError, match="kind fsq; give `--engine torch`"):
        session(graphs.encoder_graph, made, tmp_path)


def test_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    made = network(BASELINE)
    checkpoint.save_model(tmp_path, made.config, made.state_dict())
    with pytest.raises(GraphError, match=r"lack 'encoder\.peaks"):
        graphs.encoder_graph(TokenizerConfig.from_dict(OURS), stored_tensors(tmp_path / checkpoint.WEIGHTS_FILE))
