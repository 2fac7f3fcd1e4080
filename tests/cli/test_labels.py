"""Names to choose from are taken in whatever form they are typed, and questioned where nothing could come of them."""

import pytest

from makesomenoise.cli.labels import LabelsError, chosen

THREE = ["dog", "rain", "siren"]


@pytest.mark.parametrize(
    "given",
    [
        ["dog,rain,siren"],
        ["dog, rain , siren,"],
        ["dog;rain;siren"],
        [" dog ; rain; siren ;"],
        ["dog", "rain", "siren"],
        ["dog,rain", "siren"],
        ["dog\nrain\nsiren\n"],
    ],
)
def test_names_are_taken_apart(given: list[str]):
    assert chosen(given, None) == THREE


def test_semicolons_leave_commas_alone():
    assert chosen(["water, running; rain"], None) == ["water, running", "rain"]


@pytest.mark.parametrize(
    "text", ["dog\nrain\n\nsiren\n", "\ufeffdog\r\nrain\r\nsiren", "dog,rain,siren\n", "dog; rain; siren"]
)
def test_names_come_from_a_file(tmp_path, text: str):
    (tmp_path / "labels.txt").write_bytes(text.encode())
    assert chosen([str(tmp_path / "labels.txt")], None) == THREE
    assert chosen([str(tmp_path / "labels.txt"), "cat"], None) == [*THREE, "cat"]


def test_lines_of_a_file_keep_their_commas(tmp_path):
    (tmp_path / "labels.csv").write_text("water, running\nrain\n")
    assert chosen([str(tmp_path / "labels.csv")], None) == ["water, running", "rain"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["dog"], "the only label, .* --labels 'dog,something else'"),
        (["dog rain siren"], "the only label, .* --labels 'dog,rain,siren'"),
        ([""], "none that is empty"),
        ([",,"], "none that is empty"),
        (["dog,,rain"], "none that is empty"),
        (["dog,Dog"], "given twice"),
        (["dog", "dog"], "given twice"),
        (["missing.txt"], "Cannot read the labels missing.txt: No such file"),
        ([], "either with --labels"),
    ],
)
def test_what_leaves_nothing_to_choose_is_questioned(given: list[str], sentence: str):
    with pytest.raises(LabelsError, match=sentence):
        chosen(given, None)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "labels.txt").write_bytes(b"caf\xe9\nrain\n")
    with pytest.raises(LabelsError, match="not text in UTF-8"):
        chosen([str(tmp_path / "labels.txt")], None)


def test_sets_are_known_by_name():
    assert len(chosen([], "esc50")) == 50
    with pytest.raises(LabelsError, match="there are esc50, urbansound8k"):
        chosen([], "birds")
    with pytest.raises(LabelsError, match="either with --labels"):
        chosen(["dog,rain"], "esc50")
