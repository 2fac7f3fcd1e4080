"""Settings of a language model: what a file must say, and what it may leave out."""

import pytest

from makesomenoise.errors import ConfigError
from makesomenoise.language.config import LanguageConfig


def test_only_the_codes_must_be_named():
    config = LanguageConfig.from_dict({"tokenizer_fingerprint": "0123456789abcdef"})
    assert (config.base, config.codebook_size, config.code_rate) == ("smollm2-135m", 1024, 23.4375)
    assert (config.lora.rank, config.lora.alpha, config.lora.dropout) == (16, 32, 0.0)


@pytest.mark.parametrize(
    "wrong",
    [{}, {"tokenizer_fingerprint": "x", "lora": {"rank": 0}}, {"tokenizer_fingerprint": "x", "codebook_size": 0}],
)
def test_settings_that_make_no_model_are_refused(wrong):
    with pytest.raises(ConfigError):
        LanguageConfig.from_dict(wrong)
