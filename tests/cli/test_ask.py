"""The question is told from the files, whichever comes first and however it is typed."""

from pathlib import Path

import pytest

from makesomenoise.cli.ask import AskError, split

QUESTION = "What is it?"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.wav", "b", "two words.wav"):
        (tmp_path / name).touch()
    (tmp_path / "rain").mkdir()


@pytest.mark.parametrize(
    ("words", "files", "question"),
    [
        (["a.wav", QUESTION], ["a.wav"], QUESTION),
        ([QUESTION, "a.wav"], ["a.wav"], QUESTION),
        (["a.wav", QUESTION, "b"], ["a.wav", "b"], QUESTION),
        (["two words.wav", QUESTION], ["two words.wav"], QUESTION),
        (["a.wav", "What", "is", "it?"], ["a.wav"], QUESTION),
        (["What", "is", "it?", "a.wav"], ["a.wav"], QUESTION),
        (["a.wav", "What?"], ["a.wav"], "What?"),
        (["missing.wav", QUESTION], ["missing.wav"], QUESTION),
        (["codes.msn", "-", QUESTION], ["codes.msn", "-"], QUESTION),
        (["a.wav", "word " * 1000], ["a.wav"], ("word " * 1000)),
        (["/dev/null", QUESTION], ["/dev/null"], QUESTION),
        (["rain", QUESTION], ["rain"], QUESTION),  # a folder
        (["a.wav", "rain", "or", "dog?"], ["a.wav"], "rain or dog?"),
    ],
)
def test_files_and_question_are_told_apart(words: list[str], files: list[str], question: str):
    assert split(words) == ([Path(file) for file in files], question)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([QUESTION], "No sound to ask about"),
        (["a.wav"], "No question about a.wav"),
        (["a.wav", " "], "No question about a.wav"),
        (["a.wav", "missing", QUESTION], "No such file: 'missing'"),
        (["a.wav", QUESTION, "And what else?"], "one question at a time"),
    ],
)
def test_what_is_missing_is_named(words: list[str], sentence: str):
    with pytest.raises(AskError, match=sentence):
        split(words)
