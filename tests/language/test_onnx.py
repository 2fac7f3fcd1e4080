"""Without torch the network says what it says in torch, within 8 bits; states are copied, cropped and branched."""

from pathlib import Path

import numpy as np
import pytest
import torch

from makesomenoise import checkpoint
from makesomenoise.config import ConfigError
from makesomenoise.engine.base import EngineError
from makesomenoise.errors import FileError
from makesomenoise.language import adapter, cache, quantized
from makesomenoise.language.config import LanguageConfig, LanguageError
from makesomenoise.language.generation import log_likelihood, sample_codes, sample_texts, stream_tokens
from makesomenoise.language.onnx import OnnxLanguage
from makesomenoise.language.prompts import Sound, Turn
from makesomenoise.language.sampling import GREEDY, Sampling, seeded
from makesomenoise.language.speaker import OnnxSpeaker, Speaker, load_speaker
from tests.language import tiny_gguf

CODES, TEXT = 20, len(tiny_gguf.WORDS)
PROMPT, OTHER = [5, 6, 7, 8, 9, TEXT + CODES, TEXT + 3, TEXT + 19], [5, 9]


@pytest.fixture
def folder(gguf_model) -> Path:
    return gguf_model


@pytest.fixture(autouse=True)
def home(onnx_cache) -> Path:
    return onnx_cache


@pytest.fixture
def speaker(folder) -> Speaker:
    return load_speaker(folder)


@pytest.fixture(scope="module")
def plain(gguf_model):
    """Scores [L, V] of the same network in torch, in 32 bits."""
    stored = checkpoint.load_model(gguf_model, LanguageConfig)
    made = tiny_gguf.network()
    made.resize_token_embeddings(TEXT + CODES + 2, mean_resizing=False)
    adapter.add(made, stored.config.lora, stored.tensors(), TEXT)

    def scores(tokens: list[int]) -> np.ndarray:
        with torch.inference_mode():
            return made(torch.tensor([tokens])).logits[0].numpy()

    return scores


def said(speaker: Speaker, hidden: np.ndarray) -> np.ndarray:
    return np.concatenate((speaker.engine.text_scores(hidden), speaker.engine.audio_scores(hidden)), axis=1)


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """Root mean square of the difference, as a share of the deviation: rounding may flip."""
    return float(np.sqrt(np.mean((one - other) ** 2)) / other.std())


def read(speaker: Speaker, tokens: list[int]) -> np.ndarray:
    return said(speaker, speaker.engine.read(speaker.engine.begin(1), [tokens]))[0]


def test_it_says_what_torch_says(speaker, plain):
    found, expected = read(speaker, PROMPT), plain(PROMPT)[-1]
    assert apart(found, expected) < 0.08
    assert found.argmax() == expected.argmax()


def test_the_base_alone_says_what_the_base_says(speaker):
    network = tiny_gguf.network()
    with torch.inference_mode():
        expected = network(torch.tensor([PROMPT[:5]])).logits[0, -1].numpy()
    found = read(speaker.base_alone(), PROMPT[:5])[:TEXT]
    assert apart(found, expected) < 0.08


def test_a_state_goes_on_from_where_it_was(speaker):
    engine, whole = speaker.engine, read(speaker, PROMPT)
    state = engine.begin(1)
    engine.read(state, [PROMPT[:3]])
    copied = state.chosen([0, 0])
    engine.read(state, [OTHER])
    state.crop(3)
    np.testing.assert_array_equal(said(speaker, engine.read(state, [PROMPT[3:]]))[0], whole)
    for token in PROMPT[3:]:
        hidden = engine.read(copied, [[token], [token]])
    assert apart(said(speaker, hidden)[1], whole) < 0.02


def test_rows_of_a_batch_are_those_of_each_alone(speaker):
    state = speaker.engine.begin(2)
    hidden = said(speaker, speaker.engine.read(state, [PROMPT, OTHER]))
    following = said(speaker, speaker.engine.read(state, [[4], [4]]))
    for row, prompt in enumerate((PROMPT, OTHER)):
        np.testing.assert_allclose(hidden[row], read(speaker, prompt), atol=1e-5)
        assert apart(following[row], read(speaker, [*prompt, 4])) < 0.02


def test_a_state_has_room_for_as_much_as_comes(speaker):
    long = [5 + n % 200 for n in range(300)]
    state = speaker.engine.begin(1)
    for first in range(0, 300, 100):
        hidden = speaker.engine.read(state, [long[first : first + 100]])
    assert apart(said(speaker, hidden)[0], read(speaker, long)) < 0.02


def test_branches_do_not_see_each_other(speaker, plain):
    answers = [[30, 4, 50], [70], [90, 2]]
    expected = []
    for answer in answers:
        scores = plain(PROMPT + answer)[len(PROMPT) - 1 : -1].astype(np.float64)
        scores -= np.log(np.exp(scores).sum(-1, keepdims=True))
        expected.append(scores[np.arange(len(answer)), answer].sum())
    np.testing.assert_allclose(log_likelihood(speaker, PROMPT, answers, at_once=2), expected, rtol=0.02)


def test_codes_texts_and_streams_are_drawn(speaker):
    sampling = Sampling(guidance=3.0)
    first, again, other = (sample_codes(speaker, PROMPT, OTHER, 12, sampling, seeded(n), 2) for n in (0, 0, 1))
    assert first.shape == (2, 12)
    assert 0 <= first.min() <= first.max() < CODES
    assert first.tolist() == again.tolist() != other.tolist()
    alone = [list(stream_tokens(speaker, prompt, 10, GREEDY, seeded(0))) for prompt in (PROMPT, OTHER)]
    assert sample_texts(speaker, [PROMPT, OTHER], 10, GREEDY, seeded(0)) == alone


def test_a_prompt_is_what_the_template_writes(speaker):
    tokens = speaker.prompts.prompt([Turn("user", ("in ", Sound((3,))))])
    assert speaker.vocabulary.text_tokenizer.decode(tokens) == (
        "<|im_start|>user\nin <|audio|><|a3|><|/audio|><|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_model_is_converted_once(folder, home, monkeypatch):
    load_speaker(folder)
    kept = sorted(path.name for path in home.iterdir())
    name = checkpoint.load_model(folder, LanguageConfig).fingerprint + "-8bit-1"
    assert kept == [name, f"{name}.lock"]
    monkeypatch.setattr(cache, "gguf_file", None)
    load_speaker(folder)


def test_a_damaged_conversion_is_one_sentence(folder, home):
    load_speaker(folder)
    (kept,) = (path for path in home.iterdir() if path.is_dir())
    (kept / quantized.SIZES_FILE).unlink()
    with pytest.raises(ConfigError, match="Cannot read the configuration"):
        load_speaker(folder)


def test_weights_of_another_base_are_refused(folder, home, tmp_path):
    stored = checkpoint.load_model(folder, LanguageConfig)
    state = {name: array for name, array in stored.state.items() if "layers.1.mlp.up_proj.lora_A" not in name}
    checkpoint.save_model(tmp_path / "other", stored.config, state)
    with pytest.raises(LanguageError, match=r"up_proj' differs\): use the base that it was trained with"):
        load_speaker(tmp_path / "other")
    assert [path.suffix for path in home.iterdir()] == [".lock"]


def test_a_cache_that_cannot_be_written_is_one_sentence(folder, monkeypatch, tmp_path):
    (tmp_path / "makesomenoise").touch()
    (tmp_path / "file").touch()
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path / "file"))
    with pytest.raises(
        FileError, match=r"Cannot keep the language model in .* \(Not a directory\): set XDG_CACHE_HOME"
    ):
        load_speaker(folder)


def test_another_base_needs_torch(folder, tmp_path):
    stored = checkpoint.load_model(folder, LanguageConfig)
    checkpoint.save_model(tmp_path / "other", stored.config.model_copy(update={"base": "a/b"}), stored.state)
    with pytest.raises(EngineError, match="onnx has only the base smollm2-135m, not 'a/b': give torch"):
        load_speaker(tmp_path / "other", engine="onnx")


def test_an_operator_that_is_missing_is_one_sentence(speaker, home, monkeypatch):
    monkeypatch.setattr("makesomenoise.engine.onnx_file.CONTRIB_DOMAIN", "com.nobody")
    (kept,) = (path for path in home.iterdir() if path.is_dir())
    with pytest.raises(EngineError, match="cannot load the network of"):
        OnnxLanguage(kept)
    assert isinstance(speaker, OnnxSpeaker)
