"""Codecs keep the length and cost their rate; what is not installed is said."""

import shutil

import pytest
import torch

from makesomenoise.evaluation.tokenizer import codecs
from makesomenoise.evaluation.tokenizer.codecs import codec2, find_codecs, ogg_payload_bytes, opus

needs_codec2 = pytest.mark.skipif(shutil.which("c2enc") is None, reason="codec2 is not installed")
needs_opus = pytest.mark.skipif(shutil.which("opusenc") is None, reason="opus-tools is not installed")


def page(granule: int, *segments: int) -> bytes:
    head = b"OggS" + bytes(2) + granule.to_bytes(8, "little", signed=True) + bytes(12) + bytes([len(segments)])
    return head + bytes(segments) + bytes(sum(segments))


def test_ogg_payload_leaves_out_headers_tags_and_pages():
    assert ogg_payload_bytes(page(0, 19) + page(0, 60) + page(960, 40, 50) + page(1920, 7)) == 97


def test_tags_that_fill_several_pages_are_left_out():
    tags = page(-1, *[255] * 255) + page(0, 30)
    assert ogg_payload_bytes(page(0, 19) + tags + page(960, 40)) == 40


def test_missing_programs_are_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(codecs.shutil, "which", lambda _: None)
    found = find_codecs()
    assert found.systems == []
    assert found.skipped["codec2 700C"] == "c2enc and c2dec not installed (Debian package codec2)"
    assert set(found.skipped) == {"codec2 700C", "codec2 3200", "Opus 6 kbit/s"}


@needs_codec2
@pytest.mark.parametrize(("mode", "bits_per_second"), [("700C", 700), ("3200", 3200)])
def test_codec2_keeps_the_length_and_costs_its_rate(tone, mode: str, bits_per_second: int):
    coded = codec2(tone(2.0, hz=200.0), mode)
    assert coded.waveform.shape == (48_000,)
    assert coded.bits == 2 * bits_per_second
    assert coded.waveform.abs().max() > 0.01


@needs_opus
def test_opus_keeps_length_and_pitch_near_its_rate(tone):
    coded = opus(tone(2.0, hz=400.0))
    assert coded.waveform.shape == (48_000,)
    assert 5000 < (coded.bits or 0) / 2 < 7500
    spectrum = torch.fft.rfft(coded.waveform[12_000:36_000]).abs()
    assert abs(int(spectrum.argmax()) - 400) <= 20  # what is left of a pure tone at this rate; bins are 1 Hz


@needs_opus
@needs_codec2
def test_a_single_sample_can_be_coded():
    assert codec2(torch.zeros(1), "700C").waveform.shape == (1,)
    assert opus(torch.zeros(1)).waveform.shape == (1,)
