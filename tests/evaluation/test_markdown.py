"""The report says what was found and what was left out, in tables whose rows fit their heads."""

from makesomenoise.evaluation.markdown import figure, language_markdown, percent, table, within


def test_a_table_keeps_its_columns_whatever_a_cell_holds():
    lines = table(["a", "b"], [["1|2", "3"]]).splitlines()
    assert lines == ["| a | b |", "| --- | --- |", "| 1/2 | 3 |"]


def test_what_there_is_not_is_a_dash():
    assert within(0.5, 0.0123) == "50.0 ± 1.2 %"
    assert [percent(0.1234), percent(None), figure(1.2345, 1), figure(None)] == ["12.3 %", "-", "1.2", "-"]


SETTINGS = {"model": "m", "weights": "w", "base": "b", "tokenizer": "t", "clips": 1, "scene_clips": 0, "limit": None}
SETTINGS |= {"guidance": 3.0, "temperature": 1.0, "top_k": 0, "seed": 0}
PROVENANCE = {"captioning": {"version": "1", "commits": ["c"]}}
MACHINE = {"commit": "c", "processor": "p", "cores": 2, "torch": "2"}
RANKING = {"accuracy": 0.5, "top5_accuracy": 1.0, "balanced_accuracy": 0.25}
CLASSIFICATION = {
    "clips": 4,
    "folds": ["4"],
    "labels": [str(number) for number in range(50)],
    "ranking": RANKING,
    "accuracy_by_score": {way: {"0": 0.1, "0.5": 0.2, "1": 0.5} for way in ("sum", "mean")},
    "free_text_accuracy": 0.125,
    "event_classifier": {"skipped": "no originals"},
    "code_probe": {"test_clips": 400, "mean": 0.649, "deviation": 0.01},
}
FORGETTING = {"words": 10, "tokens": 12, "perplexity_base": 20.0, "perplexity_model": 21.0}
FORGETTING |= {"perplexity_model_text_only": 20.0}
FORGETTING |= {"chat": [{"question": "What?", "base": "a | b\nc", "model": "x" * 999}]}
SPEED = {"seconds": 10.0, "threads": 2, "cores": 2, "device": "cpu", "load_seconds": 3.0, "caption_seconds": 1.5}
SPEED |= {"caption_tokens": 7, "generate_seconds": 9.5, "codes_per_second": 24.7, "peak_memory_bytes": 2**30}
SPEED |= {"cold_start": {"seconds": 7.25, "output": "Rain."}}
ROW = {
    "sounds": 4,
    "top1": 0.5,
    "top1_error": 0.25,
    "any_in_top5": 1.0,
    "all_in_top5": 1.0,
    "frechet_distance": 3.14159,
}
ROW |= {"diversity": None}


def report(**subjects) -> str:
    return language_markdown({"machine": MACHINE, "settings": SETTINGS, "provenance": PROVENANCE, **subjects})


def test_rows_fit_their_heads():
    text = report(
        classification={"esc50": CLASSIFICATION},
        generation={"labels": {"yamnet": {"real": ROW}}},
        forgetting=FORGETTING,
        speed=SPEED,
    )
    columns = None
    for line in text.splitlines():
        cells = line.count("|") if line.startswith("|") else None
        assert columns is None or cells in {None, columns}
        columns = cells


def test_each_way_of_ranking_has_one_row():
    text = report(classification={"esc50": CLASSIFICATION})
    assert text.count("ranking by the") == 5  # the sixth is what `msn classify` does
    for row in (
        "| **the model, ranking** | 50.0 % | 100.0 % | 25.0 % |",
        "| probe on the codes (400 clips) | 64.9 ± 1.0 % | - | - |",
        "| event classifier on originals: no originals | - | - | - |",
        "| chance | 2.0 % | 10.0 % | 2.0 % |",
        "| LTU-7B (published) | 83.1 % | - | - |",
    ):
        assert row in text


def test_made_sounds_have_a_table_for_each_listener():
    text = report(generation={"labels": {"yamnet": {"real": ROW}, "event classifier": {"real": ROW}}})
    assert text.count("| real | 4 | 50.0 ± 25.0 % | 100.0 % | 100.0 % | 3.1 | - |") == 2
    assert text.index("### labels, heard by: yamnet") < text.index("### labels, heard by: event classifier")
    assert "No outside ear was asked" not in text
    assert "No outside ear was asked (`--ear FILE`)" in report(
        generation={"labels": {"event classifier": {"real": ROW}}}
    )


def test_what_was_kept_is_a_change():
    text = report(forgetting=FORGETTING)
    assert "20.00 of the base, 21.00 of the model (+5.0 %); 20.00 (+0.0 %) where no sound may come." in text
    assert "| What? | a / b c | xxx" in text
    assert max(map(len, text.splitlines())) < 500


def test_results_of_other_commits_are_named():
    older = {"captioning": {"version": "1", "commits": ["b", "c"]}, "forgetting": {"version": "1", "commits": ["c"]}}
    text = report(provenance=older, forgetting=FORGETTING)
    assert "Measured before, by other commits: captioning (b)." in text
    assert "Measured before" not in report(forgetting=FORGETTING)


def test_what_was_left_out_is_said():
    assert "msn data encode --scenes" in report(scene_qa={})
    assert "Left out: no Java" in report(captioning={"skipped": "no Java"})
    assert "## Speed" not in report(forgetting=FORGETTING)
    failed = SPEED | {"cold_start": {"seconds": None, "output": "no such command"}}
    assert "| `msn caption` from nothing | failed: no such command |" in report(speed=failed)
    assert "| `msn caption` from nothing | 7.2 s |" in report(speed=SPEED)
