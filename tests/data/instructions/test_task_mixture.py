"""A mixture asks every type of question unless it says otherwise, and knows no others."""

import pytest

from makesomenoise.data.instructions.examples import TaskWeights
from makesomenoise.data.instructions.scene_qa import TYPES


def test_all_questions_are_asked_unless_some_are_chosen():
    assert TaskWeights().question_types == TYPES
    assert TaskWeights.from_dict({"question_types": ["count"]}, origin="test").question_types == ("count",)


def test_an_unknown_type_of_question_is_refused():
    with pytest.raises(ValueError, match="question_types"):
        TaskWeights.from_dict({"question_types": ["loudest"]}, origin="test")
