"""What is learned lies beside the base under PEFT's names, and adds to it as PEFT would add it."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from makesomenoise.language import adapter
from makesomenoise.language.config import LanguageError


def test_adding_is_what_peft_does(model):
    state = {name: tensor.clone() for name, tensor in model.learned().items()}
    base = AutoModelForCausalLM.from_pretrained(model.config.base)
    if model.vocabulary.end >= base.config.vocab_size:
        base.resize_token_embeddings(model.vocabulary.end + 1, mean_resizing=False)
    adapter.add(base, model.config.lora, state, model.vocabulary.first)
    merged = model.network.merge_and_unload().state_dict()
    for name, tensor in base.state_dict().items():
        kept = slice(0, model.vocabulary.end + 1) if tensor.shape[0] == base.config.vocab_size else slice(None)
        torch.testing.assert_close(tensor[kept], merged[name][kept], rtol=1e-5, atol=1e-6)


def test_a_tied_base_has_one_table_of_rows(model):
    rows = [name for name in model.learned() if name.endswith("trainable_tokens_delta")]
    assert len(rows) == (1 if model.tied else 2)


@pytest.mark.parametrize("change", ["missing", "unknown", "shape"])
def test_weights_that_do_not_fit_are_refused_and_change_nothing(model, change):
    state = {name: tensor.clone() for name, tensor in model.learned().items()}
    name = sorted(state)[0]
    wrong = dict(state)
    if change == "missing":
        del wrong[name]
    else:
        wrong["another" if change == "unknown" else name] = torch.zeros(3, 3)
    with pytest.raises(LanguageError, match="does not fit the base"):
        adapter.set_learned(model.network, wrong)
    assert all(torch.equal(tensor, state[key]) for key, tensor in model.learned().items())
