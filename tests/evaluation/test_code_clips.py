from makesomenoise.data.codes import CodeClip
from makesomenoise.evaluation.code_clips import chosen, digest, plain

CLIPS = [CodeClip(f"{name}-{n}", tuple(range(300)), 12.5, dataset=name) for n in range(9) for name in ("a", "b")]


def test_a_limit_chooses_the_same_clips_of_each_dataset_whatever_their_order():
    some = chosen(CLIPS, 3, 24.0)
    assert [sum(clip.dataset == name for clip in some) for name in ("a", "b")] == [3, 3]
    assert {clip.key for clip in chosen(CLIPS[::-1], 3, 24.0)} == {clip.key for clip in some}
    assert [clip.key for clip in chosen(CLIPS, None, 24.0)] == [clip.key for clip in CLIPS]


def test_long_clips_are_cut_to_ten_seconds():
    assert {len(clip.codes) for clip in chosen(CLIPS, 1, 24.0)} == {240}


def test_the_digest_tells_clips_apart():
    assert digest(CLIPS) == digest(list(CLIPS))
    assert len({digest(CLIPS), digest(CLIPS[::-1]), digest(CLIPS[1:])}) == 3


def test_texts_are_compared_without_case_and_punctuation():
    assert plain(" A dog's  BARK, twice!\n") == "a dog's bark twice"
