"""A model says what its base says until it learns; it is saved, loaded, fused and merged without a change of mind."""

import json
import os
import subprocess
import sys

import pytest
import torch
from transformers import AutoModelForCausalLM, DynamicCache

from makesomenoise import checkpoint
from makesomenoise.errors import FileError
from makesomenoise.language.config import LanguageConfig, LanguageError, LoraConfig
from makesomenoise.language.model import LanguageModel
from makesomenoise.language.prompts import Sound, Turn
from tests.factories import untrained

TURNS = [Turn("user", ("What is it? ", Sound((3, 4, 19))))]


def scores(model: LanguageModel, tokens: torch.Tensor | None = None) -> torch.Tensor:
    with torch.no_grad():
        return model.logits(model.hidden(torch.tensor([model.prompts.prompt(TURNS)]) if tokens is None else tokens))


def test_an_untrained_model_says_what_its_base_says(bases, codebook):
    for folder in bases.values():
        model = LanguageModel.create(
            LanguageConfig(base=str(folder), tokenizer_fingerprint="0", codebook_size=20), codebook
        )
        tokens = torch.tensor([model.vocabulary.text("rain on a roof")])
        base = AutoModelForCausalLM.from_pretrained(folder)
        first = model.vocabulary.first
        torch.testing.assert_close(scores(model, tokens)[..., :first], base(tokens).logits[..., :first])


def test_only_matrices_and_new_rows_are_learned(model):
    model.logits(model.hidden(torch.tensor([model.prompts.prompt(TURNS)]))).square().mean().backward()
    learned = {name for name, tensor in model.network.named_parameters() if tensor.requires_grad}
    assert all("lora_" in name or "trainable_tokens_delta" in name for name in learned)
    assert {name.split(".")[-4] for name in learned if "lora_A" in name} == {
        *("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    }
    assert model.rows.grad is not None
    assert model.output_rows.grad is not None
    assert model.tied is bool(model.causal.config.tie_word_embeddings)
    assert len(model.learned()) == 2 * 2 * 7 + (1 if model.tied else 2)


def test_save_and_load_change_nothing_beyond_16_bits(model, tmp_path):
    model.save(tmp_path, card="# Card")
    assert (tmp_path / "MODEL_CARD.md").read_text() == "# Card"
    expected = scores(model)
    for fused in (False, True):
        loaded = LanguageModel.load(tmp_path, fused=fused)
        assert loaded.fused is fused
        assert loaded.config == model.config
        torch.testing.assert_close(scores(loaded), expected, rtol=0, atol=5e-3)
    again = LanguageModel.load(tmp_path)
    again.save(tmp_path / "again")
    torch.testing.assert_close(scores(LanguageModel.load(tmp_path / "again")), scores(again), rtol=0, atol=0)


def test_a_fused_model_says_the_same(model):
    expected, rows = scores(model), model.rows.detach().clone()
    model.fuse()
    torch.testing.assert_close(scores(model), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model.rows, rows, rtol=0, atol=0)
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert model.fuse() is model
    with pytest.raises(LanguageError, match="neither be trained nor saved"):
        model.save("nowhere")


@pytest.mark.parametrize("model", ["llama"], indirect=True)
def test_loading_fused_needs_no_peft(model, tmp_path, monkeypatch):
    model.save(tmp_path)
    monkeypatch.setitem(sys.modules, "peft", None)  # whose import fails then
    assert LanguageModel.load(tmp_path, fused=True).fused
    with pytest.raises(ModuleNotFoundError):
        LanguageModel.load(tmp_path)
    ours = [module for name, module in sys.modules.items() if name.startswith("makesomenoise.language.")]
    held = {v for module in ours for v in vars(module).values() if str(getattr(v, "__module__", "")).startswith("peft")}
    assert not held  # nor does an import of ours bring it


ELSEWHERE = """
import json, sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer

def told(folder, tokens, network):
    text = AutoTokenizer.from_pretrained(folder)
    said = network(torch.tensor([tokens])).logits.tolist()
    return {"text": text.decode(tokens), "again": text.encode(text.decode(tokens)), "scores": said}

asked, found = json.loads(sys.argv[1]), {}
for name, (folder, tokens) in asked.items():
    found[f"{name} merged"] = told(folder + "/merged", tokens, AutoModelForCausalLM.from_pretrained(folder + "/merged"))
assert "peft" not in sys.modules
from peft import PeftModel
for name, (folder, tokens) in asked.items():
    base = AutoModelForCausalLM.from_pretrained(folder + "/adapter/base")
    found[f"{name} adapter"] = told(folder + "/adapter", tokens, PeftModel.from_pretrained(base, folder + "/adapter"))
assert "makesomenoise" not in sys.modules
print(json.dumps(found))
"""


def test_a_merged_folder_and_an_adapter_need_no_code_of_ours(bases, codebook, tmp_path):
    asked, expected = {}, {}
    for name, base in bases.items():
        folder = tmp_path / name
        one, other = (untrained(base, codebook) for _ in range(2))
        asked[name], expected[name] = (str(folder), one.prompts.prompt(TURNS)), scores(one)
        one.merge(folder / "merged")
        other.write_peft(folder / "adapter")
        names = {path.name for path in (folder / "adapter").iterdir()}
        assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "base"} <= names
        assert not any(path.suffix in (".bin", ".pt") for path in (folder / "adapter").rglob("*"))
        with pytest.raises(FileError, match="new or empty"):
            other.write_peft(folder / "adapter")
        assert {path.name for path in folder.iterdir()} == {"merged", "adapter"}
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, json.dumps(asked)], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.keys() == {f"{name} {way}" for name in bases for way in ("merged", "adapter")}
    for about, told in found.items():
        name = about.split()[0]
        assert "<|audio|><|a3|><|a4|><|a19|><|/audio|>" in told["text"]
        assert told["again"] == asked[name][1]
        torch.testing.assert_close(torch.tensor(told["scores"]), expected[name], rtol=1e-4, atol=1e-5)


def test_a_merged_folder_is_one_of_transformers_4_too(model, tmp_path):
    umask = os.umask(0o022)
    try:
        model.merge(tmp_path / "merged")
    finally:
        os.umask(umask)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "merged").iterdir()} == {0o644}
    config = json.loads((tmp_path / "merged" / "config.json").read_text())
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"]
    text = json.loads((tmp_path / "merged" / "tokenizer_config.json").read_text())
    assert text["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert text["add_bos_token"] is False
    assert not isinstance(text.get("extra_special_tokens"), list)


def test_a_merged_model_never_overwrites(model, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileError, match="new or empty"):
        model.merge(tmp_path)
    assert not model.fused


def test_a_cache_changes_nothing(model):
    tokens = torch.tensor([model.prompts.prompt(TURNS)])
    cache = DynamicCache()
    with torch.no_grad():
        parts = [model.hidden(part, cache=cache) for part in tokens.split(5, dim=1)]
        torch.testing.assert_close(torch.cat(parts, dim=1), model(tokens), rtol=1e-4, atol=1e-5)


def test_rows_are_replaced_and_read(model):
    before = scores(model)
    rows = torch.randn(model.rows.shape, generator=torch.Generator().manual_seed(5))
    kept = model.output_rows.detach().clone()
    model.set_rows(rows)
    torch.testing.assert_close(model.rows.detach(), rows)
    assert torch.equal(model.output_rows.detach(), rows if model.tied else kept)
    assert not torch.allclose(scores(model), before)
    with pytest.raises(LanguageError, match="Expected rows"):
        model.set_rows(rows[1:])


def test_a_seed_makes_the_same_model(bases, codebook):
    config = LanguageConfig(base=str(bases["llama"]), tokenizer_fingerprint="0", codebook_size=20)
    one, two, other = (LanguageModel.create(config, codebook, seed=seed).learned() for seed in (1, 1, 2))
    assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())
    assert not all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_a_codebook_of_another_size_is_refused(bases):
    with pytest.raises(LanguageError, match=r"Expected a codebook \[20, D\]; got \[3, 8\]"):
        LanguageModel.create(
            LanguageConfig(base=str(bases["llama"]), tokenizer_fingerprint="0", codebook_size=20), torch.zeros(3, 8)
        )


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("change", ["base", "rank"])
def test_weights_of_another_base_or_rank_are_refused(bases, codebook, tmp_path, fused, change):
    config = LanguageConfig(base=str(bases["llama"]), tokenizer_fingerprint="0", codebook_size=20)
    model = LanguageModel.create(config, codebook)
    other = {"base": {"base": str(bases["qwen2"])}, "rank": {"lora": LoraConfig(rank=8)}}[change]
    checkpoint.save_model(tmp_path, config.model_copy(update=other), model.learned())
    with pytest.raises(LanguageError, match="does not fit the base"):
        LanguageModel.load(tmp_path, fused=fused)
