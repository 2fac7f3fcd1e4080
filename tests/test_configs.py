"""Every YAML file that ships is valid, and the model in it can be built."""

from pathlib import Path

import pytest
import torch

CONFIGS = Path(__file__).parents[1] / "configs"
TOKENIZERS = sorted((CONFIGS / "tokenizer").glob("*.yaml"))
ENCODERS = sorted((CONFIGS / "semantic_branch").glob("*.yaml"))
LANGUAGES = sorted((CONFIGS / "language").glob("*.yaml"))
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
    from makesomenoise.training.semantic_branch import SemanticBranchTrainingConfig
    from makesomenoise.training.tokenizer import TokenizerTrainingConfig

    tokenizer = TokenizerTrainingConfig.from_yaml(CONFIGS / "tokenizer" / path.name)
    assert (
        SemanticBranchTrainingConfig.from_yaml(path).model.encoder.semantic_branch
        == tokenizer.model.encoder.semantic_branch
    )


@pytest.mark.parametrize("path", VOCODERS, ids=lambda p: p.stem)
def test_vocoder_configs_build(path: Path):
    from makesomenoise.training.vocoder import VocoderTrainingConfig
    from makesomenoise.vocoder.vocos import IstftVocoder

    config = VocoderTrainingConfig.from_yaml(path)
    with torch.device("meta"):
        vocoder = IstftVocoder(config.model)
    assert vocoder.config.mel.n_mels == 100


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda p: p.stem)
def test_language_configs_fit_one_gpu(path: Path):
    from makesomenoise.training.language.recipe import LanguageTrainingConfig, estimate_language

    config = LanguageTrainingConfig.from_yaml(path)
    assert config.steps > 0
    if config.shape:  # of a base that is not on this machine
        assert estimate_language(config).total_bytes < 80e9


@pytest.mark.parametrize("name", ["vicuna-7b", "qwen2.5-7b"])
def test_a_small_base_of_the_same_architecture_reads_and_makes_codes(name: str, tmp_path: Path):
    from transformers import AutoConfig, AutoModelForCausalLM

    from makesomenoise.language.config import LanguageConfig
    from makesomenoise.language.model import LanguageModel
    from makesomenoise.training.language.recipe import LanguageTrainingConfig
    from tests.factories import LLM_SIZES, merging_tokenizer

    shape = LanguageTrainingConfig.from_yaml(CONFIGS / "language" / f"{name}.yaml").shape
    AutoModelForCausalLM.from_config(AutoConfig.for_model(**(shape | LLM_SIZES))).save_pretrained(tmp_path)
    merging_tokenizer().save_pretrained(tmp_path)
    made = LanguageModel.create(
        LanguageConfig(base=str(tmp_path), tokenizer_fingerprint="0" * 16, codebook_size=9), torch.randn(9, 4)
    )
    tokens = torch.tensor([made.vocabulary.span([1, 2, 3])])
    assert made.logits(made.hidden(tokens)).isfinite().all()


def test_the_promised_configs_are_there():
    assert {p.stem for p in TOKENIZERS} >= {"tiny", "small", "base", "vqvae"}
    assert {p.stem for p in ENCODERS} >= {"tiny", "small", "base"}
    assert {p.stem for p in VOCODERS} >= {"small"}
    assert {p.stem for p in LANGUAGES} == {"tiny", "smollm2", "open", "vicuna-7b", "qwen2.5-7b"}
