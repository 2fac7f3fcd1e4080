"""The recipe that puts a decoder of elsewhere into a tokenizer: the same function, the same codes, nothing lost."""

import importlib.util
from pathlib import Path

import pytest
import safetensors.torch
import torch

from makesomenoise import checkpoint, model_folder
from makesomenoise.checkpoint import CheckpointError
from makesomenoise.tokenizer.config import TokenizerConfig
from makesomenoise.tokenizer.network import TokenizerNetwork

BRANCH = {"channels": (4, 4, 8, 8), "dim": 16, "layers": 1, "heads": 2}
DECODER = {"frame_dim": 8, "dim": 16, "trunk_layers": 2, "middle_layers": 1, "frame_layers": 2, "kernel": 3}
CONFIG = TokenizerConfig.model_validate(
    {
        "encoder": {"semantic_branch": BRANCH, "frame_dim": 8, "dim": 16, "layers": 1, "heads": 2, "latent_dim": 8},
        "decoder": {"kind": "flow", "network": DECODER},
    }
)
_PATH = Path(__file__).parents[2] / "recipes" / "convert_decoder.py"
_SPEC = importlib.util.spec_from_file_location("convert_decoder", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
recipe = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(recipe)


def _elsewhere(decoder: torch.nn.Module, with_jump: bool) -> dict[str, torch.Tensor]:
    """A decoder's weights as the experiment names and lays them out."""
    back = {ours: theirs for theirs, ours in recipe.LAYERS.items()}
    state = {}
    for name, tensor in decoder.state_dict().items():
        ours = max((layer for layer in back if name == layer or name.startswith(f"{layer}.")), key=len)
        plain = tensor[:, 0].T.contiguous() if name.endswith("mix.weight") else tensor
        state[back[ours] + name.removeprefix(ours)] = plain
    if not with_jump:
        state.pop("jump.weight")
    return state


@pytest.fixture(autouse=True)
def source(tmp_path: Path) -> TokenizerNetwork:
    torch.manual_seed(0)
    network = TokenizerNetwork(CONFIG).eval()
    for name, parameter in network.decoder.named_parameters():
        if not name.endswith("jump.weight"):
            torch.nn.init.normal_(parameter, std=0.2)
    checkpoint.save_model(tmp_path / "tokenizer", CONFIG, network.state_dict())
    return network


@pytest.mark.parametrize("with_jump", [False, True])
def test_a_flow_decoder_from_elsewhere_is_the_same_function(source, tmp_path: Path, with_jump: bool):
    safetensors.torch.save_file(_elsewhere(source.decoder, with_jump), tmp_path / "weights.safetensors")
    recipe.convert_flow(tmp_path / "weights.safetensors", tmp_path / "tokenizer", tmp_path / "made", "float32")
    assert model_folder.load_config(tmp_path / "made", TokenizerConfig).decoder.network == CONFIG.decoder.network
    torch.testing.assert_close(checkpoint.load_state(tmp_path / "made"), source.state_dict(), rtol=0, atol=0)


def test_matrices_in_8_bits_are_read(source, tmp_path: Path):
    weights = _elsewhere(source.decoder, with_jump=False)
    steps, scale = torch.randint(-127, 128, weights["gather.weight"].shape), torch.rand(len(weights["gather.bias"]))
    weights |= {"gather.weight": steps.to(torch.int8), "gather.weight.scale": scale}
    safetensors.torch.save_file(weights, tmp_path / "weights.safetensors")
    recipe.convert_flow(tmp_path / "weights.safetensors", tmp_path / "tokenizer", tmp_path / "made", "float32")
    found = checkpoint.load_state(tmp_path / "made")["decoder.network.down.weight"]
    torch.testing.assert_close(found, steps * scale[:, None])


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path):
    with pytest.raises(CheckpointError, match="holds something already"):
        recipe.write_tokenizer(tmp_path / "tokenizer", "default", CONFIG.decoder, {}, "int8")


def test_weights_of_something_else_are_refused(tmp_path: Path):
    safetensors.torch.save_file({"layer.weight": torch.zeros(2, 2)}, tmp_path / "weights.safetensors")
    with pytest.raises(CheckpointError, match=r"Unknown weights 'layer\.weight'"):
        recipe.convert_flow(tmp_path / "weights.safetensors", tmp_path / "tokenizer", tmp_path / "made", "int8")
    assert not (tmp_path / "made").exists()
