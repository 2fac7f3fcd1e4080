"""Labels that are to be trusted have a name, in words that fit into sentences; others have none."""

import re
from pathlib import Path

import pytest

from makesomenoise.data.ontology import Ontology, OntologyError, default_ontology, usual_trust

BIRDS = (
    "name\theard\thappens\tgroup\tcounted\tlabels\n"
    "great tit\ta great tit singing\ta great tit sings\tbirds\tyes\tParus major, tit (great)\n"
    "wren\ta wren singing\ta wren sings\tbirds\t\t\n"
)


@pytest.mark.parametrize(
    ("label", "dataset", "name"),
    [
        ("dog bark", "urbansound8k", "dog"),
        ("door wood knock", "esc50", "door wood knock"),
        ("sheep", "debian", "sheep"),
        ("cello single note F4", "debian", "cello"),
        ("sound of trumpet", "debian", "trumpet"),
        ("violin or fiddle", "fsdkaggle2018_instruments", "violin"),
        ("left", "speech_commands_v2_16k", "speech"),
        ("Rain  on Tent", "moodist", "rain"),
    ],
)
def test_trusted_labels_have_a_name(label: str, dataset: str, name: str):
    found = default_ontology().find(label, usual_trust(dataset))
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("label", ["swordman attack", "atlanteans cutting stonecutter", "die", "", "posit"])
def test_file_names_are_not_trusted(label: str):
    assert default_ontology().find(label, "rough") is None


def test_a_label_of_the_users_own_is_believed_if_it_is_a_name():
    assert usual_trust("mine") == "claimed"
    found = default_ontology().find("kettle", "claimed")
    assert found is not None
    assert found.heard == "the sound of kettle"
    assert not found.counted
    assert default_ontology().find("20201109_take_4", "claimed") is None
    longer = default_ontology().find("a spoon stirring tea in a glass", "claimed")
    assert longer is not None
    assert longer.happens == "there is the sound of a spoon stirring tea in a glass"


def test_names_can_be_said():
    names = default_ontology().names
    assert len(names) > 100
    for name in names.values():
        assert default_ontology().find(name.name) == name
        assert re.fullmatch(r"(an? |the )?[a-z][a-z' -]+", name.heard)
        assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", f"{name.heard} {name.happens}"), name
        assert name.heard != name.happens


def test_every_label_that_was_given_by_hand_has_a_name():
    assert usual_trust("esc50") == "exact"
    for label in ("air conditioner", "can opening", "drinking sipping", "street music", "water drops", "insects"):
        assert default_ontology().find(label, "exact") is not None


def test_users_bring_names_of_their_own(tmp_path: Path):
    (tmp_path / "birds.tsv").write_text(BIRDS, encoding="utf-8")
    birds = Ontology.read(tmp_path / "birds.tsv")
    tit = birds.find("parus MAJOR", "rough")
    assert tit is not None
    assert (tit.name, tit.heard, tit.happens, tit.group, tit.counted) == (
        "great tit",
        "a great tit singing",
        "a great tit sings",
        "birds",
        True,
    )
    assert birds.find("tit (great)") == tit
    assert not birds.names["wren"].counted
    assert birds.find("rain", "rough") is None
    assert birds.digest != default_ontology().digest
    assert birds.digest == Ontology.read(tmp_path / "birds.tsv").digest


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("", "lacks the column 'name'"),
        ("name\theard\n", "lacks the column 'happens'"),
        ("name\theard\thappens\tcolour\n", "has the unknown column 'colour'"),
        ("name\theard\thappens\n", "has no names"),
        ("name\theard\thappens\nwren\ta wren\t\n", "line 2: a row needs name, heard, happens"),
        ("name\theard\thappens\nwren\ta wren\tit sings\tbirds\n", "line 2: a row needs"),
        (BIRDS + "wren\tb\tc\t\t\t\n", "has the name 'wren' twice"),
        (BIRDS + "robin\tb\tc\t\t\tparus major\n", "has the label 'parus major' for 'great tit' and for 'robin'"),
        (BIRDS + "robin\tb\tc\t\tonce\t\n", "line 4: 'counted' is yes or no, not 'once'"),
    ],
)
def test_a_table_that_is_none_is_refused(table: str, sentence: str, tmp_path: Path):
    (tmp_path / "o.tsv").write_text(table, encoding="utf-8")
    with pytest.raises(OntologyError, match=re.escape(sentence)):
        Ontology.read(tmp_path / "o.tsv")


def test_what_cannot_be_read_is_one_sentence(tmp_path: Path):
    with pytest.raises(OntologyError, match="cannot be read"):
        Ontology.read(tmp_path / "missing.tsv")
    (tmp_path / "bytes.tsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OntologyError, match="is not a text in UTF-8"):
        Ontology.read(tmp_path / "bytes.tsv")
