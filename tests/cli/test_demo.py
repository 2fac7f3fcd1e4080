"""The demo page is whole, works from disk and names the bits that were spent."""

import re
from pathlib import Path

import pytest

from makesomenoise.audio import io


@pytest.fixture
def page(msn, models, tmp_path: Path, tone) -> Path:
    clips = tmp_path / "clips"
    clips.mkdir()
    io.save(clips / "low & high.flac", tone(0.6, 200.0))
    io.save(clips / "high.wav", tone(0.4, 2000.0))
    arguments = ("--model", models.ours, "--baseline", models.baseline, "--vocoder", models.vocoder)
    result = msn("demo", tmp_path / "demo", "--clips", clips, *arguments)
    assert result.exit_code == 0, result.output
    return tmp_path / "demo" / "index.html"


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
