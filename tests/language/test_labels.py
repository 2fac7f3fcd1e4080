"""Label sets hold the classes of their collections, each under the name that training data says it by."""

import pytest

from makesomenoise.data.ontology import default_ontology
from makesomenoise.language.labels import label_sets


@pytest.mark.parametrize(("name", "count"), [("esc50", 50), ("urbansound8k", 10)])
def test_every_class_is_there_once_and_has_a_name_in_the_data(name: str, count: int):
    labels = label_sets()[name]
    assert len(set(labels)) == len(labels) == count
    assert list(labels) == sorted(labels)
    assert all(label == " ".join(label.lower().split()) for label in labels)
    known = {found.name for label in labels if (found := default_ontology().find(label, "rough"))}
    assert len(known) == count
