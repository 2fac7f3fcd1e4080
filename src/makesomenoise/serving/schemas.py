"""The bodies of requests and answers, in the names that the field's clients use; knows no model and no sound.

What a client sends beyond these names is ignored, as OpenAI's own servers do with most.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MOST_CHOICES = 8
MOST_LABELS = 1000
SEEDS = 2**63

Text = Annotated[str, StringConstraints(max_length=20_000)]
Seed = Annotated[int, Field(ge=-SEEDS, lt=SEEDS, description="The same seed and input give the same answer.")]
Steps = Annotated[int, Field(ge=1, le=100, description="Steps of the decoder: more are finer and slower.")]
Seconds = Annotated[float, Field(gt=0.0, allow_inf_nan=False, description="Length of the sound, exact to the sample.")]
Guidance = Annotated[float, Field(ge=0.0, le=100.0, description="How much the text counts; 1 turns guidance off.")]
Candidates = Annotated[int, Field(ge=1, le=MOST_CHOICES, description="Sounds to make, the best of which is kept.")]
Temperature = Annotated[float, Field(ge=0.0, le=2.0, description="How freely is drawn; 0 takes the likeliest.")]
TopP = Annotated[float, Field(gt=0.0, le=1.0, description="Draw among the likeliest that come to this probability.")]
Quality = Literal["fast", "best"]
SoundFormat = Literal["wav", "flac", "mp3", "opus", "aac", "pcm16", "pcm"]
TextFormat = Literal["json", "text", "srt", "verbose_json", "vtt"]


class Body(BaseModel):
    """Base of every body."""

    model_config = ConfigDict(extra="ignore")


class TextPart(Body):
    """Words within a message."""

    type: Literal["text"]
    text: Text


class InputAudio(Body):
    """A sound file in base64; its bytes decide on the format, not the label."""

    data: str = Field(description="The bytes in base64; a `data:` prefix and line breaks may stand in it.")
    format: str | None = Field(default=None, description="What the client calls the format; not used.")


class AudioPart(Body):
    """A sound within a message."""

    type: Literal["input_audio"]
    input_audio: InputAudio


class AudioReference(Body):
    """A sound that was made here before."""

    id: str


class ChatMessage(Body):
    """What one side said."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | list[Annotated[TextPart | AudioPart, Field(discriminator="type")]] | None = None
    audio: AudioReference | None = Field(default=None, description="A sound that the assistant made, by its id.")


class AudioOptions(Body):
    """How sounds are wanted."""

    format: SoundFormat | None = None
    voice: str | dict | None = Field(default=None, description="Not used: there is no voice.")


class StreamOptions(Body):
    """What a stream says beside the answer."""

    include_usage: bool = False


class ChatRequest(Body):
    """`POST /v1/chat/completions`."""

    messages: list[ChatMessage] = Field(min_length=1, max_length=256)
    model: str | None = None
    modalities: list[Literal["text", "audio"]] | None = Field(
        default=None, description='`["text", "audio"]` lets sounds come; text alone is the default.'
    )
    audio: AudioOptions | None = None
    n: int | None = Field(default=None, ge=1, le=MOST_CHOICES)
    seed: Seed | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    max_completion_tokens: int | None = Field(default=None, ge=1)
    max_tokens: int | None = Field(default=None, ge=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    seconds: Seconds | None = Field(default=None, description="Make a sound of this length.")
    guidance: Guidance | None = None
    candidates: Candidates | None = None


class GenerateRequest(Body):
    """`POST /v1/audio/generate`, in the names of vllm-omni."""

    input: Text = Field(description="What is to be heard.")
    model: str | None = None
    response_format: SoundFormat = "wav"
    audio_length: Seconds = 5.0
    audio_start: float = Field(default=0.0, ge=0.0, le=0.0, description="Sounds begin at 0.")
    speed: float = Field(default=1.0, ge=1.0, le=1.0, description="Sounds have one speed.")
    negative_prompt: Text = Field(default="", description="What is not to be heard.")
    guidance_scale: Guidance = 3.0
    num_inference_steps: Steps | None = None
    seed: Seed | None = None
    temperature: Temperature = 1.0
    top_p: TopP = 1.0
    candidates: Candidates = 1
    quality: Quality = "fast"
    stream_format: Literal["audio", "sse"] = "audio"


class SoundGenerationRequest(Body):
    """`POST /v1/sound-generation`, in the names of ElevenLabs."""

    text: Text = Field(description="What is to be heard.")
    model_id: str | None = None
    duration_seconds: Seconds | None = None
    prompt_influence: float | None = Field(default=None, ge=0.0, le=1.0, description="How much the text counts.")
    loop: Literal[False] = Field(default=False, description="Sounds do not loop.")
    seed: Seed | None = None


class SpeechRequest(Body):
    """`POST /v1/audio/speech`: the description of a sound as `input`; nothing is read aloud."""

    input: Text = Field(description="What is to be heard.")
    model: str | None = None
    voice: str | dict | None = Field(default=None, description="Not used: there is no voice.")
    instructions: str | None = Field(default=None, description="Not used.")
    response_format: SoundFormat = "mp3"
    speed: float = Field(default=1.0, ge=1.0, le=1.0, description="Sounds have one speed.")
    stream_format: Literal["audio", "sse"] = "audio"
    seconds: Seconds = 5.0
    seed: Seed | None = None
    guidance: Guidance = 3.0
    candidates: Candidates = 1


class DetokenizeRequest(Body):
    """`POST /v1/audio/detokenize`."""

    codes: list[int] = Field(min_length=1, max_length=100_000)
    response_format: SoundFormat = "wav"
    sample_count: int | None = Field(default=None, ge=1, description="Cut the sound to so many samples.")
    seed: Seed = 0
    num_inference_steps: Steps | None = None
    quality: Quality = "fast"


class Tokens(BaseModel):
    """The codes of a sound."""

    object: Literal["audio.tokens"] = "audio.tokens"
    model: str
    codes: list[int]
    sample_count: int
    sample_rate: int
    seconds: float
    code_rate: float
    bits_per_second: float
    fingerprint: str


class LabelProbability(BaseModel):
    """How well a label fits."""

    label: str
    probability: float


class Classification(BaseModel):
    """Names for a sound, the likeliest first."""

    object: Literal["audio.classification"] = "audio.classification"
    model: str
    labels: list[LabelProbability]


class TokenDetails(BaseModel):
    """What tokens stand for."""

    text_tokens: int = 0
    audio_tokens: int = 0


class Usage(BaseModel):
    """How many tokens were read and drawn."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: TokenDetails
    completion_tokens_details: TokenDetails


class MessageAudio(BaseModel):
    """A sound that was made."""

    id: str
    data: str
    transcript: str
    expires_at: int


class AnswerMessage(BaseModel):
    """An answer."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: None = None
    audio: MessageAudio | None = None


class Choice(BaseModel):
    """One of several answers."""

    index: int
    message: AnswerMessage
    finish_reason: Literal["stop", "length"]
    logprobs: None = None


class ChatCompletion(BaseModel):
    """The answer of `POST /v1/chat/completions`."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    system_fingerprint: str | None = None


class Segment(BaseModel):
    """What is heard from when to when."""

    id: int
    start: float
    end: float
    text: str


class Transcription(BaseModel):
    """What is heard."""

    text: str


class VerboseTranscription(Transcription):
    """What is heard when."""

    task: Literal["transcribe"] = "transcribe"
    language: Literal["english"] = "english"
    duration: float
    segments: list[Segment]


class ServedModel(BaseModel):
    """A model that can be asked."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "makesomenoise"


class ModelList(BaseModel):
    """The answer of `GET /v1/models`."""

    object: Literal["list"] = "list"
    data: list[ServedModel]


class Health(BaseModel):
    """The answer of `GET /health`."""

    status: Literal["ready", "loading", "stopping", "failed"]


class ErrorDetails(BaseModel):
    """Why there is no answer."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """Every answer with a status of 400 and above."""

    error: ErrorDetails
