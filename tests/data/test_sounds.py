"""Labels that are to be trusted have a name, in words that fit into sentences; others have none."""

import re

import pytest

from makesomenoise.data.sounds import EXACT, find, names


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
    found = find(label, dataset)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("label", ["swordman attack", "atlanteans cutting stonecutter", "die", "", "posit"])
def test_file_names_are_not_trusted(label: str):
    assert find(label, "debian") is None


def test_a_label_of_the_users_own_is_believed_if_it_is_a_name():
    found = find("whistle", "mine")
    assert found is not None
    assert found.heard == "the sound of whistle"
    assert not found.counted
    assert find("20201109_take_4", "mine") is None


def test_names_can_be_said():
    assert len(names()) > 100
    for name in names().values():
        assert find(name.name) == name
        assert re.fullmatch(r"(an? |the )?[a-z][a-z' -]+", name.heard)
        assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", f"{name.heard} {name.happens}"), name
        assert name.heard != name.happens


def test_every_label_that_was_given_by_hand_has_a_name():
    assert "esc50" in EXACT
    for label in ("air conditioner", "can opening", "drinking sipping", "street music", "water drops", "insects"):
        assert find(label, "esc50") is not None
