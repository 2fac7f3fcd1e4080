"""How a vocoder is found by name, and made ready for an engine."""

from pathlib import Path

from makesomenoise import checkpoint, model_folder
from makesomenoise.audio.mel import MelConfig
from makesomenoise.checkpoint import CheckpointError
from makesomenoise.engine.base import EngineError, VocoderEngine, chosen_engine
from makesomenoise.files import is_folder
from makesomenoise.vocoder.config import VOCOS_WEIGHTS, is_vocos
from makesomenoise.vocoder.onnx import OnnxVocoder
from makesomenoise.vocoder.spectral import GriffinLim

_HUB = "hub:"
_BUNDLED = "vocoder"
_STANDARD_MEL = MelConfig()


def load_vocoder(
    source: str | Path = "default", mel: MelConfig = _STANDARD_MEL, engine: str = "auto", device: str = "cpu"
) -> VocoderEngine:
    """Finds a vocoder.

    Args:
        source: `default` (the bundled one), `griffin-lim` (no weights), a model folder, or `hub:<owner>/<name>` for
            weights on the Hugging Face Hub, in our format or in that of Vocos.
        mel: the log-mel that it will be given.
        engine: see `engine.base.chosen_engine`.
        device: where it computes.

    Raises:
        CheckpointError: if there is no such vocoder, if its files do not match, or if it was made for another log-mel.
        EngineError: if the engine cannot run it.
    """
    if source == "griffin-lim":
        return GriffinLim(mel)
    folder = _found(str(source))
    if is_vocos(folder) and engine == "onnx":
        raise EngineError(f"The vocoder {source} has the format of Vocos, which the engine torch alone reads.")
    if is_vocos(folder) or chosen_engine(engine, device) == "torch":
        return _in_torch(folder, str(source), mel, device)
    vocoder = OnnxVocoder(folder)
    _check_mel(vocoder.config.mel, mel, str(source))
    return vocoder


def _in_torch(folder: Path, source: str, mel: MelConfig, device: str) -> VocoderEngine:
    chosen_engine("torch", device)
    from makesomenoise.vocoder.torch import TorchVocoder  # noqa: PLC0415 - torch is loaded only where it computes
    from makesomenoise.vocoder.vocos import IstftVocoder  # noqa: PLC0415

    vocoder = IstftVocoder.from_vocos(folder) if is_vocos(folder) else IstftVocoder.load(folder)
    _check_mel(vocoder.config.mel, mel, source)
    return TorchVocoder(vocoder, device)


def _check_mel(own: MelConfig, given: MelConfig, source: str) -> None:
    # Without what lies below a high-pass a mel is that of other sound, which a vocoder renders like any.
    if own != given.model_copy(update={"high_pass_hz": own.high_pass_hz}):
        raise CheckpointError(
            f"The vocoder {source} reads another log-mel ({own}) than it would be given ({given}); "
            "use a vocoder trained with the same mel settings, or 'griffin-lim'."
        )


def _found(source: str) -> Path:
    if source.startswith(_HUB):
        return _download(source.removeprefix(_HUB))
    if source == "default":
        return model_folder.resolve(_BUNDLED)
    if not is_folder(source):
        raise CheckpointError(
            f"No vocoder '{source}': give 'default', 'griffin-lim', a model folder or hub:<owner>/<name>."
        )
    return Path(source)


def _download(repo_id: str) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - only a Hub id needs the network client
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError  # noqa: PLC0415

    patterns = [checkpoint.CONFIG_FILE, checkpoint.WEIGHTS_FILE, VOCOS_WEIGHTS]
    try:
        return Path(snapshot_download(repo_id, allow_patterns=patterns))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"Cannot fetch the vocoder '{repo_id}' from the Hub ({reason}).") from None
