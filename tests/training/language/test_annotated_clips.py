"""Every code is told what sounds there, how often it has begun and how loud it is."""

import numpy as np

from makesomenoise.data.codes import CodeClip
from makesomenoise.training.language.frame_supervision import AnnotatedClips

RATE = 23.4375


def at(seconds: float) -> int:
    """The code that holds a moment."""
    return int(seconds * RATE)


def test_a_scene_is_annotated_code_by_code(scene: CodeClip):
    clips = AnnotatedClips([scene], RATE)
    assert clips.names == ("a dog barking", "rain falling")
    sound = clips[0]
    assert sound.codes == scene.codes
    dog, rain = sound.active.T
    moments = [0.1, 0.4, 0.8, 1.2, 1.8, 3.0]
    assert [dog[at(moment)] for moment in moments] == [False, True, False, True, False, False]
    assert [rain[at(moment)] for moment in moments] == [False, False, False, False, False, True]
    assert [sound.begun[at(moment)] for moment in moments] == [0, 1, 1, 2, 2, 1]
    levels = [float(sound.level_db[at(moment)]) for moment in moments]
    np.testing.assert_array_equal(levels, [np.nan, -30.0, np.nan, -30.0, np.nan, -20.0])


def test_what_goes_on_under_another_sound_is_still_heard(mixed_scene: CodeClip):
    sound = AnnotatedClips([mixed_scene], RATE)[0]
    assert sound.active[at(2.75)].tolist() == [True, True]
    assert sound.active[at(1.0)].tolist() == [False, True]
    assert float(sound.level_db[at(2.75)]) == -20.0
    assert np.isnan(sound.level_db[at(3.5)])


def test_a_clip_with_a_name_is_known_where_it_sounds(plain_clips: list[CodeClip]):
    clips = AnnotatedClips(plain_clips, RATE, longest_seconds=3.0)
    known = {clip.codes: clip for clip in plain_clips}
    for number in range(60):
        sound = clips[number]
        assert 0 < len(sound.codes) <= round(3.0 * RATE)
        assert any("".join(map(chr, sound.codes)) in "".join(map(chr, codes)) for codes in known)
        assert (sound.active.sum(1) <= 1).all()
        assert len(np.flatnonzero(sound.active.any(0))) == 1
        assert (sound.begun == 0).all()
        assert np.isnan(sound.level_db).all()
    assert any(not clips[number].active.any(1).all() for number in range(60))  # some begin before the sound does


def test_a_number_gives_the_same_sound_every_time(plain_clips: list[CodeClip], scene: CodeClip):
    first, again = (AnnotatedClips([*plain_clips, scene], RATE, seed=3) for _ in range(2))
    assert [first[n].codes for n in range(20)] == [again[n].codes for n in range(20)]
    other = AnnotatedClips([*plain_clips, scene], RATE, seed=4)
    assert [first[n].codes for n in range(20)] != [other[n].codes for n in range(20)]


def test_scenes_come_as_often_as_asked(plain_clips: list[CodeClip], scene: CodeClip):
    clips = AnnotatedClips([*plain_clips, scene], RATE, scenes_share=0.25)
    assert 30 < sum(clips[number].codes == scene.codes for number in range(200)) < 70


def test_only_named_sounds_are_told_apart(plain_clips: list[CodeClip], scene: CodeClip, mixed_scene: CodeClip):
    clips = AnnotatedClips([*plain_clips, scene, mixed_scene], RATE, names=("rain falling",))
    assert clips.names == ("rain falling",)
    assert all(clips[number].active.shape[1] == 1 for number in range(20))
    assert not AnnotatedClips([scene], RATE, names=("rain falling",))
    assert not AnnotatedClips([], RATE)
