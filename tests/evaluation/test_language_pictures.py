from pathlib import Path

from makesomenoise.evaluation.language_pictures import draw_language

ROW = {"top1": 0.25, "any5": 0.5}
ANSWERED = {"with_sound": 0.5, "without_sound": 0.25, "majority": 0.1, "chance": 0.25}


def test_what_was_asked_about_is_drawn(tmp_path: Path):
    draw_language({}, tmp_path)
    draw_language({"scenes": {}, "making": {}, "naming": {}}, tmp_path)
    assert list(tmp_path.iterdir()) == []
    naming = {name: {"names": ["a", "b"], "confusion": [[1, 0], [1, 1]]} for name in ("esc50", "urbansound8k")}
    draw_language(
        {"scenes": {"first": ANSWERED}, "making": {"names": {"yamnet": {"real": ROW}}}, "naming": naming}, tmp_path
    )
    drawn = {"confusion-esc50.png", "confusion-urbansound8k.png", "making.png", "scenes.png"}
    assert {path.name for path in tmp_path.iterdir()} == drawn
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in tmp_path.iterdir())
