"""Answers in a batch are those of each prompt alone."""

import torch

from makesomenoise.evaluation.answering import asked
from makesomenoise.language.generation import stream_tokens
from makesomenoise.language.listening import greedy_answers
from makesomenoise.language.prompts import Sound, Turn
from makesomenoise.language.sampling import GREEDY


def test_a_question_comes_after_its_sound(language_model):
    model = language_model
    assert asked(model, "What?", [1, 2]) == model.prompts.prompt([Turn("user", (Sound((1, 2)), "What?"))])
    assert asked(model, "What?") == model.prompts.prompt([Turn("user", ("What?",))])


def test_answers_do_not_depend_on_the_batch(language_model):
    prompts = [asked(language_model, "What is it?", range(n)) for n in (2, 9, 16)]
    alone = [stream_tokens(language_model, prompt, 12, GREEDY, torch.Generator()) for prompt in prompts]
    decode = language_model.vocabulary.text_tokenizer.decode
    assert greedy_answers(language_model, prompts, 12) == [decode(list(tokens)).strip() for tokens in alone]
