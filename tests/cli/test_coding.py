"""`msn encode`, `decode` and `info`: sound goes round, outputs are whole or absent, mistakes get one sentence."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from makesomenoise.audio import io
from makesomenoise.tokenizer import bitstream


@pytest.fixture
def sound(tmp_path: Path, tone) -> Path:
    path = tmp_path / "in" / "sound.wav"
    path.parent.mkdir()
    soundfile.write(path, tone(1.3, 440.0, 44_100).numpy(), 44_100)
    return path


@pytest.fixture
def coded(msn, models, sound: Path) -> Path:
    target = sound.with_suffix(".msn")
    assert msn("encode", sound, target, "--model", models.ours).exit_code == 0
    return target


def refused(result, folder: Path) -> str:
    """The sentence of a command that failed as it should and left nothing in `folder`."""
    assert result.exit_code == 2, result.output
    assert list(folder.iterdir()) == []
    assert result.stderr.startswith("msn: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_sound_goes_round(msn, models, coded: Path, tmp_path: Path):
    result = msn("decode", coded, tmp_path / "out.flac", "--model", models.ours, "--vocoder", models.vocoder)
    assert result.exit_code == 0, result.output
    assert "1.30 s from 31 codes" in result.stdout
    assert len(io.load(tmp_path / "out.flac")) == 31_200


def test_the_file_is_small_and_says_what_it_is(msn, coded: Path):
    assert coded.stat().st_size == 39 + 32  # 31 codes of 10 bits
    shown = msn("info", coded).stdout
    assert "1.300 s (31200 samples at 24000 Hz)" in shown
    assert "31 of 10 bits" in shown
    assert bitstream.read(coded).fingerprint in shown


def test_the_command_gives_what_the_library_gives(msn, models, sound: Path, coded: Path, tmp_path: Path):
    from makesomenoise import AudioTokenizer

    tokenizer = AudioTokenizer.load(models.ours, models.vocoder)
    codes = tokenizer.encode(io.load(sound)[None])
    assert np.array_equal(bitstream.read(coded).codes, codes[0])
    msn("decode", coded, tmp_path / "out.wav", "--model", models.ours, "--vocoder", models.vocoder, "--seed", 3)
    io.save(tmp_path / "expected.wav", tokenizer.decode(codes, seed=3)[0, :31_200])
    assert (tmp_path / "out.wav").read_bytes() == (tmp_path / "expected.wav").read_bytes()


def test_the_best_quality_is_that_of_the_library(msn, models, coded: Path, tmp_path: Path):
    from makesomenoise import AudioTokenizer

    tokenizer = AudioTokenizer.load(models.ours, models.vocoder)
    arguments = (coded, tmp_path / "out.wav", "--model", models.ours, "--vocoder", models.vocoder)
    assert msn("decode", *arguments, "--quality", "best").exit_code == 0
    waveform = tokenizer.decode(bitstream.read(coded).codes[None], quality="best")
    io.save(tmp_path / "expected.wav", waveform[0, :31_200])
    assert (tmp_path / "out.wav").read_bytes() == (tmp_path / "expected.wav").read_bytes()


def test_an_unknown_quality_is_refused_and_leaves_nothing(msn, models, coded: Path, tmp_path: Path):
    result = msn("decode", coded, tmp_path / "out.wav", "--model", models.ours, "--quality", "good")
    assert result.exit_code == 2
    assert "unknown quality 'good': give fast or best" in result.stderr
    assert not (tmp_path / "out.wav").exists()


def test_several_files_go_to_a_folder(msn, models, sound: Path, tmp_path: Path, tone):
    second = sound.with_name("second.flac")
    io.save(second, tone(0.5))
    assert msn("encode", sound, second, tmp_path / "out", "--model", models.ours).exit_code == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["second.msn", "sound.msn"]


def test_one_bad_file_does_not_stop_the_others(msn, models, sound: Path, tmp_path: Path):
    bad = tmp_path / "bad.wav"
    bad.write_text("words")
    result = msn("encode", bad, sound, tmp_path / "out", "--model", models.ours)
    assert result.exit_code == 2
    assert "bad.wav" in result.output
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["sound.msn"]


def test_two_inputs_of_one_name_are_refused(msn, models, sound: Path, tmp_path: Path):
    (tmp_path / "out").mkdir()
    result = msn("encode", sound, sound.with_suffix(".mp3"), tmp_path / "out", "--model", models.ours)
    assert "Two inputs would both be written to" in refused(result, tmp_path / "out")


def documents(result) -> list[dict]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_every_file_has_its_document(msn, models, sound: Path, tmp_path: Path, tone):
    bad, good, out = sound.with_name("bad.wav"), sound.with_name("z.flac"), tmp_path / "out"
    bad.write_text("words")
    io.save(good, tone(0.5))
    out.mkdir()
    (out / "z.msn").write_text("notes")
    result = msn("encode", sound.parent, out, "--json", "--model", models.ours)
    assert result.exit_code == 2
    kept, failed, made = documents(result)
    assert (kept["file"], failed["file"]) == (str(good), str(bad))
    assert "exists and is kept" in kept["error"]
    assert "not a sound file" in failed["error"]
    assert made == {
        "file": str(sound),
        "output": str(out / "sound.msn"),
        "seconds": 1.3,
        "codes": 31,
        "bytes": (out / "sound.msn").stat().st_size,
    }
    again = msn("encode", sound, good, out, "--resume", "--json", "--model", models.ours)
    assert (again.exit_code, again.stdout) == (0, "")
    (out / "z.msn").unlink()
    arguments = ("--json", "--model", models.ours, "--vocoder", models.vocoder)
    (back,) = documents(msn("decode", out, tmp_path / "back", *arguments))
    target = str(tmp_path / "back" / "sound.wav")
    assert back == {"file": str(out / "sound.msn"), "output": target, "seconds": 1.3, "codes": 31}
    for words in (("decode", out / "sound.msn", target), ("decode", out / "no.msn", tmp_path / "a.wav")):
        result = msn(*words, *arguments)
        assert result.exit_code == 2
        (told,) = documents(result)
        assert told["file"] == str(words[1])
        assert told["error"] in result.stderr


def test_how_much_is_done_is_told_within_a_file(models, tmp_path: Path, tone):
    from makesomenoise import AudioTokenizer
    from makesomenoise.tokenizer.files import decode_file, encode_file

    tokenizer = AudioTokenizer.load(models.ours, models.vocoder)
    io.save(tmp_path / "long.flac", tone(60.0))
    encoding: list[float] = []
    encode_file(tokenizer, tmp_path / "long.flac", tmp_path / "long.msn", report=encoding.append)
    decoding: list[float] = []
    decode_file(tokenizer, tmp_path / "long.msn", tmp_path / "long.wav", report=decoding.append)
    for told in (encoding, decoding):
        assert told == sorted(told)
        assert told[-1] == pytest.approx(1.0)
        assert len({share for share in told if 0.0 < share < 1.0}) >= 4


def test_a_sound_of_one_sample(msn, models, tmp_path: Path):
    soundfile.write(tmp_path / "one.wav", np.array([0.5]), 24_000)
    assert msn("encode", tmp_path / "one.wav", tmp_path / "one.msn", "--model", models.ours).exit_code == 0
    arguments = ("--model", models.ours, "--vocoder", models.vocoder)
    assert msn("decode", tmp_path / "one.msn", tmp_path / "back.wav", *arguments).exit_code == 0
    assert len(io.load(tmp_path / "back.wav")) == 1


def test_ten_channels_are_one_sound(msn, models, tmp_path: Path):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (24_000, 10))
    soundfile.write(tmp_path / "ten.wav", samples, 24_000)
    result = msn("encode", tmp_path / "ten.wav", tmp_path / "ten.msn", "--model", models.ours)
    assert "1.00 s, 24 codes" in result.stdout


def wav(samples: np.ndarray) -> bytes:
    import io as buffers

    buffer = buffers.BytesIO()
    soundfile.write(buffer, samples, 24_000, format="WAV", subtype="FLOAT")
    return buffer.getvalue()


def mp3() -> bytes:
    import io as buffers

    buffer = buffers.BytesIO()
    soundfile.write(buffer, np.random.default_rng(0).uniform(-0.5, 0.5, 24_000), 24_000, format="MP3")
    return buffer.getvalue()[:3000]


GOOD = wav(np.zeros(2400, np.float32))
BAD = {
    "empty": (b"", "the file is empty"),
    "zero-length": (wav(np.zeros(0, np.float32)), "holds no samples"),
    "all-NaN": (wav(np.full(100, np.nan, np.float32)), "not finite"),
    "text": (b"just words " * 50, "not a sound file of a known kind"),
    "0 Hz": (GOOD[:24] + bytes(4) + GOOD[28:], "0 Hz"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_sound_is_refused(case: str, msn, models, tmp_path: Path):
    data, message = BAD[case]
    (tmp_path / "out").mkdir()
    (tmp_path / "bad.wav").write_bytes(data)
    result = msn("encode", tmp_path / "bad.wav", tmp_path / "out" / "bad.msn", "--model", models.ours)
    assert message in refused(result, tmp_path / "out")


def test_a_truncated_sound_is_read_with_a_warning_and_refused_if_strict(msn, models, tmp_path: Path):
    (tmp_path / "out").mkdir()
    (tmp_path / "cut.mp3").write_bytes(mp3())
    given = ("encode", tmp_path / "cut.mp3", tmp_path / "out" / "cut.msn", "--model", models.ours)
    assert "is truncated" in refused(msn(*given, "--strict"), tmp_path / "out")
    result = msn(*given)
    assert result.exit_code == 0
    assert result.stderr.startswith("msn: ")
    assert "is truncated; it promises" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert (tmp_path / "out" / "cut.msn").exists()


def test_a_missing_file_and_a_folder_are_refused(msn, models, tmp_path: Path):
    (tmp_path / "out").mkdir()
    for source, message in (
        (tmp_path / "missing.wav", "No such file"),
        (tmp_path / "out", "No sound files in the folder"),
    ):
        result = msn("encode", source, tmp_path / "out" / "a.msn", "--model", models.ours)
        assert message in refused(result, tmp_path / "out")


def test_an_output_that_cannot_be_written_is_refused(msn, models, sound: Path, coded: Path, tmp_path: Path):
    result = msn("encode", sound, tmp_path / "no" / "folder" / "a.msn", "--model", models.ours)
    assert result.exit_code == 2
    assert "give a name in an existing folder" in result.stderr
    result = msn("decode", coded, tmp_path / "out.txt", "--model", models.ours, "--vocoder", models.vocoder)
    assert result.exit_code == 2
    assert "must end in one of .wav, .flac" in result.stderr
    assert not (tmp_path / "out.txt").exists()


def test_damaged_truncated_and_foreign_bitstreams_are_refused(msn, models, coded: Path, tmp_path: Path):
    (tmp_path / "out").mkdir()
    data = coded.read_bytes()
    for wrong, message in (
        (data[:-5], "damaged or truncated"),
        (data[:40] + b"\0\0" + data[42:], "damaged or truncated"),
        (GOOD, "not an .msn file"),
    ):
        (tmp_path / "wrong.msn").write_bytes(wrong)
        arguments = ("--model", models.ours, "--vocoder", models.vocoder)
        result = msn("decode", tmp_path / "wrong.msn", tmp_path / "out" / "a.wav", *arguments)
        assert message in refused(result, tmp_path / "out")
        assert msn("info", tmp_path / "wrong.msn").exit_code == 2


def test_codes_of_another_tokenizer_are_refused(msn, models, coded: Path, tmp_path: Path):
    (tmp_path / "out").mkdir()
    arguments = ("--model", models.baseline, "--vocoder", models.vocoder)
    result = msn("decode", coded, tmp_path / "out" / "a.wav", *arguments)
    sentence = refused(result, tmp_path / "out")
    assert f"was made by the tokenizer {bitstream.read(coded).fingerprint}" in sentence


def test_a_code_outside_the_codebook_is_refused(msn, models, coded: Path, tmp_path: Path):
    held = bitstream.read(coded)
    held.codes[5] = 1500
    wrong = replace(held, bits_per_code=11)
    bitstream.write(tmp_path / "wrong.msn", wrong)
    (tmp_path / "out").mkdir()
    arguments = ("--model", models.ours, "--vocoder", models.vocoder)
    result = msn("decode", tmp_path / "wrong.msn", tmp_path / "out" / "a.wav", *arguments)
    assert "holds the code 1500, outside [0, 1024)" in refused(result, tmp_path / "out")


def test_weights_that_do_not_match_are_refused(msn, models, sound: Path, tmp_path: Path):
    model = tmp_path / "model"
    model.mkdir()
    (tmp_path / "out").mkdir()
    for name in ("config.yaml", "model.safetensors"):
        (model / name).write_bytes((models.ours / name).read_bytes())
    text = (model / "config.yaml").read_text()
    other = text.replace("latent_dim: 8", "latent_dim: 9")
    unnamed = "".join(line for line in other.splitlines(keepends=True) if not line.startswith("fingerprint:"))
    for settings, told in ((other, "says it is the model"), (unnamed, "do not match")):
        (model / "config.yaml").write_text(settings)
        result = msn("encode", sound, tmp_path / "out" / "a.msn", "--model", model)
        assert told in refused(result, tmp_path / "out")
    (model / "config.yaml").write_text(text.replace("latent_dim: 8", "latent_dimension: 8"))
    result = msn("encode", sound, tmp_path / "out" / "a.msn", "--model", model)
    assert "Unknown key 'encoder.latent_dimension'" in refused(result, tmp_path / "out")


def test_a_model_that_is_not_there_is_refused(msn, sound: Path, tmp_path: Path):
    (tmp_path / "out").mkdir()
    result = msn("encode", sound, tmp_path / "out" / "a.msn", "--model", "no-such-model")
    assert "No model 'no-such-model'" in refused(result, tmp_path / "out")


def test_a_device_that_is_not_there_is_refused(msn, models, sound: Path, tmp_path: Path):
    result = msn("encode", sound, tmp_path / "a.msn", "--model", models.ours, "--device", "abacus")
    assert result.exit_code == 2
    assert "'abacus' is not here" in result.stderr
    assert not (tmp_path / "a.msn").exists()


def test_recordings_survive_a_star_and_a_mistake(msn, models, sound: Path, tone):
    second = sound.with_name("z.wav")
    io.save(second, tone(0.5))
    before = [sound.read_bytes(), second.read_bytes()]
    for arguments in ((sound, second), (sound, sound), (sound, second, second)):
        result = msn("encode", *arguments, "--model", models.ours)
        assert result.exit_code == 2
        assert result.stderr.startswith("msn: ")
    assert [sound.read_bytes(), second.read_bytes()] == before
    assert sorted(path.name for path in sound.parent.iterdir()) == ["sound.wav", "z.wav"]


def test_new_codes_replace_codes_and_sound_stays_unless_forced(msn, models, sound: Path, coded: Path, tmp_path: Path):
    assert msn("encode", sound, coded, "--model", models.ours).exit_code == 0
    target, arguments = tmp_path / "out.wav", ("--model", models.ours, "--vocoder", models.vocoder)
    target.write_text("mine")
    result = msn("decode", coded, target, *arguments)
    assert result.exit_code == 2
    assert "exists and is kept" in result.stderr
    assert target.read_text() == "mine"
    assert msn("decode", coded, target, *arguments, "--force").exit_code == 0
    assert len(io.load(target)) == 31_200


def test_streams_go_in_and_out(models, sound: Path, tmp_path: Path):
    code = "import sys; sys.argv[0] = 'msn'; from makesomenoise.cli.main import app; app()"
    msn, (model, vocoder) = f'"{sys.executable}" -c "{code}"', ("--model", "--vocoder")
    options = f"{model} '{models.ours}' {vocoder} '{models.vocoder}'"
    line = (
        f"{msn} encode '{sound}' - {model} '{models.ours}' > '{tmp_path}/a.msn' && "
        f"{msn} info - < '{tmp_path}/a.msn' >&2 && "
        f"{msn} decode - - {options} < '{tmp_path}/a.msn' | cat > '{tmp_path}/a.wav'"
    )
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "1.30 s, 31 codes" in done.stderr
    assert "1.300 s" in done.stderr
    assert len(io.load(tmp_path / "a.wav")) == 31_200
