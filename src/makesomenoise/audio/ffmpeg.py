"""Files that libsndfile cannot open (M4A, WebM, some Ogg Opus), through the ffmpeg program where it is installed."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def converted(source: Path) -> Iterator[Path | None]:
    """Converts the first sound track of a file to a temporary WAV file, which is removed when the context ends.

    Args:
        source: an existing file.

    Yields:
        The WAV file, or None where ffmpeg is not installed or finds no sound.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="makesomenoise-") as folder:
        target = Path(folder) / "converted.wav"
        # A playlist could name addresses: nothing but files is opened. -xerror: what is damaged is not half converted.
        reading = ["-nostdin", "-v", "error", "-xerror", "-protocol_whitelist", "file"]
        source_url = f"file:{source.resolve()}"
        writing = ["-map", "0:a:0", "-c:a", "pcm_f32le", "-rf64", "auto", "-y", str(target)]
        done = subprocess.run([program, *reading, "-i", source_url, *writing], capture_output=True, check=False)
        yield target if done.returncode == 0 and target.exists() else None
