"""`msn events` and `msn continue`: files, folders, pipes, and going on where it stopped."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from makesomenoise.audio import io
from makesomenoise.cli.main import app
from makesomenoise.language.events import as_srt
from makesomenoise.pipeline import Generation


@pytest.fixture
def run(folders):
    """Calls `msn` with the tiny model."""

    def call(command: str, *arguments: object):
        options = ["--model", folders.language, "--tokenizer", folders.tokenizer]
        options += ["--vocoder", folders.vocoder] if command == "continue" else []
        return CliRunner().invoke(app, [command, *map(str, arguments), *options])

    return call


@pytest.fixture
def folder(tmp_path, tone):
    inner = tmp_path / "in" / "more"
    inner.mkdir(parents=True)
    io.save(tmp_path / "in" / "a.wav", tone(1.4))
    io.save(inner / "b.flac", tone(0.8, 880.0))
    (inner / "notes.md").write_text("no sound")
    return tmp_path / "in"


def test_what_is_heard_when(run, model, folder):
    expected = model.events(folder / "a.wav", 0.5)
    found = run("events", folder / "a.wav", "--window", 0.5, "--format", "json")
    assert found.exit_code == 0, found.output
    assert [one["text"] for one in json.loads(found.stdout)] == [event.text for event in expected]
    assert json.loads(found.stdout)[-1]["end"] == pytest.approx(expected[-1].end, abs=1e-3)


def test_a_folder_is_gone_through_and_resumed(run, model, folder, tmp_path):
    out = tmp_path / "out"
    asked = (folder, "--recursive", "--format", "srt", "-o", out, "--window", 0.5)
    found = run("events", *asked)
    assert found.exit_code == 0, found.output
    assert found.stdout.startswith(f"{out / 'a.srt'}: ")
    assert (out / "a.srt").read_text() == as_srt(model.events(folder / "a.wav", 0.5))
    (out / "a.srt").write_text("kept")
    (out / "more" / "b.srt").unlink()
    again = run("events", *asked, "--resume")
    assert again.exit_code == 0, again.output
    assert (out / "a.srt").read_text() == "kept"
    assert (out / "more" / "b.srt").is_file()


def test_one_bad_file_does_not_stop_the_others(run, folder, tmp_path):
    (folder / "0.wav").write_text("words")
    found = run("events", folder, "-r", "-o", tmp_path / "out", "--json")
    assert found.exit_code == 2
    assert "0.wav" in found.stderr
    told = [json.loads(line) for line in found.stdout.splitlines()]
    assert [Path(one["file"]).name for one in told] == ["0.wav", "a.wav", "b.flac"]
    assert ["error" in one for one in told] == [True, False, False]
    assert told[1]["events"][-1]["end"] == pytest.approx(1.4, abs=0.05)
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.txt")) == ["a.txt", "b.txt"]


def test_a_sound_goes_on(run, model, folder, tmp_path):
    path = tmp_path / "longer.wav"
    found = run("continue", folder / "a.wav", "--seconds", 0.7, "-o", path, "--seed", 3, "--steps", 1)
    assert found.exit_code == 0, found.output
    before, whole = (np.asarray(io.load(file)) for file in (folder / "a.wav", path))
    assert len(whole) == len(before) + 16_800
    assert np.abs(whole[: len(before) - 480] - before[: len(before) - 480]).max() < 1e-4
    made = model.go_on(folder / "a.wav", 0.7, seed=3, generation=Generation(steps=1))
    assert np.abs(whole[len(before) :] - np.clip(made.waveform, -1, 1)).max() < 1e-3
    alone = ("--only-new", "--seconds", 0.7, "-o", tmp_path / "new.wav", "--seed", 3, "--steps", 1)
    assert run("continue", folder / "a.wav", *alone).exit_code == 0
    assert len(io.load(tmp_path / "new.wav")) == 16_800


def test_through_pipes(folders, folder):
    options = ["--model", folders.language, "--tokenizer", folders.tokenizer]
    data = (folder / "a.wav").read_bytes()
    heard = CliRunner().invoke(app, ["events", "-", *map(str, options)], input=data)
    assert heard.exit_code == 0, heard.output
    assert heard.stdout.startswith("0.0-1.4 s: ")
    code = "import sys; sys.argv[0] = 'msn'; from makesomenoise.cli.main import app; app()"
    words = ["continue", "-", "-o", "-", "--seconds", "0.3", "--steps", "1", *options, "--vocoder", folders.vocoder]
    done = subprocess.run([sys.executable, "-c", code, *map(str, words)], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(io.load(done.stdout)) == 33_600 + 7_200


def test_what_cannot_be_done_is_one_sentence(run, folder, tmp_path):
    for words, sentence in (
        (("events", folder / "a.wav", "--format", "doc"), "Unknown format 'doc'"),
        (("events", folder, "--resume"), "Nothing can be resumed"),
        (("events", tmp_path / "nothing.wav"), "nothing.wav"),
        (("continue", folder / "a.wav", "--seconds", 0), "above 0 s"),
        (("continue", folder, "-r", "-o", "-"), "standard output takes one file"),
    ):
        found = run(*words)
        assert found.exit_code == 2, found.output
        assert sentence in found.stderr


def test_what_exists_is_kept(run, folder, tmp_path):
    recording, text = (folder / "a.wav").read_bytes(), tmp_path / "a.labels.txt"
    text.write_text("mine")
    heard = ("events", folder / "a.wav", "--format", "audacity", "-o", text, "--window", 0.5)
    for words, sentence in (
        (heard, "exists and is kept"),
        (("continue", folder / "a.wav", "-o", folder / "a.wav", "--force"), "it is an input"),
        (("continue", folder / "more" / "b.flac", "-o", folder / "a.wav"), "exists and is kept"),
        (("events", folder / "a.wav", "-o", folder / "more" / "b.flac", "--force"), "its name must end in"),
    ):
        found = run(*words)
        assert found.exit_code == 2, found.output
        assert sentence in " ".join(found.stderr.split())
    assert (folder / "a.wav").read_bytes() == recording
    assert text.read_text() == "mine"
    assert run(*heard, "--force").exit_code == 0
    assert text.read_text() != "mine"
