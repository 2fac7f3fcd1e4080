"""The road to a GPU and back on a CPU, in seconds; what goes wrong is said in one sentence."""

import io
import itertools
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from makesomenoise import checkpoint
from makesomenoise.checkpoint import CheckpointError
from makesomenoise.data.manifest import Clip
from makesomenoise.nn.convnext import AdaptiveConvNeXtBlock
from makesomenoise.tokenizer.config import RegressionConfig, TokenizerConfig
from makesomenoise.tokenizer.network import TokenizerNetwork
from makesomenoise.training.distillation import DistillConfig
from recipes.gpu import bring_in, pieces, train
from recipes.gpu import pack as packing
from recipes.gpu.batches import PLAIN, Draws, Preparation, VariationConfig, ahead, cut, draw
from recipes.gpu.blocks import ShiftedConvolution, compile_blocks, restore_blocks
from recipes.gpu.config import GpuTrainingConfig
from recipes.gpu.errors import RecipeError, ending
from recipes.gpu.learner import Clock
from recipes.gpu.tape import Packed, Tape, read_index, read_tapes, write_index

ROOT = Path(__file__).parents[2]
BRANCH = {"channels": (4, 4, 8, 8), "dim": 16, "layers": 1, "heads": 2}
DECODER = {"frame_dim": 8, "dim": 16, "trunk_layers": 1, "middle_layers": 1, "frame_layers": 1, "kernel": 3}
MODEL = TokenizerConfig.model_validate(
    {
        "encoder": {"semantic_branch": BRANCH, "frame_dim": 8, "dim": 16, "layers": 1, "heads": 2, "latent_dim": 8},
        "decoder": {"kind": "flow", "network": DECODER, "steps": 2},
    }
)
TINY = GpuTrainingConfig(
    batch_size=4,
    codes=8,
    prepared=2,
    distill_share=0.0,
    learning_rate=5e-3,
    warmup_steps=2,
    ema_decay=0.9,
    check_windows=4,
    distill=DistillConfig(steps=4, batch_size=4, reuse=2, pool=8),
)
CPU = torch.device("cpu")


def _shard(path: Path, split: str, datasets: list[str], tone) -> None:
    with tarfile.open(path, "w") as tar:
        for number, dataset in enumerate(datasets):
            file = io.BytesIO()
            soundfile.write(file, tone(0.6 + 0.2 * number, 200.0 * (number + 1)).numpy(), 24_000, format="FLAC")
            record = {"key": f"{split}{number}", "dataset": dataset, "label": "tone", "seconds": 0.6 + 0.2 * number}
            for suffix, data in (("flac", file.getvalue()), ("json", json.dumps(record | {"split": split}).encode())):
                member = tarfile.TarInfo(f"{split}{number}.{suffix}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


@pytest.fixture
def corpus(tmp_path: Path, tone) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    _shard(folder / "train-000.tar", "train", ["esc50", "other", "other", "urbansound8k"], tone)
    _shard(folder / "extra-000.tar", "extra", ["third"], tone)
    _shard(folder / "valid-000.tar", "valid", ["esc50", "other"], tone)
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network = TokenizerNetwork(MODEL)
    nn.init.normal_(network.decoder.network.mel_out.weight, std=0.1)
    checkpoint.save_model(tmp_path / "model", MODEL, network.state_dict(), "float16")
    return tmp_path / "model"


@pytest.fixture
def pack(corpus: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(packing, "fetch_wheels", lambda folder: folder.mkdir())
    packing.pack(corpus, tmp_path / "pack", str(model), False, packing.Choice())
    return tmp_path / "pack"


@pytest.fixture
def tape() -> Tape:
    """Two clips: 0, 1, 2, ... 99 and 1000 samples of 8000."""
    samples = torch.cat((torch.arange(100), torch.full((1000,), 8000))).short()
    return Tape(samples, torch.tensor([0, 100]), torch.tensor([100, 1000]), torch.tensor([0.0, 1.0]))


def _clock(seconds: float) -> Clock:
    """A clock on which a second passes whenever it is looked at, so that a slow machine takes as many steps."""
    looks = itertools.count()
    return Clock(seconds, 0.0, lambda: float(next(looks)))


def _run(pack: Path, out: Path, config: GpuTrainingConfig = TINY, seconds: float = 90.0) -> train.Run:
    tapes = read_tapes([pack], config.dataset_weights, CPU)
    return train.Run(tapes, train.load(pack / "model", None, CPU), out, config, _clock(seconds))


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_road_there_and_back(pack: Path, model: Path, tmp_path: Path, share: float) -> None:
    run = _run(pack, tmp_path / "out", TINY.model_copy(update={"distill_share": share}))
    run.train()
    assert run.learner.step >= 3
    stages = [line.split()[1] for line in (tmp_path / "out" / "log.txt").read_text().splitlines()]
    assert ("own:" in stages, "distill:" in stages) == (share < 1.0, share > 0.0)
    assert "valid" in (tmp_path / "out" / "log.txt").read_text()
    bring_in.bring_in(tmp_path / "out", str(model), tmp_path / "made", "float16")
    before, after = checkpoint.load_state(model), checkpoint.load_state(tmp_path / "made")
    moved = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert "decoder.network.mel_out.weight" in moved
    assert all(name.startswith("decoder.network") or name == "decoder.no_condition" for name in moved)
    assert ("decoder.network.step.jump.weight" in moved) == (share > 0.0)


def test_the_baseline_starts_from_a_flow_decoder(pack: Path, model: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    config = MODEL.model_copy(update={"decoder": RegressionConfig.model_validate({"network": DECODER})})
    network = TokenizerNetwork(config)
    checkpoint.save_model(tmp_path / "baseline", config, network.state_dict())
    start = train.load(tmp_path / "baseline", str(model), CPU)
    wanted = checkpoint.load_state(model)["decoder.network.mel_out.weight"]
    assert torch.equal(start.decoder.network.mel_out.weight, wanted)
    settings = TINY.model_copy(update={"distill_share": 0.5})  # of which a regression has no use
    tapes = read_tapes([pack], settings.dataset_weights, CPU)
    run = train.Run(tapes, start, tmp_path / "out", settings, _clock(60.0))
    run.train()
    assert "distill:" not in (tmp_path / "out" / "log.txt").read_text()
    bring_in.bring_in(tmp_path / "out", str(tmp_path / "baseline"), tmp_path / "made", "float16")
    made = checkpoint.load_state(tmp_path / "made")["decoder.network.mel_out.weight"]
    assert not torch.equal(made, wanted)


def test_the_loss_falls(pack: Path, tmp_path: Path) -> None:
    run = _run(pack, tmp_path / "out", seconds=1e9)
    losses = [float(run._take()) for _ in range(150)]
    assert np.mean(losses[-30:]) < 0.7 * np.mean(losses[:10])


@pytest.mark.slow
def test_a_pack_runs_where_nothing_else_is_until_its_time_is_over(pack: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY.to_yaml())
    command = ["bash", str(pack / "train.sh"), str(tmp_path / "out"), "--minutes", "0.001", "--device", "cpu"]
    (pack / "wheels" / "empty.whl").write_bytes(b"PK\x05\x06" + bytes(18))
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        [*command, "--config", str(tmp_path / "tiny.yaml")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": path, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("The training ended before its first checkpoint: getting ready")
    assert "hours of sound" in (tmp_path / "out" / "log.txt").read_text()
    assert {p.name for p in pack.iterdir()} == {
        "index.json",
        "model",
        "recipes",
        "sounds.bin",
        "src",
        "train.sh",
        "wheels",
    }
    assert not list(pack.rglob("*.html"))


def test_a_new_decoder_starts_without_weights(
    corpus: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "fetch_wheels", lambda folder: folder.mkdir())
    packing.pack(corpus, tmp_path / "new", str(model), True, packing.Choice())
    assert not any(name.startswith("decoder.") for name in checkpoint.load_state(tmp_path / "new" / "model"))
    run = _run(tmp_path / "new", tmp_path / "out", TINY.model_copy(update={"learning_rate": None}))
    assert run.learner.learning_rate == 1e-3
    assert not torch.equal(run.learner.decoder.mean, torch.zeros(100))


def test_sounds_alone_can_be_packed(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "fetch_wheels", lambda folder: folder.mkdir())
    packing.pack(corpus, tmp_path / "bare", None, False, packing.Choice())
    assert {p.name for p in (tmp_path / "bare").iterdir()} == {"index.json", "sounds.bin", "wheels"}


def test_clips_come_in_their_order_and_parts_turn_it(corpus: Path) -> None:
    firsts = set()
    for part in range(3):
        valid, favoured, others = packing.chosen(corpus, packing.Choice(valid=1, part=part, parts=3))
        assert [len(group.clips) for group in (valid, favoured, others)] == [1, 2, 3]
        assert {clip.dataset for clip in favoured.clips} == {"esc50", "urbansound8k"}
        assert (valid.split, others.split, favoured.until) == ("valid", "train", 0.6)
        firsts.add(others.clips[0].key)
    assert len(firsts) > 1
    fewer = packing.chosen(corpus, packing.Choice(per_label=1))[2]
    assert sorted(clip.dataset for clip in fewer.clips) == ["other", "third"]


def test_favoured_sounds_leave_room_for_others(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "fetch_wheels", lambda folder: folder.mkdir())
    packing.pack(corpus, tmp_path / "few", None, False, packing.Choice(valid=1, favoured_share=1e-6))
    datasets = [row[1] for row in json.loads((tmp_path / "few" / "index.json").read_text())[1:]]
    assert sorted(datasets) == ["other", "other", "third"]


def test_other_packs_hold_the_rest(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "fetch_wheels", lambda folder: folder.mkdir())
    packing.pack(corpus, tmp_path / "first", None, False, packing.Choice(favoured_share=1e-6, per_label=1))
    packing.main([str(corpus), str(tmp_path / "second"), "--bare", "--without", str(tmp_path / "first")])
    first, second = read_index(tmp_path / "first"), read_index(tmp_path / "second")
    assert not {clip.key for clip in first} & {clip.key for clip in second}
    assert len(first) + len(second) == 7
    tapes = read_tapes([tmp_path / "first", tmp_path / "second"], {}, CPU)
    assert (len(tapes["train"].lengths), len(tapes["valid"].lengths)) == (5, 2)
    with pytest.raises(RecipeError, match="is no pack"):
        packing.chosen(corpus, packing.Choice(without=(tmp_path,)))


def test_opus_travels_as_it_is(tmp_path: Path, tone) -> None:
    for name, rate in (("as-it-is", 24_000), ("coded", 48_000)):
        soundfile.write(tmp_path / name, tone(0.5).numpy(), rate, format="OGG", subtype="OPUS")
        clip = Clip(name, tmp_path / name, 0, (tmp_path / name).stat().st_size)
        data = packing.opus("train", clip, packing.Choice(kilobits=0.0))
        assert (data == clip.read()) == (rate == 24_000)
        assert soundfile.info(io.BytesIO(data)).samplerate == 24_000


def test_packed_clips_sound_as_before(pack: Path) -> None:
    tape = read_tapes([pack], {"esc50": 0.3, "absent": 0.2}, CPU)["train"]
    datasets = [row[1] for row in json.loads((pack / "index.json").read_text()) if row[0] == "train"]
    place = datasets.index("esc50")
    assert tape.lengths[place].item() == round(0.6 * 24_000)
    assert tape.chances[place].item() == pytest.approx(0.3)
    assert tape.chances.sum().item() == pytest.approx(1.0)
    start = tape.starts[datasets.index("urbansound8k")]
    spectrum = torch.fft.rfft(tape.samples[start : start + 24_000].float()).abs()
    assert int(spectrum.argmax()) == pytest.approx(800, abs=2)  # the fourth tone


def test_wheels_are_asked_for_the_other_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def failing(command: list[str], **_: object) -> subprocess.CompletedProcess:
        asked.append(command)
        return subprocess.CompletedProcess(command, len(asked) - 1, "", "no\nnetwork")

    monkeypatch.setattr(packing.subprocess, "run", failing)
    with pytest.raises(RecipeError, match=r"Cannot fetch wheels of --no-deps, soundfile, .*: no network"):
        packing.fetch_wheels(tmp_path / "wheels")
    assert asked[0][asked[0].index("--python-version") + 1] == "3.12"
    assert {"manylinux2014_x86_64", "pydantic", "pyyaml", "safetensors"} <= set(asked[0])


def test_windows_are_cut_where_they_are_drawn(tape: Tape) -> None:
    def one(**changes: object) -> Draws:
        values = {"start": 0, "length": 100, "speed": 1.0, "offset": -3.0, "gain": 1.0, "mixed": 0.0, "tilt": 0.0}
        kinds = {"start": torch.long, "length": torch.long, "speed": torch.float64, "offset": torch.float64}
        return Draws(**{k: torch.tensor([v], dtype=kinds.get(k)) for k, v in (values | changes).items()})  # type: ignore[arg-type]

    windows = cut(tape.samples, one(), 8)
    torch.testing.assert_close(windows.waveform[0] * 32768, torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0]))
    assert windows.inside[0].tolist() == [False] * 3 + [True] * 5
    faster = cut(tape.samples, one(offset=4.0, speed=1.5), 4)
    torch.testing.assert_close(faster.waveform[0] * 32768, torch.tensor([6.0, 7.5, 9.0, 10.5]))
    end = cut(tape.samples, one(offset=97.0), 4)
    assert end.inside[0].tolist() == [True, True, False, False]
    loud = cut(tape.samples, one(start=100, length=1000, offset=0.0, gain=100.0), 4)
    torch.testing.assert_close(loud.waveform, torch.full((1, 4), 0.99))


def test_draws_stay_in_their_bounds(tape: Tape) -> None:
    vary = VariationConfig(mix_share=0.5, speed_share=0.5, speed_nepers=0.12)
    draws = draw(tape, 500, 64, 16, vary, torch.Generator().manual_seed(0))
    assert set(draws.start.tolist()) == {100}  # the other clip has no chance
    assert 0.88 < draws.speed.min() < 0.92
    assert 1.08 < draws.speed.max() < 1.13
    assert draws.offset.min() >= 0.0
    assert draws.offset.max() <= 1000 / 0.88 - 64
    assert 0.25 <= draws.mixed[draws.mixed > 0].min() < draws.mixed.max() <= 1.0
    short = draw(tape, 500, 4000, 16, PLAIN, torch.Generator().manual_seed(0))
    assert (short.offset == -16.0).double().mean() == pytest.approx(0.3, abs=0.07)
    assert short.offset.max() <= 0.0


def test_a_batch_is_what_training_sees(tape: Tape) -> None:
    network = TokenizerNetwork(MODEL).eval()
    preparation = Preparation(network, tape, 8, PLAIN, compiled=False)
    batch = preparation.batch(6, torch.Generator().manual_seed(0))
    assert batch.mel.shape == (6, 100, 32)
    assert batch.latents.shape == (6, 8, 8)
    assert (batch.weight == 1.0).any()
    assert ((batch.weight == 1.0) | ((batch.weight - 0.05).abs() < 1e-6)).all()
    made = ahead(lambda: batch, 3, CPU)
    first, second = next(made), next(made)
    assert torch.equal(torch.cat((first.mel, second.mel)), batch.mel)
    assert torch.equal(next(made).latents, first.latents)
    again = ahead(lambda: batch, 6, CPU, 2, torch.Generator().manual_seed(1))
    once, twice = next(again), next(again)
    assert torch.equal(once.mel, batch.mel)
    assert not torch.equal(twice.mel, batch.mel)
    torch.testing.assert_close(twice.mel.sum(0), batch.mel.sum(0))


def test_shifted_products_are_the_convolution() -> None:
    torch.manual_seed(0)
    block = AdaptiveConvNeXtBlock(6, 12, 5)
    x, modulation = torch.randn(2, 9, 6), torch.randn(2, 3, 6)
    wanted = block(x, modulation)
    compile_blocks(block)
    assert type(block.mix) is ShiftedConvolution
    torch.testing.assert_close(block.forward(x, modulation), wanted)
    restore_blocks(block)
    assert type(block.mix) is nn.Conv1d


def test_a_compiler_that_fails_is_done_without(pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stances: list[str] = []
    monkeypatch.setattr(torch.compiler, "set_stance", stances.append)
    run = _run(pack, tmp_path / "out")
    run.compiled = True
    loss, asked = run.objective.loss, []

    def failing(*arguments: object) -> torch.Tensor:
        asked.append(1)
        if len(asked) == 1:
            raise RuntimeError("no compiler")
        return loss(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(run.objective, "loss", failing)
    run._step()
    assert stances == ["force_eager"]
    assert "no compiler" in (tmp_path / "out" / "log.txt").read_text()


def test_pieces_are_small_and_whole_or_refused(tmp_path: Path) -> None:
    state = {name: torch.full((100,), float(number)) for number, name in enumerate("abcde")}
    pieces.save_pieces(tmp_path, state, step=3, piece_bytes=400)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [f"weights-{n}.safetensors" for n in range(3)]
    joined = pieces.join_pieces(tmp_path)
    assert joined.step == 3
    assert {name: tensor[0].item() for name, tensor in joined.state.items()} == {n: i for i, n in enumerate("abcde")}
    files[1].unlink()
    with pytest.raises(RecipeError, match="2 pieces that are no whole checkpoint"):
        pieces.join_pieces(tmp_path)
    files[0].write_bytes(b"words")
    with pytest.raises(RecipeError, match="Cannot read the piece"):
        pieces.join_pieces(tmp_path)
    with pytest.raises(RecipeError, match=r"fill 10 pieces of 0\.0002 MB, more than 8"):
        pieces.split({str(n): torch.zeros(100) for n in range(10)}, piece_bytes=200)


def test_what_went_wrong_is_said_in_one_sentence(
    pack: Path, corpus: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RecipeError, match=r"A pack of 0.01 MB cannot hold sounds .* give more --megabytes\."):
        packing.pack(corpus, tmp_path / "small", str(model), False, packing.Choice(megabytes=0.01))
    assert not (tmp_path / "small").exists()
    with pytest.raises(RecipeError, match="holds something already"):
        packing.pack(corpus, pack, str(model), False, packing.Choice())
    with pytest.raises(RecipeError, match="no part 4 of 4: give 0 to 3"):
        packing.pack(corpus, tmp_path / "part", str(model), False, packing.Choice(part=4))
    with pytest.raises(RecipeError, match=r"ended before its first checkpoint: .* give more --minutes\."):
        _run(pack, tmp_path / "late", seconds=1e-6).train()
    with pytest.raises(RecipeError, match="holds no weights: the training ended before its first checkpoint"):
        bring_in.bring_in(tmp_path / "late", str(model), tmp_path / "made")
    run = _run(pack, tmp_path / "wild")
    monkeypatch.setattr(run, "_take", lambda: torch.tensor(float("nan")))
    run.learner.step = 20
    with pytest.raises(RecipeError, match=r"loss of step 20 is not finite; give a smaller learning_rate\."):
        run.train()
    with pytest.raises(RecipeError, match="is no pack"):
        read_tapes([tmp_path], {}, CPU)
    write_index(pack, [Packed("train", "esc50", 5, "one")])
    with pytest.raises(RecipeError, match=r"do not fit its index.json; pack anew"):
        read_tapes([pack], {}, CPU)


def test_weights_of_another_shape_are_refused(model: Path, tmp_path: Path) -> None:
    pieces.save_pieces(tmp_path / "out", {"mean": torch.zeros(100)}, step=1)
    with pytest.raises(CheckpointError, match="lacks 'decoder"):
        bring_in.bring_in(tmp_path / "out", str(model), tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_the_judge_is_the_evaluation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[list[str]] = []

    def failing(command: list[str], **_: object) -> subprocess.CompletedProcess:
        asked.append(command)
        return subprocess.CompletedProcess(command, 2)

    monkeypatch.setattr(bring_in.subprocess, "run", failing)
    with pytest.raises(RecipeError, match="evaluation of made failed"):
        bring_in.judge(Path("made"), "default", Path("corpus"), tmp_path, ["--ear", "yamnet.tflite"])
    assert asked[0][2:6] == ["makesomenoise", "evaluate", "tokenizer", "corpus"]
    assert asked[0][-6:] == ["--model", "made", "--model", "default", "--ear", "yamnet.tflite"]


def test_commands_end_with_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    def failing() -> None:
        raise RecipeError("Nothing fits.")

    with pytest.raises(SystemExit) as ended:
        ending(failing)
    assert ended.value.code == 2
    assert capsys.readouterr().err == "Nothing fits.\n"
