"""What a vocoder is, and how one is found by name."""

from pathlib import Path
from typing import Protocol

from torch import Tensor

from makesomenoise import checkpoint
from makesomenoise.audio.mel import MelConfig
from makesomenoise.checkpoint import CheckpointError
from makesomenoise.vocoder.griffin_lim import GriffinLim
from makesomenoise.vocoder.vocos import VOCOS_WEIGHTS, IstftVocoder, is_vocos

_HUB = "hub:"
_BUNDLED = "vocoder"
_STANDARD_MEL = MelConfig()


class Vocoder(Protocol):
    """Log-mel frames to sound."""

    @property
    def context_frames(self) -> int:
        """Frames on either side that a window of a long sound needs to join its neighbours."""
        ...

    def __call__(self, mel: Tensor) -> Tensor:
        """Waveform [B, T * hop] of log-mel frames [B, M, T]; frame i is centred on sample i * hop."""
        ...


def load_vocoder(source: str | Path = "default", mel: MelConfig = _STANDARD_MEL) -> Vocoder:
    """Finds a vocoder.

    Args:
        source: `default` (the bundled one), `griffin-lim` (no weights), a model folder, or `hub:<owner>/<name>` for
            weights on the Hugging Face Hub, in our format or in that of Vocos.
        mel: the log-mel that it will be given.

    Raises:
        CheckpointError: if there is no such vocoder, if its files do not match, or if it was made for another log-mel.
    """
    if source == "griffin-lim":
        return GriffinLim(mel).eval()
    vocoder = _load_weights(str(source))
    if vocoder.config.mel != mel:
        raise CheckpointError(
            f"The vocoder {source} reads another log-mel ({vocoder.config.mel}) than it would be given ({mel}); "
            "use a vocoder trained with the same mel settings, or 'griffin-lim'."
        )
    return vocoder


def _load_weights(source: str) -> IstftVocoder:
    if source.startswith(_HUB):
        folder = _download(source.removeprefix(_HUB))
        return IstftVocoder.from_vocos(folder) if is_vocos(folder) else IstftVocoder.load(folder)
    if source == "default":
        return IstftVocoder.load(checkpoint.resolve(_BUNDLED))
    if not Path(source).is_dir():
        raise CheckpointError(
            f"No vocoder '{source}': give 'default', 'griffin-lim', a model folder or hub:<owner>/<name>."
        )
    return IstftVocoder.load(source)


def _download(repo_id: str) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - only a Hub id needs the network client
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError  # noqa: PLC0415

    patterns = [checkpoint.CONFIG_FILE, checkpoint.WEIGHTS_FILE, VOCOS_WEIGHTS]
    try:
        return Path(snapshot_download(repo_id, allow_patterns=patterns))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"Cannot fetch the vocoder '{repo_id}' from the Hub ({reason}).") from None
