"""How often a language model's training meets each task, and what its examples are like."""

from makesomenoise.config import Config
from makesomenoise.data import questions


class Mixture(Config):
    """How often each task comes, relative to the others, and what its examples are like.

    Attributes:
        caption: describe a clip.
        classify: name a clip.
        choose: name a clip, given a list of names.
        presence: say whether something is heard.
        generate: text to sound of a given length.
        go_on: continue a sound.
        scene_caption: describe a scene.
        scene_question: answer a question about a scene.
        scene_timeline: say what starts in which second of a scene.
        scene_generate: text to a scene.
        chat: words alone, half of the time an answer without its question; counts only where there are chats.
        question_types: the questions that are asked about scenes, `level` (how loud each sound is) only where it is
            named; scenes that answer none of them are hardly ever drawn.
        types_share: share of the conversations that ask those types alone; the others ask all. What is hard to learn,
            as numbers are, takes many answers close together and is soon forgotten without any.
        follow_ups: the most further questions about the same scene, in the same conversation.
        unconditional: share of the requests for a named sound or a scene that ask for nothing but a length: guidance
            compares with these.
        alone_share: share of the scenes that are cut down to one of their sounds before they are described, asked
            about or made, so that single sounds too are told whole.
        exact_share: share of the named clips drawn from collections that were labelled by hand.
        longest_seconds: longer clips are cropped to this; scenes are not.
    """

    caption: float = 1.0
    classify: float = 2.0
    choose: float = 1.0
    presence: float = 1.0
    generate: float = 2.0
    go_on: float = 0.5
    scene_caption: float = 1.0
    scene_question: float = 2.0
    scene_timeline: float = 0.5
    scene_generate: float = 1.0
    chat: float = 0.5
    question_types: tuple[questions.LearnedType, ...] = questions.TYPES
    types_share: float = 1.0
    follow_ups: int = 3
    unconditional: float = 0.1
    alone_share: float = 0.3
    exact_share: float = 0.75
    longest_seconds: float = 5.0
