"""`msn caption`, `classify`, `ask`, `generate`, `chat`, `merge`: what is said and made; one sentence for mistakes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from typer.testing import Result

from makesomenoise.audio import io
from makesomenoise.pipeline import AudioLanguageModel, Generation
from makesomenoise.tokenizer.model import AudioTokenizer
from tests import factories

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def folders(models, tmp_path_factory) -> dict[str, Path]:
    """Language models of the two tiny tokenizers, over a random base that spells in bytes."""
    base, found = factories.save_base(tmp_path_factory.mktemp("base")), {}
    for name in ("ours", "baseline"):
        codes = AudioTokenizer.load(getattr(models, name), "griffin-lim").fingerprint
        found[name] = tmp_path_factory.mktemp(name) / "language"
        factories.language_model(base, codes, context_tokens=640).save(found[name])
    return found


@pytest.fixture
def run(models, folders, runner) -> Run:
    """Calls `msn` with the tiny models; `typed` is what comes through its standard input."""

    def call(name: str, *arguments: object, typed: str | bytes = "", model: Path | None = None) -> Result:
        options = ["--model", model or folders["ours"], "--tokenizer", models.ours]
        options += ["--vocoder", models.vocoder] if name in ("generate", "chat") else []
        return runner(name, *arguments, *options, typed=typed)

    return call


@pytest.fixture
def speaker(models, folders) -> AudioLanguageModel:
    return AudioLanguageModel.load(folders["ours"], models.ours, models.vocoder)


@pytest.fixture
def sounds(tmp_path: Path, tone) -> list[Path]:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, seconds in (("a.wav", 1.0), ("b.flac", 2.2)):
        io.save(folder / name, tone(seconds, 440.0 * seconds))
    return sorted(folder.iterdir())


def documents(result: Result) -> list[dict]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def refused(result: Result) -> str:
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("msn: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_sounds_are_described(run, speaker, sounds):
    alone = run("caption", sounds[0])
    assert alone.exit_code == 0, alone.output
    assert alone.stdout == speaker.caption([sounds[0]])[0] + "\n"
    found = documents(run("caption", *sounds, "--json"))
    expected = speaker.caption(sounds)
    assert found == [{"file": str(f), "caption": text} for f, text in zip(sounds, expected, strict=True)]
    together = run("caption", *sounds).stdout
    assert together == "".join(f"{f}: {text}\n" for f, text in zip(sounds, expected, strict=True))


def test_codes_are_described_as_their_sound(msn, models, run, sounds):
    codes = sounds[0].with_suffix(".msn")
    assert msn("encode", sounds[0], codes, "--model", models.ours).exit_code == 0
    for words in (("caption",), ("classify", "--labels", "dog,rain"), ("ask", "What is it?")):
        told = [run(words[0], file, *words[1:]).stdout for file in (sounds[0], codes)]
        assert told[0] == told[1] != ""


def test_questions_are_answered_wherever_they_stand(run, speaker, sounds):
    question = "Is it <|a5|> or <|/audio|>?"
    found = documents(run("ask", *sounds, question, "--json"))
    assert [one["answer"] for one in found] == speaker.ask(sounds, question)
    assert {one["question"] for one in found} == {question}
    assert run("ask", question, *sounds, "--json").stdout == run("ask", *sounds, question, "--json").stdout
    assert "no room" in refused(run("ask", sounds[0], "word " * 1000))


def test_windows_are_answered_with_their_times(run, sounds):
    found = documents(run("caption", sounds[1], "--window", 1, "--json"))
    assert [(round(one["start"], 1), round(one["end"], 1)) for one in found] == [(0.0, 1.0), (1.0, 2.0), (2.0, 2.2)]
    shown = run("caption", *sounds, "--window", 1).stdout
    assert shown.count(f"{sounds[1]}: ") == 3
    assert f"{sounds[1]}: 1.0-2.0 s: " in shown


def test_names_are_ranked(run, sounds):
    (found,) = documents(run("classify", sounds[0], "--labels", "dog, rain,siren", "--json"))
    assert {one["label"] for one in found["labels"]} == {"dog", "rain", "siren"}
    assert sum(one["probability"] for one in found["labels"]) == pytest.approx(1.0)
    shown = run("classify", *sounds, "--label-set", "esc50", "--top", 3, "--window", 1)
    assert shown.exit_code == 0, shown.output
    assert len(shown.stdout.splitlines()) == 2 * (1 + 3)
    assert shown.stdout.count(" %  ") == 6


def test_one_bad_file_does_not_stop_the_others(run, sounds, tmp_path):
    bad, long = tmp_path / "bad.wav", tmp_path / "long.wav"
    bad.write_text("words")
    io.save(long, torch.zeros(24_000 * 30))
    for command, more in (("caption", ()), ("classify", ("--labels", "dog,rain")), ("ask", ("What?",))):
        result = run(command, bad, sounds[0], long, sounds[1], *more, "--json")
        assert result.exit_code == 2
        told = [json.loads(line) for line in result.stdout.splitlines()]
        assert [one["file"] for one in told] == [str(path) for path in (bad, sounds[0], long, sounds[1])]
        assert ["error" in one for one in told] == [True, False, True, False]
        assert "30.0 s long" in told[2]["error"]
        assert f"msn: {long}: The sound is" in result.stderr
        assert "bad.wav" in result.stderr
        assert "30.0 s long" in result.stderr
        assert "--window 10" in result.stderr
        assert result.stderr.count("msn: ") == 2


def test_a_sound_is_made_at_its_exact_length(run, speaker, tmp_path):
    path = tmp_path / "dog.wav"
    result = run("generate", "a dog barks", "--seconds", 0.7, "-o", path, "--seed", 3, "--steps", 1)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{path}: 0.70 s\n"
    io.save(tmp_path / "expected.wav", speaker.generate("a dog barks", 0.7, seed=3, generation=Generation(steps=1))[0])
    assert len(io.load(path)) == 16_800
    assert path.read_bytes() == (tmp_path / "expected.wav").read_bytes()
    again = ("--seconds", 0.7, "-o", path, "--seed", 3, "--steps", 1, "--keep-level", "--force")
    assert run("generate", "a dog barks", *again).exit_code == 0
    better = ("--seconds", 0.7, "-o", tmp_path / "best.wav", "--seed", 3, "--quality", "best")
    assert run("generate", "a dog barks", *better).exit_code == 0
    io.save(
        tmp_path / "expected.wav",
        speaker.generate("a dog barks", 0.7, seed=3, generation=Generation(quality="best"))[0],
    )
    assert (tmp_path / "best.wav").read_bytes() == (tmp_path / "expected.wav").read_bytes()
    io.save(
        tmp_path / "soft.wav",
        speaker.generate("a dog barks", 0.7, seed=3, generation=Generation(steps=1, level_db=None))[0],
    )
    assert path.read_bytes() == (tmp_path / "soft.wav").read_bytes()


def test_several_sounds_are_numbered_or_the_best_is_kept(run, tmp_path):
    arguments = ("rain", "--seconds", 0.2, "-o", tmp_path / "rain.flac", "--n", 3, "--steps", 1, "--json")
    made = documents(run("generate", *arguments))
    assert [Path(one["file"]).name for one in made] == ["rain-1.flac", "rain-2.flac", "rain-3.flac"]
    assert [one["seed"] for one in made] == [0, 1, 2]
    assert sorted(path.name for path in tmp_path.glob("*.flac")) == ["rain-1.flac", "rain-2.flac", "rain-3.flac"]
    (best,) = documents(run("generate", *arguments, "--best-by", "caption"))
    assert "is kept" in refused(run("generate", *arguments[:-1], "--best-by", "caption"))
    assert best["file"] == str(tmp_path / "rain.flac")
    assert len(best["others"]) == 2
    assert best["score"] >= max(best["others"])
    kept = (tmp_path / "rain.flac").read_bytes()
    assert kept in [(tmp_path / f"rain-{n}.flac").read_bytes() for n in (1, 2, 3)]
    shown = run("generate", *arguments[:-1], "--best-by", "caption", "--force").stdout
    assert "log-likelihood" in shown
    assert "(the others: " in shown


def test_how_codes_are_drawn_can_be_said(run, tmp_path):
    outputs = []
    for n, options in enumerate((("--temperature", 0), ("--temperature", 0, "--guidance", 1), ("--top-k", 1))):
        path = tmp_path / f"{n}.wav"
        assert run("generate", "rain", "--seconds", 0.5, "-o", path, "--steps", 1, *options).exit_code == 0
        outputs.append(path.read_bytes())
    assert outputs[0] == outputs[2] != outputs[1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("", "--seconds", 1), "text is empty"),
        (("dog", "--seconds", 0), "give a length above 0 s"),
        (("dog", "--seconds", "nan"), "nan is not a number to work with"),
        (("dog", "--seconds", 1e-6), "less than a sample"),
        (("dog", "--seconds", 10_000), "Cannot make 10000 s of sound: at most 2"),
        (("dog", "--temperature", -1), "greater than or equal to 0; got -1"),
        (("dog", "--guidance", "nan"), "got nan"),
        (("dog", "--best-by", "luck"), "--best-by caption"),
        (("dog", "--quality", "good"), "unknown quality 'good': give fast or best"),
    ],
)
def test_what_cannot_be_made_is_one_sentence_and_no_file(run, tmp_path, arguments, sentence):
    assert sentence in refused(run("generate", *arguments, "-o", tmp_path / "dog.wav"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["dog.xyz", "missing/dog.wav"])
def test_a_name_that_cannot_be_written_is_said_before_anything_is_made(run, tmp_path, name: str):
    assert "Cannot write" in refused(run("generate", "dog", "-o", tmp_path / name, model=Path("nowhere")))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--labels", "dog,Dog"), "given twice"),
        (("--labels", "dog,,rain"), "none that is empty"),
        (("--labels", ""), "none that is empty"),
        ((), "either with --labels"),
        (("--labels", "dog", "--label-set", "esc50"), "either with --labels"),
        (("--label-set", "birds"), "there are esc50, urbansound8k"),
        (("--labels", "dog,rain", "--window", 0), "greater than or equal to 0.05; got 0"),
    ],
)
def test_labels_that_cannot_be_used_are_one_sentence(run, sounds, arguments, sentence):
    assert sentence in refused(run("classify", sounds[0], *arguments))


def test_a_question_needs_a_sound_and_words(run, sounds):
    assert "No sound to ask about" in refused(run("ask", "What is it?"))
    assert f"No question about {sounds[0]}" in refused(run("ask", *sounds))
    assert f"No question about {sounds[0]}" in refused(run("ask", sounds[0], " "))
    assert "missing.wav" in refused(run("ask", "missing.wav", "What is it?"))


def test_models_that_do_not_belong_together_are_refused(run, folders, sounds, tmp_path):
    sentence = "learned the codes of the tokenizer"
    assert sentence in refused(run("caption", sounds[0], model=folders["baseline"]))
    assert sentence in refused(run("generate", "dog", "-o", tmp_path / "dog.wav", model=folders["baseline"]))
    assert "No model" in refused(run("caption", sounds[0], model=tmp_path / "nothing"))
    assert not (tmp_path / "dog.wav").exists()


def test_a_conversation_through_a_pipe(run, sounds, tmp_path, monkeypatch):
    from makesomenoise.language import dialogue

    def scripted(model, prompt, *_, **__):
        spell = model.vocabulary
        heard = int(spell.is_audio(torch.tensor(prompt)).sum())
        return iter([*spell.text(f"{heard} tokens. "), *spell.span([1, 2]), *spell.text(" Öh")])

    monkeypatch.setattr(dialogue, "stream_tokens", scripted)
    (tmp_path / "out").mkdir()
    typed = f"/audio {sounds[0]}\nHello\n\n/reset\n/audio {sounds[0]}\nAgain\n/quit\nnever said\n"
    result = run("chat", "--folder", tmp_path / "out", typed=typed)
    assert result.exit_code == 0, result.output
    files = [tmp_path / "out" / f"sound-{n}.wav" for n in (1, 2)]
    assert sorted((tmp_path / "out").iterdir()) == files
    assert [len(io.load(path)) for path in files] == [2048, 2048]
    assert result.stdout.splitlines() == [
        f"[attached {sounds[0]}]",
        f"26 tokens. [{files[0]}: 0.09 s] Öh",
        f"[attached {sounds[0]}]",
        f"26 tokens. [{files[1]}: 0.09 s] Öh",
    ]
    assert "/audio FILE attaches a sound" in result.stderr
    typed = f"/audio {sounds[0]}\nHello"
    (document,) = documents(run("chat", "--folder", tmp_path / "out", "--json", typed=typed))
    assert document == {"text": "26 tokens.  Öh", "sounds": [str(tmp_path / "out" / "sound-3.wav")]}


def test_who_asks_for_a_sound_in_a_conversation_gets_one(run, tmp_path):
    typed = "Make 0.3 seconds of rain\nCan you play me half a second of thunder, please?\n"
    result = run("chat", "--folder", tmp_path, "--json", typed=typed)
    told = documents(result)
    files = [tmp_path / f"sound-{n}.wav" for n in (1, 2)]
    assert told == [{"text": "", "sounds": [str(path)]} for path in files]
    assert [len(io.load(path)) for path in files] == [7200, 12_000]


def test_bytes_that_are_no_text_do_not_end_a_conversation(run, tmp_path):
    result = run("chat", "--folder", tmp_path, typed=b"caf\xe9?\n/reset\n\xff\xfe\n/quit\n")
    assert result.exit_code == 0, result.output
    assert result.exception is None


def test_a_mistake_in_a_conversation_does_not_end_it(run, sounds, tmp_path):
    typed = f"/audio\n/audio missing.wav\n/sing\n{'word ' * 3000}\n/audio {sounds[0]}\n"
    result = run("chat", "--folder", tmp_path, typed=typed)
    assert result.exit_code == 2
    wrong = [line for line in result.stderr.splitlines() if line.startswith("msn: ")]
    assert len(wrong) == 4
    assert all(line.startswith("msn: ") for line in wrong)
    assert "/reset" in wrong[3]
    assert result.stdout == f"[attached {sounds[0]}]\n"
    assert "existing folder" in refused(run("chat", "--folder", tmp_path / "missing"))


def test_two_models_are_averaged_into_a_new_folder(msn, folders, tmp_path):
    result = msn("average", folders["ours"], folders["ours"], tmp_path / "mean", "--share", 0.3, "--json")
    assert json.loads(result.stdout) == {"folder": str(tmp_path / "mean"), "share": 0.3}
    assert (tmp_path / "mean" / "model.safetensors").is_file()
    assert "between 0 and 1" in refused(msn("average", folders["ours"], folders["ours"], tmp_path / "no", "--share", 1))
    assert "new or empty" in refused(msn("average", folders["ours"], folders["ours"], tmp_path / "mean"))


def test_a_model_is_merged_into_a_plain_folder(msn, folders, tmp_path):
    result = msn("merge", folders["ours"], tmp_path / "merged")
    assert result.exit_code == 0, result.output
    assert f"{tmp_path / 'merged'}: " in result.stdout
    network = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    assert network.config.vocab_size >= len(AutoTokenizer.from_pretrained(tmp_path / "merged"))
    assert "new or empty" in refused(msn("merge", folders["ours"], tmp_path / "merged"))
    assert "No model" in refused(msn("merge", tmp_path / "nothing", tmp_path / "other"))
    assert not (tmp_path / "other").exists()


def test_a_gguf_file_is_of_the_default_base_and_replaces_nothing(msn, folders, tmp_path):
    path = tmp_path / "merged.gguf"
    path.write_text("mine")
    told = refused(msn("merge", folders["ours"], path, "--format", "gguf"))
    assert "exists and is kept: give another name, or --force" in told
    told = refused(msn("merge", folders["ours"], path, "--format", "gguf", "--force"))
    assert "of the base smollm2-135m alone" in told
    assert "--format hf" in told
    assert path.read_text() == "mine"
    assert "must end in .gguf" in refused(msn("merge", folders["ours"], tmp_path / "merged", "--format", "gguf"))
    assert "8 bits a weight" in refused(msn("merge", "language", tmp_path / "x.gguf", "--format", "gguf", "--float32"))
    assert "must be new or empty" in refused(msn("merge", folders["ours"], tmp_path / "other", "--force"))
    assert "unknown format 'x': give hf, gguf or peft" in refused(
        msn("merge", "language", tmp_path / "x", "--format", "x")
    )


def test_listening_loads_no_vocoder(run, sounds, monkeypatch):
    def broken(*_):
        raise AssertionError("a vocoder was read")

    monkeypatch.setattr("makesomenoise.vocoder.loading._found", broken)
    assert run("caption", sounds[0]).exit_code == 0
