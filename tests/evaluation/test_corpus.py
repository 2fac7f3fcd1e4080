from pathlib import Path

import pytest
import torch

from makesomenoise.audio import io
from makesomenoise.data.manifest import Clip, ManifestError
from makesomenoise.evaluation.corpus import Corpus, subset


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
