"""The mean of two models lies between them, and only models of one kind have one."""

import pytest
import torch

from makesomenoise import checkpoint, model_folder
from makesomenoise.errors import FileError
from makesomenoise.language.averaging import average
from makesomenoise.language.config import LanguageConfig, LanguageError, LoraConfig
from makesomenoise.language.model import LanguageModel

CODES = "0123456789abcdef"


@pytest.fixture
def folders(tmp_path):
    """Two models of one kind, as training leaves them."""
    config = LanguageConfig(base="anything", tokenizer_fingerprint=CODES, codebook_size=4, time_markers=True)
    for name, value, settings in (("before", 1.0, {"time_markers": False}), ("after", 3.0, {})):
        state = {"rows": torch.full((4, 8), value), "matrix": torch.full((2, 8), -value)}
        checkpoint.save_model(tmp_path / name, config.model_copy(update=settings), state, storage="float16")
    return tmp_path


def test_weights_are_weighed_and_settings_are_the_first_ones(folders):
    average(folders / "after", folders / "before", folders / "mean", share=0.25)
    state = checkpoint.load_state(folders / "mean")
    assert torch.equal(state["rows"].float(), torch.full((4, 8), 2.5))
    assert torch.equal(state["matrix"].float(), torch.full((2, 8), -2.5))
    assert state["rows"].dtype == checkpoint.load_state(folders / "after")["rows"].dtype
    assert model_folder.load_config(folders / "mean", LanguageConfig).time_markers


def test_a_mean_of_a_real_model_with_itself_is_that_model(model, tmp_path):
    model.save(tmp_path / "one")
    average(tmp_path / "one", tmp_path / "one", tmp_path / "mean")
    mean = LanguageModel.load(tmp_path / "mean")
    for name, tensor in mean.learned().items():
        assert torch.allclose(tensor, LanguageModel.load(tmp_path / "one").learned()[name])


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, float("nan")])
def test_a_share_of_nothing_or_of_all_is_refused(folders, share):
    with pytest.raises(LanguageError, match="between 0 and 1"):
        average(folders / "after", folders / "before", folders / "mean", share)
    assert not (folders / "mean").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [("base", "other"), ("tokenizer_fingerprint", "f" * 16), ("lora", LoraConfig(rank=2)), ("codebook_size", 8)],
)
def test_models_of_other_kinds_are_refused(folders, name, value):
    config = model_folder.load_config(folders / "before", LanguageConfig).model_copy(update={name: value})
    checkpoint.save_model(folders / "other", config, checkpoint.load_state(folders / "before"))
    with pytest.raises(LanguageError, match=f"differ in `{name}`"):
        average(folders / "after", folders / "other", folders / "mean")


def test_other_tensors_and_full_folders_are_refused(folders):
    config = model_folder.load_config(folders / "before", LanguageConfig)
    checkpoint.save_model(folders / "other", config, {"rows": torch.zeros(4, 8)})
    with pytest.raises(LanguageError, match="cannot be averaged"):
        average(folders / "after", folders / "other", folders / "mean")
    with pytest.raises(FileError, match="new or empty"):
        average(folders / "after", folders / "before", folders / "other")


def test_a_folder_that_cannot_be_written_is_one_sentence(folders):
    (folders / "file").touch()
    with pytest.raises(FileError, match=r"Cannot write .*file.*: Not a directory; give"):
        average(folders / "before", folders / "after", folders / "file" / "mean")
