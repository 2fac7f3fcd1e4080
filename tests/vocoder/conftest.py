"""Small vocoders, in our format and in that of Vocos."""

from pathlib import Path

import pytest
import torch
import yaml
from torch import Tensor

from makesomenoise.audio.mel import MelConfig
from makesomenoise.vocoder.config import IstftVocoderConfig
from makesomenoise.vocoder.vocos import IstftVocoder

SMALL_MEL = MelConfig(n_fft=128, hop_samples=32, n_mels=12)


@pytest.fixture
def vocoder() -> IstftVocoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return IstftVocoder(IstftVocoderConfig(mel=SMALL_MEL, dim=8, hidden=16, layers=2)).eval()


@pytest.fixture
def vocos_state() -> dict[str, Tensor]:
    """Weights as Vocos names and shapes them: 12 bands, 8 channels, 16 inside a block, 2 blocks, n_fft 128."""
    generator = torch.Generator().manual_seed(1)
    shapes = {"backbone.embed.weight": (8, 12, 7), "backbone.embed.bias": (8,), "head.out.weight": (130, 8)}
    shapes |= {"head.out.bias": (130,), "head.istft.window": (128,)}
    shapes |= {f"backbone.{norm}.{kind}": (8,) for norm in ("norm", "final_layer_norm") for kind in ("weight", "bias")}
    for block in ("backbone.convnext.0", "backbone.convnext.1"):
        shapes |= {f"{block}.gamma": (8,), f"{block}.dwconv.weight": (8, 1, 7), f"{block}.dwconv.bias": (8,)}
        shapes |= {f"{block}.norm.weight": (8,), f"{block}.norm.bias": (8,)}
        shapes |= {f"{block}.pwconv1.weight": (16, 8), f"{block}.pwconv1.bias": (16,)}
        shapes |= {f"{block}.pwconv2.weight": (8, 16), f"{block}.pwconv2.bias": (8,)}
    state = {name: 0.5 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    state["feature_extractor.mel_spec.spectrogram.window"] = torch.hann_window(128)
    state["feature_extractor.mel_spec.mel_scale.fb"] = torch.zeros(65, 12)
    return state


@pytest.fixture
def vocos_folder(tmp_path: Path, vocos_state: dict[str, Tensor]) -> Path:
    """A folder such as the Hub gives for Vocos."""
    features = {"sample_rate": 24000, "n_fft": 128, "hop_length": 32, "n_mels": 12, "padding": "center"}
    backbone = {"input_channels": 12, "dim": 8, "intermediate_dim": 16, "num_layers": 2}
    head = {"dim": 8, "n_fft": 128, "hop_length": 32, "padding": "center"}
    config = {
        "feature_extractor": {
            "class_path": "vocos.feature_extractors.MelSpectrogramFeatures",
            "init_args": features,
        },
        "backbone": {"class_path": "vocos.models.VocosBackbone", "init_args": backbone},
        "head": {"class_path": "vocos.heads.ISTFTHead", "init_args": head},
    }
    folder = tmp_path / "vocos"
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    torch.save(vocos_state, folder / "pytorch_model.bin")
    return folder
