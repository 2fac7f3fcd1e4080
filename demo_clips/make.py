"""Makes the demo clips: `python make.py <folder of the unpacked Debian package hyperrogue-music>`.

Needs sox, espeak-ng, fluidsynth and the Debian package musescore-general-soundfont-small beside numpy and soundfile.
Where each clip comes from, and its licence, is written in ATTRIBUTION.md.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

RATE = 24_000
HERE = Path(__file__).parent
SOUND_FONT = "/usr/share/sounds/sf3/MuseScore_General_Lite.sf3"
SENTENCE = "Any sound becomes twenty-three numbers a second, and comes back."
# Opening of the Prelude in C major, BWV 846: one broken chord a line, as MIDI note numbers.
PRELUDE = [(60, 64, 67, 72, 76), (60, 62, 69, 74, 77), (59, 62, 67, 74, 77), (60, 64, 67, 72, 76)]
RECORDINGS = {
    "frogs": ["seen-frog1", "seen-frog2", "seen-frog3", "seen-frog1"],
    "bull": ["bull"],
    "splash": ["splash1"],
    "steam": ["steamhiss"],
    "gate": ["closegate"],
    "chime": ["levelup"],
}


def sox(*arguments: object) -> None:
    subprocess.run(["sox", "-R", *map(str, arguments)], check=True)


def write(name: str, samples: np.ndarray) -> None:
    samples = 0.7 * samples / np.abs(samples).max()
    soundfile.write(HERE / f"{name}.flac", samples.astype(np.float32), RATE, subtype="PCM_16")


def recordings(package: Path) -> None:
    sounds = package / "usr" / "share" / "hyperrogue" / "sounds"
    for name, parts in RECORDINGS.items():
        inputs = [f"|sox {sounds / part}.ogg -r {RATE} -c 1 -p gain -1 pad 0 0.15" for part in parts]
        sox(*inputs, "-b", 16, HERE / f"{name}.flac", "gain", "-n", -3)


def speech() -> None:
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["espeak-ng", "-v", "en-gb", "-s", "150", "-w", file.name, SENTENCE], check=True)
        sox(file.name, "-r", RATE, "-b", 16, HERE / "speech.flac", "gain", "-n", -3)


def piano() -> None:
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "piano.wav"
        command = ["fluidsynth", "-q", "-i", "-n", "-F", str(raw), "-r", str(RATE), SOUND_FONT, str(midi(folder))]
        subprocess.run(command, check=True)
        sox(raw, "-c", 1, "-b", 16, HERE / "piano.flac", "trim", 0, 6, "fade", "t", 0, 6, 0.5, "gain", "-n", -3)


def midi(folder: str) -> Path:
    """A standard MIDI file of the prelude: 96 ticks a beat of 0.5 s, four notes a beat."""
    events = b"\x00\xc0\x00"
    for chord in PRELUDE:
        for note in (*chord, *chord[2:]):
            events += bytes([0, 0x90, note, 80, 30, 0x80, note, 0])
    events += b"\x60\xff\x2f\x00"
    head = b"MThd" + (6).to_bytes(4, "big") + b"\x00\x00\x00\x01\x00\x60"
    path = Path(folder) / "prelude.mid"
    path.write_bytes(head + b"MTrk" + len(events).to_bytes(4, "big") + events)
    return path


def siren(rng: np.random.Generator) -> None:
    time = np.arange(6 * RATE) / RATE
    pitch = 900.0 - 350.0 * np.cos(2 * np.pi * time / 3.0)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    tone = sum(np.sin(k * phase) / k**1.3 for k in range(1, 9))
    write("siren", tone * (1 + 0.004 * rng.standard_normal(len(time))) * np.minimum(1, 8 * time))


def rain(rng: np.random.Generator) -> None:
    samples = rng.standard_normal(5 * RATE) * 0.08
    drop = np.arange(RATE // 50) / RATE
    for at in rng.integers(0, len(samples) - len(drop), 900):
        hz, loud = rng.uniform(1500, 7000), rng.pareto(2.5) * 0.12
        samples[at : at + len(drop)] += loud * np.exp(-drop * rng.uniform(300, 900)) * np.sin(2 * np.pi * hz * drop)
    slow = np.interp(np.arange(len(samples)), np.linspace(0, len(samples), 12), rng.uniform(0.8, 1.0, 12))
    spectrum = np.fft.rfft(samples * slow)
    hz = np.fft.rfftfreq(len(samples), 1 / RATE)
    write("rain", np.fft.irfft(spectrum * np.minimum(1, hz / 600) / (1 + hz / 5000), len(samples)))


def clapping(rng: np.random.Generator) -> None:
    samples = np.zeros(4 * RATE)
    for at in np.cumsum(rng.normal(0.32, 0.015, 11)):
        length = RATE // 5
        time = np.arange(length) / RATE
        clap = rng.standard_normal(length) * (np.exp(-time * 130) + 0.12 * np.exp(-time * 25))
        clap *= np.sin(2 * np.pi * rng.uniform(1000, 1300) * time) + 0.5
        start = int(at * RATE)
        samples[start : start + length] += clap[: len(samples) - start] * rng.uniform(0.7, 1.0)
    write("clapping", samples)


def engine(rng: np.random.Generator) -> None:
    time = np.arange(5 * RATE) / RATE
    firing = (
        28.0 + 45.0 * np.clip((time - 1.0) / 2.0, 0, 1) + 0.3 * np.interp(time, time[::1200], rng.standard_normal(100))
    )
    phase = np.cumsum(firing) / RATE
    pulse = np.exp(-12 * (phase % 1.0)) * (1 + 0.15 * np.sin(np.pi * np.floor(phase)))
    hum = sum(np.sin(2 * np.pi * k * phase) / k for k in (1, 2, 3, 5, 8))
    write("engine", pulse * (0.6 + 0.12 * rng.standard_normal(len(time))) + 0.35 * hum)


def main(package: Path) -> None:
    recordings(package)
    speech()
    piano()
    for number, make in enumerate((siren, rain, clapping, engine)):
        make(np.random.default_rng(number))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
