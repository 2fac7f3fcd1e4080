"""Conversations say what is true of their sound, in many wordings, and depend on their number alone."""

import re
from collections import Counter
from dataclasses import replace

import pytest

from makesomenoise.data.codes import CodeClip
from makesomenoise.data.instructions.examples import Conversation, Examples, ExamplesError, TaskWeights
from makesomenoise.data.instructions.text_only import Chat
from makesomenoise.data.ontology import default_ontology
from makesomenoise.language.prompts import Sound

RATE = 23.4375
UNDERSTANDING = ("caption", "classify", "choose", "presence", "scene_caption", "scene_question", "scene_timeline")
MAKING = ("generate", "go_on", "scene_generate")
NOTHING = dict.fromkeys((*UNDERSTANDING, *MAKING), 0.0)


@pytest.fixture
def examples(plain_clips: list[CodeClip], scene: CodeClip, mixed_scene: CodeClip) -> Examples:
    return Examples([*plain_clips, scene, mixed_scene], RATE)


def asked(conversation: Conversation) -> str:
    return next(part for part in conversation.turns[0].parts if isinstance(part, str))


def answered(conversation: Conversation) -> str:
    (part,) = conversation.turns[-1].parts
    assert isinstance(part, str)
    return part


def heard(conversation: Conversation) -> tuple[int, ...]:
    (part,) = (part for part in conversation.turns[0].parts if isinstance(part, Sound))
    return part.codes


def source(codes: tuple[int, ...], clips: list[CodeClip]) -> CodeClip:
    """The clip that a run of codes was cut from."""
    (clip,) = (c for c in clips if any(c.codes[n : n + len(codes)] == codes for n in range(len(c.codes))))
    return clip


@pytest.mark.parametrize("task", UNDERSTANDING)
def test_a_sound_and_a_question_get_an_answer_in_words(task: str, examples: Examples):
    seen = [examples.example(task, number) for number in range(100)]
    for conversation in seen:
        assert conversation.task == task
        assert [turn.role for turn in conversation.turns] == ["user", "assistant"] * (len(conversation.turns) // 2)
        assert 0 < len(heard(conversation)) <= 118
        assert asked(conversation)[0].isupper()
    assert len({asked(conversation) for conversation in seen}) > 3
    places = Counter(isinstance(conversation.turns[0].parts[0], Sound) for conversation in seen)
    assert places[True] > places[False] > 0


@pytest.mark.parametrize("task", MAKING)
def test_text_gets_a_sound_of_the_length_that_was_asked_for(task: str, examples: Examples):
    for number in range(100):
        conversation = examples.example(task, number)
        (sound,) = conversation.turns[-1].parts
        assert isinstance(sound, Sound)
        (seconds,) = (float(word) for word in asked(conversation).split() if word.replace(".", "").isdigit())
        assert len(sound.codes) / RATE == pytest.approx(seconds, abs=0.06)


def test_names_are_those_of_the_clip(examples: Examples, plain_clips: list[CodeClip]):
    for task in ("classify", "choose"):
        labels = Counter()
        for number in range(200):
            conversation = examples.example(task, number)
            clip = source(heard(conversation), plain_clips)
            name = clip.name
            assert name is not None
            exact = clip.dataset != "debian"
            assert answered(conversation) == (clip.label if exact else name.name)
            labels[answered(conversation)] += 1
            if task == "choose":
                assert asked(conversation).count(answered(conversation)) >= 1
        assert {"dog", "dog bark", "rain", "cello"} <= set(labels)


def test_captions_speak_of_the_clip(examples: Examples, plain_clips: list[CodeClip]):
    for number in range(100):
        conversation = examples.example("caption", number)
        clip = source(heard(conversation), plain_clips)
        name = clip.name
        assert name is not None
        assert name.heard in answered(conversation).lower() or name.happens in answered(conversation).lower()


def test_written_captions_are_used_where_they_fit():
    clip = CodeClip("a", tuple(range(50)), 2.1, (0.0, 2.1), dataset="esc50", label="rain", title="Rain on a tin roof")
    unfit = CodeClip(
        "b", tuple(range(50)), 2.1, (0.0, 2.1), dataset="esc50", label="siren", title="REC_0012 take 4.wav"
    )
    texts = [answered(Examples([clip, unfit], RATE).example("caption", number)) for number in range(200)]
    assert 0 < texts.count("Rain on a tin roof.") < 60
    assert not any("REC" in text for text in texts)


def test_presence_is_answered_rightly_and_evenly(examples: Examples, plain_clips: list[CodeClip]):
    said = Counter()
    for number in range(300):
        conversation = examples.example("presence", number)
        clip = source(heard(conversation), plain_clips)
        name = clip.name
        assert name is not None
        (there,) = {
            n.group
            for n in default_ontology().names.values()
            if f" {n.heard} " in asked(conversation).replace("?", " ")
        } or {""}
        assert answered(conversation).startswith("Yes") == (there == name.group)
        said[answered(conversation)[:2]] += 1
    assert 0.8 < said["Ye"] / said["No"] < 1.25


def clips_of(*labels: str, trust: str = "claimed") -> list[CodeClip]:
    return [
        CodeClip(label, (number,) * 300, 12.8, (0.0, 12.8), label=label, trust=trust)
        for number, label in enumerate(labels)
    ]


def test_names_stay_open():
    """What somebody calls a sound is said as often as what the ontology calls it."""
    (clip,) = clips_of("owl hooting")
    clip = replace(clip, label="templebell")
    said = Counter(answered(Examples([clip], RATE).example("classify", number)) for number in range(100))
    assert set(said) == {"templebell", "bell"}
    assert 30 < said["bell"] < 70


def test_what_is_easily_confused_is_asked_for_where_it_is_wanted():
    clips = clips_of("violin", "cello", "rain", "a spoon in a glass")
    plain, hard = (Examples(clips, RATE, TaskWeights(hard_share=share)) for share in (0.0, 0.6))
    groups = {clip.codes[0]: name.group for clip in clips if (name := clip.name)}

    def confused(examples: Examples) -> int:
        seen = [examples.example("presence", number) for number in range(200)]
        asked_strings = [
            one for one in seen if re.search("violin|cello", asked(one)) and groups[heard(one)[0]] == "strings"
        ]
        return sum(answered(one).startswith("No") for one in asked_strings)

    assert confused(plain) == 0
    assert confused(hard) > 20
    lists = [asked(hard.example("choose", number)) for number in range(50)]
    assert any("violin" in text and "cello" in text for text in lists)
    assert any("a spoon in a glass" in text for text in lists)


def test_none_of_these_is_right_where_the_name_is_not_there():
    clips = clips_of("violin", "rain", "dog")
    examples = Examples(clips, RATE, TaskWeights(none_share=0.5))
    said = Counter()
    for number in range(100):
        conversation = examples.example("choose", number)
        right = clips[heard(conversation)[0]].label
        none = answered(conversation) == "none of these"
        assert none == (not re.search(rf"\b{right}\b", asked(conversation)))
        assert none or answered(conversation) == right
        said[none] += 1
    assert 30 < said[True] < 70


def test_what_a_network_told_is_said_with_a_doubt_and_asked_about_nowhere():
    told, known = clips_of("violin", trust="guessed"), clips_of("rain", "dog", "siren")
    examples = Examples([*told, *(replace(clip, codes=(9,) * 300) for clip in known)], RATE)
    captions = [examples.example("caption", number) for number in range(400)]
    doubts = {answered(one) for one in captions if heard(one)[0] == 0}
    assert doubts == {
        "It may be a violin playing.",
        "This could be a violin playing.",
        "It sounds a little like a violin playing.",
    }
    for task in ("choose", "presence"):
        assert {heard(examples.example(task, number))[0] for number in range(50)} == {9}


def test_a_long_sound_is_heard_whole_where_it_is_wanted():
    mixture = TaskWeights(whole_share=0.5, longest_seconds=3.0)
    lengths = [len(heard(Examples(clips_of("rain"), RATE, mixture).example("caption", n))) for n in range(60)]
    assert 15 < lengths.count(300) < 45
    assert max(length for length in lengths if length < 300) <= 71


def test_tasks_of_scenes_are_what_they_are_called(examples: Examples):
    for number in range(30):
        assert answered(examples.example("scene_caption", number))[:2] in ("A ", "Ra")
        assert re.match(r"\d s: ", answered(examples.example("scene_timeline", number)))
        assert isinstance(examples.example("scene_generate", number).turns[-1].parts[0], Sound)


def test_a_continuation_goes_on_where_the_sound_stopped(examples: Examples, plain_clips: list[CodeClip]):
    for number in range(50):
        conversation = examples.example("go_on", number)
        (sound,) = conversation.turns[-1].parts
        assert isinstance(sound, Sound)
        assert source(heard(conversation) + sound.codes, plain_clips)


def test_an_example_depends_on_seed_and_number_alone(examples: Examples, plain_clips: list[CodeClip]):
    assert [examples[n] for n in (0, 1, 2)] == [examples[n] for n in (2, 1, 0)][::-1]
    first, again, other = (Examples(plain_clips, RATE, seed=seed) for seed in (1, 1, 2))
    assert [first[n] for n in range(20)] == [again[n] for n in range(20)]
    assert [first[n] for n in range(20)] != [other[n] for n in range(20)]


def test_tasks_come_as_often_as_the_mixture_says(plain_clips: list[CodeClip], scene: CodeClip):
    mixture = TaskWeights(**NOTHING | {"caption": 3.0, "scene_question": 1.0})
    mixed = Examples([*plain_clips, scene], RATE, mixture)
    counts = Counter(mixed[number].task for number in range(400))
    assert set(counts) == {"caption", "scene_question"}
    assert 0.68 < counts["caption"] / 400 < 0.82


def test_chats_come_between_where_there_are_some(plain_clips: list[CodeClip]):
    chats = [Chat(f"What is {n} plus 1?", f"{n + 1}.") for n in range(20)]
    mixed = Examples(plain_clips, RATE, TaskWeights(**NOTHING | {"classify": 1.0}, chat=1.0), chats=chats)
    said = [mixed[number] for number in range(200)]
    talked = [conversation for conversation in said if conversation.task == "chat"]
    assert 70 < len(talked) < 130
    whole, alone = ([one for one in talked if len(one.turns) == length] for length in (2, 1))
    assert {Chat(asked(one), answered(one)) for one in whole} <= set(chats)
    assert {one.turns[0].parts for one in alone} <= {(chat.answer,) for chat in chats}
    assert {one.turns[0].role for one in alone} == {"text"}
    assert 30 < len(alone) < 70
    assert len({answered(one) for one in whole}) > 10
    assert set(Examples([], RATE, chats=chats).tasks) == {"chat"}
    assert "chat" not in Examples(plain_clips, RATE).tasks


def test_tasks_without_clips_are_left_out(plain_clips: list[CodeClip], scene: CodeClip):
    assert set(Examples(plain_clips, RATE).tasks) == {"caption", "classify", "choose", "presence", "generate", "go_on"}
    assert set(Examples([scene], RATE).tasks) == {"scene_caption", "scene_question", "scene_timeline", "scene_generate"}
    with pytest.raises(ExamplesError, match="no labels and no scenes"):
        Examples([scene], RATE, TaskWeights(**NOTHING | {"caption": 1.0}))
    with pytest.raises(ExamplesError):
        Examples([], RATE)


def test_clips_labelled_by_hand_come_as_often_as_asked(plain_clips: list[CodeClip]):
    mixture = TaskWeights(**NOTHING | {"classify": 1.0}, exact_share=0.9)
    mixed = Examples(plain_clips, RATE, mixture)
    exact = [source(heard(mixed[n]), plain_clips).dataset != "debian" for n in range(300)]
    assert 0.85 < sum(exact) / 300 < 0.95


def test_short_clips_do(scene: CodeClip):
    short = [
        CodeClip("a", (1,), 0.02, (0.0, 0.02), dataset="esc50", label="mouse click"),
        CodeClip("b", (1, 2, 3), 0.1, (0.05, 0.06), dataset="esc50", label="dog"),
        scene,
    ]
    for number in range(100):
        assert Examples(short, RATE)[number].turns
