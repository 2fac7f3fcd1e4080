"""Every YAML file that ships is valid, and the model in it can be built."""

from pathlib import Path

import pytest
import torch

CONFIGS = Path(__file__).parents[1] / "configs"
TOKENIZERS = sorted((CONFIGS / "tokenizer").glob("*.yaml"))
ENCODERS = sorted((CONFIGS / "encoder").glob("*.yaml"))
VOCODERS = sorted((CONFIGS / "vocoder").glob("*.yaml"))


@pytest.mark.parametrize("path", TOKENIZERS, ids=lambda p: p.stem)
def test_tokenizer_configs_build(path: Path):
    from makesomenoise.tokenizer.network import TokenizerNetwork
    from makesomenoise.training.tokenizer import TokenizerTrainingConfig

    config = TokenizerTrainingConfig.from_yaml(path)
    with torch.device("meta"):
        network = TokenizerNetwork(config.model)
    assert network.quantizer.codebook_size == 1024


@pytest.mark.parametrize("path", ENCODERS, ids=lambda p: p.stem)
def test_encoder_configs_fit_the_tokenizer_of_their_name(path: Path):
    from makesomenoise.training.encoder import EncoderTrainingConfig
    from makesomenoise.training.tokenizer import TokenizerTrainingConfig

    tokenizer = TokenizerTrainingConfig.from_yaml(CONFIGS / "tokenizer" / path.name)
    assert EncoderTrainingConfig.from_yaml(path).model.encoder.scene == tokenizer.model.encoder.scene


@pytest.mark.parametrize("path", VOCODERS, ids=lambda p: p.stem)
def test_vocoder_configs_build(path: Path):
    from makesomenoise.tokenizer.vocoders.istft import IstftVocoder
    from makesomenoise.training.vocoder import VocoderTrainingConfig

    config = VocoderTrainingConfig.from_yaml(path)
    with torch.device("meta"):
        vocoder = IstftVocoder(config.model)
    assert vocoder.config.mel.n_mels == 100


def test_the_promised_configs_are_there():
    assert {p.stem for p in TOKENIZERS} >= {"tiny", "small", "base", "vqvae"}
    assert {p.stem for p in ENCODERS} >= {"tiny", "small", "base"}
    assert {p.stem for p in VOCODERS} >= {"small"}
