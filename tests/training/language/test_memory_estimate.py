"""What a run takes is counted from the shape of the base; the count is exact for parameters."""

from pathlib import Path

import pytest

from makesomenoise.errors import ConfigError
from makesomenoise.language.config import LanguageConfig, LanguageError, LoraConfig
from makesomenoise.language.model import LanguageModel
from makesomenoise.training.language.memory_estimate import GPUS, estimate, plan
from makesomenoise.training.language.trainer import LanguageRunConfig
from tests import factories

VICUNA = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "vocab_size": 32000,
}


@pytest.mark.parametrize("name", ["llama", "qwen2"])
def test_what_is_learned_is_counted_exactly(name: str, bases: dict[str, Path], codebook):
    lora = LoraConfig(rank=3)
    found = estimate(str(bases[name]), {}, lora, LanguageRunConfig(), factories.CODES)
    config = LanguageConfig(
        base=str(bases[name]), tokenizer_fingerprint="0" * 16, codebook_size=factories.CODES, lora=lora
    )
    model = LanguageModel.create(config, codebook)
    trained = {id(p): p.numel() for p in model.parameters() if p.requires_grad}
    assert found.learned_parameters == sum(trained.values())
    assert found.learned_bytes == 16 * found.learned_parameters


def test_a_large_base_needs_no_weights_to_be_counted():
    found = estimate("lmsys/vicuna-7b-v1.5", VICUNA, LoraConfig(), LanguageRunConfig(gradient_checkpointing=True))
    assert found.base_parameters == 6_738_415_616
    assert found.weights_bytes == 2 * found.base_parameters
    assert 14 < found.total_bytes / 2**30 < 80
    assert "6,738 M parameters" in str(found)
    kept = estimate("lmsys/vicuna-7b-v1.5", VICUNA, LoraConfig(), LanguageRunConfig())
    assert kept.activation_bytes > 3 * found.activation_bytes


def test_hours_and_memory_are_told_for_a_gpu_of_a_name():
    found = estimate("lmsys/vicuna-7b-v1.5", VICUNA, LoraConfig(), LanguageRunConfig(gradient_checkpointing=True))
    one, eight = (plan(found, "H100", devices, 10**9, recomputes=True) for devices in (1, 8))
    assert one.hours == pytest.approx(8 * eight.hours)
    # Six products a weight and token, and as many for each that is learned, at 35 % of the data sheet.
    flops = 6e9 * (found.base_parameters + found.learned_parameters)
    assert one.hours == pytest.approx(flops / (0.35 * 989e12) / 3600)
    assert "of 79 GiB each, which fits." in str(one)
    assert (
        "does not fit" in str(plan(found, "l4", 1, 10**9, recomputes=True))
        or found.total_bytes < GPUS["l4"].memory_bytes
    )
    with pytest.raises(ConfigError, match="Nothing is known of the GPU 'abacus'"):
        plan(found, "abacus", 1, 1, recomputes=False)


def test_a_base_that_cannot_be_read_is_one_sentence(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(LanguageError, match="empty"):
        estimate(str(tmp_path / "empty"), {}, LoraConfig(), LanguageRunConfig())
    with pytest.raises(LanguageError, match="configuration"):
        estimate("x", {"model_type": "nonesuch"}, LoraConfig(), LanguageRunConfig())
