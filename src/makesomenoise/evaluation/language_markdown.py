"""The results of a language model's evaluation as Markdown; reads only what `results.json` holds."""

from collections.abc import Mapping, Sequence

from makesomenoise.evaluation.recognition import USUAL
from makesomenoise.evaluation.tables import figure, percent, table, within

_PUBLISHED = {"esc50": (("LTU-7B", 0.831), ("Qwen2-Audio, its own words", 0.466))}
_SUBTRACTED = {"0": "nothing", "0.5": "half of the prior", "1": "the prior"}
_GIBIBYTE = 2**30
_NAMING = (
    "Share of clips named right. The model ranks the names of the dataset by the log-likelihood of their tokens and of"
    " the end of the turn. The first row is what `msn classify` does: the sum over tokens, less half of what the name"
    " scores without a sound (the prior). Published rows are of far larger models and other set-ups."
)
_CAPTIONING = (
    "CIDEr and ROUGE-L as in pycocoevalcap with words split at blanks; similarity is the cosine of all-MiniLM-L6-v2"
    " embeddings with the closest reference. References to `labels` are the label and the two phrases for it that"
    " training uses. Captions of other clips are the model's own in another order: what it would reach if it were deaf."
)
_SCENES = (
    "Choices ranked by log-likelihood. The most frequent answer is what always giving it would get right; own"
    " words are greedy answers that equal the right one; near is a start named within half a second. Measured is what"
    " levels and their rises in the decoded sound tell to who knows where each sound is: what the tokenizer leaves."
)
_MAKING = (
    "What is heard first (top 1, ± the standard error by bootstrap) and among the first five. An outside ear had no"
    " part in training; the event classifier has learned from the clips and labels, and with much the same network, as"
    " the encoder's scene branch. Scenes ask for several sounds: top 1 is any of them. The Fréchet distance is to other"
    " real clips, so that real clips do not reach 0 either."
    " Diversity is the mean distance of features between sounds of one text (of scenes: between all)."
)


def language_markdown(results: Mapping) -> str:
    """The whole report, from the content of `results.json`."""
    sections = {
        "naming": ("Naming", _naming),
        "captioning": ("Captions", _captioning),
        "scenes": ("Questions about scenes", _scenes),
        "making": ("Sound from text", _making),
        "kept": ("What was kept", _kept),
        "speed": ("Speed", _speed),
    }
    parts = ["# Evaluation of a language model", _origin(results["machine"], results["settings"])]
    for subject, (title, write) in sections.items():
        if subject in results:
            parts += [f"## {title}", *write(results[subject])]
    return "\n\n".join(parts) + "\n"


def _origin(machine: Mapping, settings: Mapping) -> str:
    limit = "all of them" if settings["limit"] is None else f"at most {settings['limit']} of each dataset"
    sampling = f"guidance {settings['guidance']:g}, temperature {settings['temperature']:g}, top-k {settings['top_k']}"
    return (
        f"Model {settings['model']} ({settings['weights']}) on {settings['base']}, tokenizer {settings['tokenizer']}. "
        f"{settings['clips']} clips and {settings['scene_clips']} scenes, {limit}. Sampling: {sampling}, seed "
        f"{settings['seed']}. Commit {machine['commit']}; {machine['processor']}, {machine['cores']} cores, torch "
        f"{machine['torch']}."
    )


def _naming(datasets: Mapping[str, Mapping]) -> list[str]:
    return [_NAMING, *(text for name, found in datasets.items() for text in _dataset(name, found))]


def _dataset(name: str, found: Mapping) -> list[str]:
    ways = found["accuracies"]
    rows = [["**the model, ranking**", *(percent(found["named"][key]) for key in ("accuracy", "top5", "macro"))]]
    for way, strengths in ways.items():
        rows += [
            [f"ranking by the {way} over tokens, {_SUBTRACTED[share]} subtracted", percent(value), "-", "-"]
            for share, value in strengths.items()
            if (way, share) != USUAL
        ]
    rows += [["its own words", percent(found["free"]), "-", "-"], _probe(found["probe"]), _judge(found["classifier"])]
    rows += [["chance", *(percent(min(1.0, n / len(found["names"]))) for n in (1, 5, 1))]]
    rows += [[f"{who} (published)", percent(value), "-", "-"] for who, value in _PUBLISHED.get(name, ())]
    title = f"### {name}, fold {', '.join(found['folds'])}: {found['clips']} clips, {len(found['names'])} names"
    return [title, table(["", "right", "among five", "each class alike"], rows), f"![](confusion-{name}.png)"]


def _probe(found: Mapping) -> list[str]:
    if "skipped" in found:
        return [f"probe on the codes: {found['skipped']}", "-", "-", "-"]
    share = f"{100 * found['mean']:.1f} ± {100 * found['deviation']:.1f} %"
    return [f"probe on the codes ({found['clips']} clips)", share, "-", "-"]


def _judge(found: Mapping) -> list[str]:
    if "skipped" in found:
        return [f"event classifier on originals: {found['skipped']}", "-", "-", "-"]
    name = f"event classifier on originals ({found['clips']} clips)"
    return [name, *(percent(found[key]) for key in ("accuracy", "top5", "macro"))]


def _captioning(found: Mapping) -> list[str]:
    if "skipped" in found:
        return [f"Left out: {found['skipped']}"]
    rows = []
    for kind, scored in found["against"].items():
        constant = f'always "{scored["constant_caption"]}"'
        for who, key in (("**the model**", "model"), (constant, "constant"), ("captions of other clips", "shuffled")):
            scores = scored[key]
            figures = (figure(scores[name], 3) for name in ("cider", "rouge_l", "similarity"))
            rows.append([kind, str(scored["clips"]), who, *figures])
    heads = ["against", "clips", "captions", "CIDEr", "ROUGE-L", "similarity"]
    said = f"{found['clips']} clips and scenes, {found['different']} different captions. Some of them:"
    examples = table(["clip", "what it is", "caption"], [[_cell(text) for text in one] for one in found["examples"]])
    return [_CAPTIONING, table(heads, rows), said, examples]


def _scenes(types: Mapping[str, Mapping]) -> list[str]:
    if not types:
        return ["Left out: there are no scenes among the codes (`msn data encode --scenes`)."]
    keys = ("with_sound", "less_without", "without_sound", "majority", "chance", "free", "near", "measured")
    rows = [[kind, str(found["questions"]), *(percent(found[key]) for key in keys)] for kind, found in types.items()]
    heads = ["type", "questions", "**with the sound**", "less what is scored without", "without the sound"]
    heads += ["most frequent answer", "chance", "own words", "near", "measured"]
    return [_SCENES, table(heads, rows), "![](scenes.png)"]


def _making(tasks: Mapping[str, Mapping]) -> list[str]:
    heads = ["", "sounds", "top 1", "any among five", "all among five", "Fréchet", "diversity"]
    parts = [_MAKING]
    for task, by in tasks.items():
        for who, found in by.items():
            parts += [f"### {task}, heard by: {who}", table(heads, [_made(name, row) for name, row in found.items()])]
    if not any(len(by) > 1 for by in tasks.values()):
        parts += ["No outside ear was asked (`--ear FILE`)."]
    return [*parts, "![](making.png)"]


def _made(name: str, row: Mapping) -> list[str]:
    shares = [within(row["top1"], row["top1_error"]), percent(row["any5"]), percent(row["all5"])]
    return [name, str(row["sounds"]), *shares, figure(row["frechet_distance"], 1), figure(row["diversity"])]


def _kept(found: Mapping) -> list[str]:
    before, after, text = (found[f"perplexity_{key}"] for key in ("before", "after", "in_text"))
    said = (
        f"Perplexity of a text of {found['words']} words that was written for this ({found['tokens']} tokens): "
        f"{before:.2f} before, {after:.2f} after ({_change(before, after)}); {text:.2f} ({_change(before, text)}) "
        "where no sound may come."
    )
    chat = [[_cell(one[key]) for key in ("question", "before", "after")] for one in found["chat"]]
    return [said, table(["asked", "the base", "the model"], chat)]


def _change(before: float, after: float) -> str:
    return f"{100 * (after / before - 1):+.1f} %"


def _speed(found: Mapping) -> list[str]:
    where = f"{found['threads']} threads on {found['cores']} cores, {found['device']}"
    start = found["cold_start"]
    cold = "-" if start["seconds"] is None else f"{start['seconds']:.1f} s"
    rows: Sequence[Sequence[str]] = [
        ["load", f"{found['load_seconds']:.1f} s"],
        [f"describe {found['seconds']:.0f} s ({found['caption_tokens']} tokens)", f"{found['caption_seconds']:.2f} s"],
        [f"make {found['seconds']:.0f} s and write it to disk", f"{found['generate_seconds']:.1f} s"],
        ["codes a second", f"{found['codes_per_second']:.1f}"],
        ["most memory", f"{found['peak_memory_bytes'] / _GIBIBYTE:.2f} GiB"],
        ["`msn caption` from nothing", cold if start["seconds"] is not None else f"failed: {_cell(start['said'])}"],
    ]
    return [f"In a process of its own, {where}.", table(["", "took"], rows)]


def _cell(text: str) -> str:
    """A text in one line, not too long for a table."""
    line = " ".join(text.split())
    return line if len(line) <= 240 else line[:239] + "…"  # noqa: PLR2004 - letters
