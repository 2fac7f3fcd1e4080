"""The same clips are drawn whatever their order, and a missing split is named."""

from pathlib import Path

import pytest
import torch

from makesomenoise.audio import io
from makesomenoise.data.codes import CodeClip
from makesomenoise.data.manifest import Clip, ManifestError
from makesomenoise.evaluation.splits import Corpus, code_subset, codes_digest, subset


def clips(*counts: int) -> list[Clip]:
    return [Clip(f"{d}-{n}", Path(), 0, 0, dataset=str(d)) for d, count in enumerate(counts) for n in range(count)]


def test_a_subset_takes_so_many_of_each_dataset_in_order_and_smaller_ones_are_inside_larger_ones():
    all_clips = clips(30, 5)
    chosen = subset(all_clips, 10)
    assert [sum(clip.dataset == d for clip in chosen) for d in ("0", "1")] == [10, 5]
    assert chosen == [clip for clip in all_clips if clip in chosen]
    assert set(subset(all_clips, 3)) <= set(chosen)
    assert subset(all_clips, None) == all_clips


def test_a_corpus_is_read_from_two_folders(tmp_path: Path):
    for split in ("train", "valid"):
        (tmp_path / split / "rain").mkdir(parents=True)
        io.save(tmp_path / split / "rain" / "a.wav", torch.zeros(100))
    corpus = Corpus.read(tmp_path)
    assert [clip.label for clip in corpus.train + corpus.valid] == ["rain", "rain"]


def test_a_missing_split_is_named(tmp_path: Path):
    with pytest.raises(ManifestError, match="no train split"):
        Corpus.read(tmp_path)


CLIPS = [CodeClip(f"{name}-{n}", tuple(range(300)), 12.5, dataset=name) for n in range(9) for name in ("a", "b")]


def test_a_limit_chooses_the_same_clips_of_each_dataset_whatever_their_order():
    some = code_subset(CLIPS, 3, 24.0)
    assert [sum(clip.dataset == name for clip in some) for name in ("a", "b")] == [3, 3]
    assert {clip.key for clip in code_subset(CLIPS[::-1], 3, 24.0)} == {clip.key for clip in some}
    assert [clip.key for clip in code_subset(CLIPS, None, 24.0)] == [clip.key for clip in CLIPS]


def test_long_clips_are_cut_to_ten_seconds():
    assert {len(clip.codes) for clip in code_subset(CLIPS, 1, 24.0)} == {240}


def test_the_digest_tells_clips_apart():
    assert codes_digest(CLIPS) == codes_digest(list(CLIPS))
    assert len({codes_digest(CLIPS), codes_digest(CLIPS[::-1]), codes_digest(CLIPS[1:])}) == 3
