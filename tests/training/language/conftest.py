"""Untrained language models, annotated clips, and a short run on two labels, each of which has codes of its own."""

from pathlib import Path

import pytest
import torch

from makesomenoise.data.codes import CodeClip, Stamp, write_codes
from makesomenoise.data.instructions.examples import TaskWeights
from makesomenoise.language.config import LoraConfig
from makesomenoise.language.model import LanguageModel
from makesomenoise.tokenizer.model import AudioTokenizer
from makesomenoise.training.language.embedding_alignment import EmbeddingAlignmentConfig
from makesomenoise.training.language.recipe import LanguageDataConfig, LanguageTrainingConfig, StageConfig
from makesomenoise.training.language.trainer import LanguageOptimizerConfig, LanguageRunConfig
from tests import factories

SOME = TaskWeights(caption=0, presence=0, choose=0, go_on=0, generate=1.0, classify=1.0)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return factories.save_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, tokenizer: Path, bases: dict[str, Path]) -> LanguageTrainingConfig:
    """Six steps on two labels, each of which has codes of its own."""
    loaded = AudioTokenizer.load(tokenizer, vocoder="griffin-lim")
    stamp = Stamp(loaded.fingerprint, loaded.codebook_size, loaded.code_rate)
    clips = [
        CodeClip(f"{label}-{n}", tuple(first + k % 3 for k in range(25)), 1.0, (0.0, 1.0), dataset="esc50", label=label)
        for label, first in (("dog", 0), ("rain", 500))
        for n in range(4)
    ]
    folder = tmp_path_factory.mktemp("codes")
    write_codes(folder / "a.parquet", clips, stamp)
    codes = (str(folder),)
    return LanguageTrainingConfig(
        base=str(bases["llama"]),
        tokenizer=str(tokenizer),
        lora=LoraConfig(rank=4),
        data=LanguageDataConfig(train=codes, valid=codes, chats=4, valid_batches=2),
        embedding_alignment=EmbeddingAlignmentConfig(steps=20),
        stages=(
            StageConfig(name="one", steps=2, task_weights=SOME),
            StageConfig(name="two", steps=4, task_weights=SOME),
        ),
        optimizer=LanguageOptimizerConfig(lora_lr=5e-3, embedding_lr=1e-2, warmup_steps=2),
        run=LanguageRunConfig(batch_tokens=200, valid_every=2, threads=1, precision="float32"),
    )


@pytest.fixture(params=["llama", "qwen2"])
def model(request: pytest.FixtureRequest, bases: dict[str, Path], codebook: torch.Tensor) -> LanguageModel:
    return factories.untrained(bases[request.param], codebook)
