"""The demo page is whole, works from disk and names the bits that were spent; a language model adds words to it."""

import html
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from makesomenoise import model_folder
from makesomenoise.audio import io
from makesomenoise.demo import page as demo_page
from makesomenoise.demo.page import PROMPTS, find_speaker, heard
from makesomenoise.pipeline import USUAL, AudioLanguageModel
from makesomenoise.tokenizer.model import AudioTokenizer
from tests import factories

Build = Callable[..., Path]


@pytest.fixture
def clips(tmp_path: Path, tone) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    io.save(folder / "low & high.flac", tone(0.6, 200.0))
    io.save(folder / "high.wav", tone(0.4, 2000.0))
    return folder


@pytest.fixture
def build(msn, models, clips: Path, tmp_path: Path) -> Build:
    """Builds the page of the two clips with the tiny tokenizers."""

    def call(*more: object) -> Path:
        arguments = ("--model", models.ours, "--baseline", models.baseline, "--vocoder", models.vocoder)
        result = msn("demo", tmp_path / "demo", "--clips", clips, *arguments, *more)
        assert result.exit_code == 0, result.output
        return tmp_path / "demo" / "index.html"

    return call


@pytest.fixture
def page(build: Build) -> Path:
    return build()


@pytest.fixture(scope="module")
def languages(models, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Language models of the two tiny tokenizers, over a random base that spells in bytes."""
    base, found = factories.save_base(tmp_path_factory.mktemp("base"), spread=0.5), {}
    for name in ("ours", "baseline"):
        codes = AudioTokenizer.load(getattr(models, name), "griffin-lim").fingerprint
        found[name] = tmp_path_factory.mktemp(name) / "language"
        factories.language_model(base, codes).save(found[name])
    return found


@pytest.fixture
def shipped(languages: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the language model of `ours` be the bundled one."""

    def resolve(source: str) -> Path:
        return languages["ours"] if source == "language" else model_folder.resolve(source)

    monkeypatch.setattr(demo_page, "resolve", resolve)


def test_every_file_on_the_page_is_there_and_nothing_from_elsewhere(page: Path):
    text = page.read_text(encoding="utf-8")
    sources = [name.replace("&amp;", "&") for name in re.findall(r'src="([^"]+)"', text)]
    assert len(sources) == 2 * 3 * 2  # clips, versions, sound and picture
    assert all((page.parent / name).stat().st_size > 0 for name in sources)
    assert "http" not in text
    assert "$" not in re.sub(r"`[^`]*`", "", text)


def test_the_page_counts_bits_and_shows_codes(page: Path):
    text = page.read_text(encoding="utf-8")
    assert "234 bit/s" in text
    assert "230,400 bits" in text  # 0.6 s of 16 bits at 24 kHz
    assert "15 codes" in text
    assert len(re.findall(r'data-codes="\[\d', text)) == 4


def test_decoded_clips_are_as_long_as_the_originals(page: Path):
    for stem, samples in (("low & high", 14_400), ("high", 9600)):
        for version in ("original", "makesomenoise", "vq-vae"):
            assert len(io.load(page.parent / f"{stem}-{version}.wav")) == samples


def test_a_folder_without_sound_is_refused(msn, models, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    arguments = ("--model", models.ours, "--baseline", models.ours, "--vocoder", models.vocoder)
    result = msn("demo", tmp_path / "demo", "--clips", tmp_path / "empty", *arguments)
    assert result.exit_code == 2
    assert "No sound files in" in result.stderr
    assert not (tmp_path / "demo").exists()


def test_a_language_model_says_what_it_hears_and_makes_sounds(build: Build, clips: Path, languages, models):
    page = build("--language", languages["ours"])
    text = page.read_text(encoding="utf-8")
    speaker = AudioLanguageModel.load(languages["ours"], models.ours, models.vocoder)
    said = [speaker.caption([io.load(clips / name)])[0] for name in ("high.wav", "low & high.flac")]
    assert all(said)
    assert re.findall(r"heard: <q>(.*?)</q>", text, re.DOTALL) == [html.escape(one) for one in said]
    *_, last = text.split("<section>")
    assert "made from text" in last
    assert re.findall("<b>([^<]+)</b>", last) == list(PROMPTS)
    assert last.count("118 codes = 1,180 bits") == 3
    for prompt, shown in zip(PROMPTS, re.findall('data-codes="([^"]+)"', last), strict=True):
        name = f"made-{prompt.replace(' ', '-')}"
        assert f'src="{name}.wav"' in last
        assert (page.parent / f"{name}.png").stat().st_size > 0
        made = speaker.compose(prompt, seconds=5.0)[0]
        assert list(made.codes) == json.loads(shown)
        difference = io.load(page.parent / f"{name}.wav") - speaker.render(made, seconds=5.0, generation=USUAL)
        assert np.abs(difference).max() < 1e-4


def test_only_the_beginning_of_a_long_clip_is_described(languages, models, tone):
    speaker = AudioLanguageModel.load(languages["ours"], models.ours, models.vocoder)
    waveform = torch.cat([tone(30.0), tone(90.0, 900.0)])  # 120 s do not fit into the context
    assert heard(speaker, waveform) == speaker.caption([tone(30.0)])[0]


@pytest.mark.usefixtures("shipped")
def test_the_bundled_language_model_speaks_where_it_fits(models):
    ours, theirs = (AudioTokenizer.load(folder, models.vocoder) for folder in (models.ours, models.baseline))
    speaker = find_speaker("language", ours)
    assert speaker is not None
    assert speaker.tokenizer is ours
    assert find_speaker("language", theirs) is None
    assert find_speaker("none", ours) is None


def test_the_page_does_without_words(page: Path, build: Build):
    text = page.read_text(encoding="utf-8")
    assert "heard" not in re.sub(r"<style>.*</style>", "", text, flags=re.DOTALL)
    assert "made from text" not in text
    assert build("--language", "none").read_text(encoding="utf-8") == text


@pytest.mark.usefixtures("shipped")
def test_a_language_model_that_cannot_speak_is_one_sentence(
    msn, models, clips: Path, languages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def told(language: object) -> str:
        arguments = ("--model", models.ours, "--baseline", models.ours, "--vocoder", models.vocoder)
        result = msn("demo", tmp_path / "demo", "--clips", clips, *arguments, "--language", language)
        assert result.exit_code == 2, result.output
        assert not (tmp_path / "demo").exists()
        return result.stderr

    assert "No model 'languag'" in told("languag")
    assert "learned the codes of the tokenizer" in told(languages["baseline"])
    monkeypatch.setitem(sys.modules, "makesomenoise.pipeline", None)
    monkeypatch.delitem(sys.modules, "makesomenoise.language.model")
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert "pip install 'makesomenoise[language]'" in told("language")
