import pytest

from makesomenoise.errors import ConfigError
from makesomenoise.evaluation.language_questions import SUBJECTS, LanguageEvaluationError, LanguageQuestions


def test_settings_replace_the_usual_ones():
    found = LanguageQuestions.from_settings(["guidance=2", "ask=[naming, kept]", "cache=a/b", "guidance=1.5"])
    assert (found.sampling.guidance, found.ask, str(found.cache)) == (1.5, ("naming", "kept"), "a/b")
    assert LanguageQuestions.from_settings([]).ask == SUBJECTS


@pytest.mark.parametrize("setting", ["guidance", "=3", "guidance=", "ask=[naming"])
def test_what_cannot_be_read_is_said(setting: str):
    with pytest.raises(LanguageEvaluationError, match="Cannot read"):
        LanguageQuestions.from_settings([setting])


def test_unknown_settings_and_values_are_refused():
    with pytest.raises(ConfigError, match="Unknown key 'guidence'"):
        LanguageQuestions.from_settings(["guidence=3"])
    with pytest.raises(ConfigError, match="ask"):
        LanguageQuestions.from_settings(["ask=[smell]"])
