"""The page for people, mounted at `/`: listen, make, talk, compare. It asks the same worker as the routes do.

Sounds go out as files: arrays would be levelled by Gradio. Assistants can call what the page does (MCP).
"""

import html
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import gradio as gr
import numpy as np
from fastapi import FastAPI
from gradio import processing_utils, utils
from gradio.themes import Soft

from makesomenoise.audio.mel import MelSpectrogram
from makesomenoise.errors import MakeSomeNoiseError
from makesomenoise.language.events import WINDOW, Event, joined
from makesomenoise.language.listening import Answered
from makesomenoise.serving import formats
from makesomenoise.serving.jobs import Ended, Make, Message, Reply, Said, Sounded
from makesomenoise.serving.own_files import OwnFilesOnly
from makesomenoise.serving.recoding import Recode
from makesomenoise.serving.refusals import Refusal
from makesomenoise.serving.service import SAMPLE_RATE, Service, any_seed
from makesomenoise.serving.tasks import Classify, Detokenize, Listen, Tokenize
from makesomenoise.serving.worker import Done, Failed, Job

LABELS = "dog, rain, siren, church bells, car horn, footsteps, crying baby, sea waves, engine, speech, music, birds"
WISHES = ["a dog barks twice", "church bells ring", "rain falls on a roof", "a siren passes by", "a door creaks"]
QUESTIONS = ["What do you hear?", "Is there a dog in this sound?", "Make the sound of rain."]
MOST_CANDIDATES = 4
LONGEST = 20
_KEPT = (3600, 3600)  # how often files of the page are looked through, and how old they may get, seconds
CSS = """
.gradio-container {width: 100%; max-width: 1000px !important; margin: auto}
footer .divider {display: none !important}
.timeline {display: flex; width: 100%; min-height: 3em; border-radius: 6px; overflow: hidden; font-size: .85em}
.timeline div {padding: .4em; overflow: hidden; text-overflow: ellipsis; border-right: 2px solid white; color: #123;
  background: #dbe7f3}
.timeline div:nth-child(even) {background: #f3e6d2}
.codes {font-family: monospace; font-size: .8em; max-height: 6em; overflow: auto; overflow-wrap: anywhere}
"""


def page_app(service: Service) -> FastAPI:
    """The page as an application, with its tools for assistants.

    Args:
        service: the parts of the server.
    """
    keys = service.settings.api_keys
    app = FastAPI(openapi_url=None)
    app.add_middleware(OwnFilesOnly)
    return gr.mount_gradio_app(
        app,
        create_page(service),
        "/",
        auth=(lambda _, password: password in keys) if keys else None,
        auth_message="Any name, and an API key of this server as the password." if keys else None,
        max_file_size=service.settings.max_body,
        show_error=True,
        footer_links=["api"],
        mcp_server=True,
        ssr_mode=False,
        theme=Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        css=CSS,
    )


def create_page(service: Service) -> gr.Blocks:
    """The page alone.

    Args:
        service: answers what is asked on it.
    """
    desk = Desk(service)
    with gr.Blocks(title="makesomenoise", analytics_enabled=False, delete_cache=_KEPT) as page:
        gr.Markdown(
            "# makesomenoise\nAny sound as 23 integers a second, and back; one model that hears and makes sound."
        )
        with gr.Tab("Listen"):
            _listen_tab(desk)
        with gr.Tab("Make"):
            _make_tab(desk)
        with gr.Tab("Talk"):
            _talk_tab(desk)
        with gr.Tab("Compare"):
            _compare_tab(desk)
    page.queue(max_size=64, default_concurrency_limit=8)
    return page


def _sound_input(label: str) -> gr.Audio:
    return gr.Audio(sources=["microphone", "upload"], type="filepath", label=label, format="wav", buttons=["download"])


def _listen_tab(desk: "Desk") -> None:
    with gr.Row():
        with gr.Column():
            sound = _sound_input("A sound: record it, or drop a file")
            labels = gr.Textbox(LABELS, label="Names to choose from", lines=3)
            button = gr.Button("Listen", variant="primary", elem_id="listen")
        with gr.Column():
            caption = gr.Textbox(label="What it is", interactive=False, elem_id="caption")
            ranked = gr.Label(label="Which name fits", num_top_classes=5)
    timeline = gr.HTML("<p>Events will stand here: record a sound, or drop a file, and press Listen.</p>")
    gr.Markdown("**Waveform, spectrogram, codes**: each code has its own colour.")
    picture = gr.Image(
        show_label=False, interactive=False, format="png", buttons=["download", "fullscreen"], elem_id="picture"
    )
    bits = gr.Markdown()
    again = gr.Audio(label="The same from its codes alone", interactive=False, type="filepath", buttons=["download"])
    outputs = [caption, ranked, timeline, picture, bits, again]
    button.click(desk.listen, [sound, labels], outputs, api_name="listen", show_progress_on=[ranked])


def _make_tab(desk: "Desk") -> None:
    text = gr.Textbox(WISHES[0], label="What is to be heard", elem_id="wish")
    with gr.Row():
        seconds = gr.Slider(0.5, LONGEST, 5.0, step=0.5, label="Seconds")
        count = gr.Slider(1, MOST_CANDIDATES, 1, step=1, label="Candidates")
        seed = gr.Number(0, label="Seed: the same gives the same sound", precision=0)
    button = gr.Button("Make", variant="primary", elem_id="make")
    with gr.Row():
        sounds = [
            gr.Audio(
                label=f"Candidate {n + 1}",
                interactive=False,
                type="filepath",
                visible=not n,
                min_width=220,
                buttons=["download"],
                elem_id=f"candidate-{n + 1}",
            )
            for n in range(MOST_CANDIDATES)
        ]
    count.change(desk.show, [count], sounds, api_visibility="private", show_progress="hidden")
    asked, progress = [text, seconds, count, seed], [sounds[0]]
    gr.on([button.click, text.submit], desk.make, asked, sounds, api_name="make", show_progress_on=progress)
    gr.Examples([[wish] for wish in WISHES], [text], label="For example")


def _talk_tab(desk: "Desk") -> None:
    talk = gr.Chatbot(label="Conversation", height=460, placeholder="Send a sound and ask about it, or ask for one.")
    said = gr.MultimodalTextbox(
        sources=["microphone", "upload"],
        file_types=["audio"],
        placeholder="Say something, or send a sound",
        label="You",
    )
    said.submit(desk.hold, [said, talk], [said, talk], api_visibility="private").then(
        desk.talk, [talk], [talk], api_visibility="private"
    )
    gr.Examples([[{"text": question, "files": []}] for question in QUESTIONS], [said], label="For example")


def _compare_tab(desk: "Desk") -> None:
    sound = _sound_input("A sound")
    button = gr.Button("Compare", variant="primary", elem_id="compare")
    with gr.Row():
        shown = [
            gr.Audio(label=label, interactive=False, type="filepath", min_width=220, buttons=["download"])
            for label in ("Original, mono 24 kHz", "makesomenoise, 234 bit/s", "VQ-VAE, 234 bit/s")
        ]
    told = gr.Markdown()
    button.click(desk.compare, [sound], [*shown, told], api_name="compare", show_progress_on=[shown[0]])


@dataclass(frozen=True)
class Desk:
    """What the page does when somebody presses a button.

    Attributes:
        service: answers.
    """

    service: Service

    def listen(self, sound: str, labels: str, progress: gr.Progress = gr.Progress()) -> Iterator[tuple]:  # noqa: B008
        """Says what is heard in a sound: caption, names with probabilities, events, codes, and the decoded sound.

        Args:
            sound: a sound file.
            labels: names to choose from, separated by commas.
            progress: shown while it works.
        """
        waveform = self._read(sound)
        progress(0.1, "coding")
        heard = self._one(Tokenize(waveform))
        shown = self._picture(waveform, heard.codes)
        yield "", None, "", shown, _bits(len(heard.codes), len(waveform)), None
        progress(0.2, "listening")
        answered = [piece for piece in self.asked(Listen(waveform, WINDOW)) if isinstance(piece, Answered)]
        events = joined(answered)
        caption = "\n".join(event.text for event in events)
        yield caption, None, timeline(events), shown, _bits(len(heard.codes), len(waveform)), None
        progress(0.7, "naming")
        names = tuple(dict.fromkeys(name.strip() for name in labels.split(",") if name.strip()))
        ranked = self._one(Classify(waveform, names, WINDOW)) if names else []
        progress(0.85, "decoding")
        decoded = self._one(Detokenize(heard.codes, len(waveform)))
        chances = {one.label: one.probability for one in ranked} or None
        yield caption, chances, timeline(events), shown, _bits(len(heard.codes), len(waveform)), self._file(decoded)

    def make(
        self,
        text: str,
        seconds: float,
        candidates: int,
        seed: int,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Iterator[list]:
        """Makes sounds from a text.

        Args:
            text: what is to be heard.
            seconds: length of each.
            candidates: how many.
            seed: the same seed gives the same sounds.
            progress: shown while it works.
        """
        if not text.strip():
            raise told("Say what is to be heard.")
        count = int(candidates)
        files: list[str | None] = [None] * count
        progress(0.05, "drawing codes")
        for piece in self.asked(Make(text, float(seconds), int(seed or 0), count)):
            if isinstance(piece, Sounded):
                files[piece.choice] = self._file(piece.waveform)
                progress(sum(file is not None for file in files) / count)
                yield [*files, *[None] * (MOST_CANDIDATES - count)]

    def show(self, candidates: int) -> list:
        """Shows so many places for sounds."""
        return [gr.update(visible=number < candidates) for number in range(MOST_CANDIDATES)]

    def hold(self, said: dict, talk: list[dict]) -> tuple[dict, list[dict]]:
        """Puts what was said into the conversation."""
        turns = [{"role": "user", "content": {"path": file}} for file in said.get("files", ())]
        if said.get("text", "").strip():
            turns.append({"role": "user", "content": said["text"].strip()})
        return {"text": "", "files": []}, [*talk, *turns]

    def talk(self, talk: list[dict]) -> Iterator[list[dict]]:
        """Answers a conversation."""
        if not talk or talk[-1]["role"] != "user":
            return
        messages = self._messages(talk)
        text, files = "", list[dict]()
        for piece in self.asked(Reply(messages, seed=any_seed(None), sounds=True)):
            if isinstance(piece, Said):
                text += piece.text
            elif isinstance(piece, Sounded):
                files.append({"role": "assistant", "content": {"path": self._file(piece.waveform)}})
            elif not isinstance(piece, Ended):
                continue
            yield [*talk, *([{"role": "assistant", "content": text}] if text else []), *files]
        if not text and not files:
            yield [*talk, {"role": "assistant", "content": "(no answer: say it in other words, or send a sound)"}]

    def compare(self, sound: str, progress: gr.Progress = gr.Progress()) -> tuple:  # noqa: B008 - as Gradio asks for
        """Codes a sound and decodes it, by this tokenizer and by the baseline.

        Args:
            sound: a sound file.
            progress: shown while it works.
        """
        waveform = self._read(sound)
        progress(0.1, "coding and decoding")
        heard = self._one(Tokenize(waveform))
        ours = self._one(Detokenize(heard.codes, len(waveform)))
        progress(0.6, "the baseline")
        told = _bits(len(heard.codes), len(waveform))
        try:
            baseline = self._file(self._one(Recode(waveform, "vqvae")))
        except gr.Error:
            baseline, told = None, f"{told} The weights of the baseline are not installed here."
        return self._file(waveform), self._file(ours), baseline, told

    def asked(self, job: Job) -> Iterator[object]:
        """What a job makes, as it comes.

        Raises:
            Error: of Gradio, in one sentence.
        """
        made: SimpleQueue[object] = SimpleQueue()
        try:
            ticket = self.service.worker.submit(job, made.put)
        except Refusal as refusal:
            raise told(refusal.message) from None
        try:
            while not isinstance(piece := made.get(), Done):
                if isinstance(piece, Failed):
                    raise told(piece.refusal.message)
                yield piece
        finally:
            ticket.cancel()

    def _one(self, job: Job) -> Any:
        """The one thing that a job makes."""
        (made,) = self.asked(job)
        return made

    def _read(self, file: str | None) -> np.ndarray:
        if not file:
            raise told("Record a sound or drop a file first.")
        try:
            return formats.read(Path(file).read_bytes(), SAMPLE_RATE, self.service.settings.max_seconds)
        except MakeSomeNoiseError as error:
            raise told(str(error)) from None

    def _messages(self, talk: list[dict]) -> tuple[Message, ...]:
        found: list[Message] = []
        for turn in talk:
            for part in _parts(turn["content"]):
                sounds = (self._read(part["path"]),) if isinstance(part, dict) else ()
                text = part if isinstance(part, str) else ""
                if found and found[-1].role == turn["role"]:
                    last = found.pop()
                    found.append(Message(last.role, f"{last.text}\n{text}".strip(), (*last.sounds, *sounds)))
                else:
                    found.append(Message(turn["role"], text, sounds))
        last = found[-1]
        return (*found[:-1], last if last.text else Message("user", QUESTIONS[0], last.sounds))

    def _picture(self, waveform: np.ndarray, codes: tuple[int, ...]) -> object:
        from makesomenoise.serving.pictures import picture  # noqa: PLC0415 - Pillow comes with Gradio

        tokenizer = self.service.worker.tokenizer
        mel = MelSpectrogram(tokenizer.config.mel)(waveform[None])[0]
        return picture(waveform, mel, codes, tokenizer.codebook_size)

    def _file(self, waveform: np.ndarray) -> str:
        """A sound file where Gradio keeps its own, which it removes in time."""
        data = formats.encoded(waveform, SAMPLE_RATE, "wav")
        return processing_utils.save_bytes_to_cache(data, "makesomenoise.wav", utils.get_upload_folder())


def told(sentence: str) -> gr.Error:
    """What a person did wrong; it is none of the server's faults, which have a traceback in its log."""
    return gr.Error(sentence, duration=8, print_exception=False)


def timeline(events: list[Event]) -> str:
    """Events as a strip on which their widths are their lengths."""
    if not events:
        return "<p>Nothing was heard.</p>"
    cells = "".join(
        f'<div style="flex:{event.end - event.start:.3f}" title="{html.escape(event.text)}">'
        f"<b>{event.start:.1f}&ndash;{event.end:.1f} s</b><br>{html.escape(event.text)}</div>"
        for event in events
    )
    return f'<div class="timeline" role="list">{cells}</div>'


def _bits(codes: int, samples: int) -> str:
    seconds = samples / SAMPLE_RATE
    return f"{codes} codes, **{codes * 10} bits** for {seconds:.1f} s ({samples * 16:,} bits as a 16-bit WAV)."


def _parts(content: Any) -> list[str | dict]:
    """What a message of the chat holds, in whichever of Gradio's forms: texts, and files as `{"path": ...}`."""
    found: list[str | dict] = []
    for part in content if isinstance(content, list | tuple) else [content]:
        if isinstance(part, str):
            found.append(part)
        elif isinstance(part, dict) and part.get("type") == "text":
            found.append(str(part["text"]))
        elif isinstance(part, dict):
            file = part.get("file", part)
            found.append({"path": str(file.get("path") if isinstance(file, dict) else file)})
    return found
