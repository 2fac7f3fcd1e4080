"""The results of an evaluation as Markdown; reads only what `results.json` holds."""

from collections.abc import Iterable, Mapping, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; what stands in a cell must hold no line break."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |" for cells in lines)


def percent(share: float | None) -> str:
    """A share in [0, 1] in percent, or a dash where there is none."""
    return "-" if share is None else f"{100 * share:.1f} %"


def within(share: float, error: float) -> str:
    """A share in [0, 1] in percent with its standard error."""
    return f"{100 * share:.1f} ± {100 * error:.1f} %"


def figure(value: float | None, digits: int = 2) -> str:
    """A number with so many digits after the point, or a dash where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


_PUBLISHED_PROBES = (("EnCodec", "34.8-37.0 %"), ("DAC", "28.6-36.7 %"), ("WavTokenizer", "34.5 %"))
_GIBIBYTE = 2**30
_ACCURACIES = ("accuracy", "top5_accuracy", "balanced_accuracy")
_DEFAULT_SCORE = ("sum", "0.5")  # what `msn classify` does


def tokenizer_markdown(results: Mapping) -> str:
    """The whole report on tokenizers, from the content of `results.json`."""
    systems, settings = results["systems"], results["settings"]
    sections = [
        ("What an outside ear still hears", _ears(settings, systems)),
        ("What our classifier still hears", [_SURVIVAL_TEXT, _classified_systems(systems)]),
        ("How close, and at what cost", [_FIDELITY_TEXT, _fidelity(systems)]),
    ]
    if "code_probe" in results:
        sections.append(("What the codes know", [_PROBE_TEXT, _probes(results["code_probe"])]))
    if "speed" in results:
        sections.append(("Speed", [_tokenizer_speed(results["speed"])]))
    if "peak_memory_bytes" in results:
        peak, minutes = results["peak_memory_bytes"] / _GIBIBYTE, settings["memory_minutes"]
        said = f"Peak while encoding and decoding a file of {minutes:.0f} minutes: {peak:.2f} GiB."
        sections.append(("Memory", [said]))
    if results["skipped"]:
        sections.append(("Left out", ["\n".join(f"- {name}: {why}." for name, why in results["skipped"].items())]))
    return _document("Evaluation of tokenizers", _tokenizer_origin(results["machine"], settings), sections, results)


def _document(title: str, origin: str, sections: Iterable[tuple[str, Sequence[str]]], results: Mapping) -> str:
    """A report: where it was made, then each section by its title and its paragraphs."""
    paragraphs = [f"# {title}", origin, *_older(results)]
    for heading, texts in sections:
        paragraphs += [f"## {heading}", *texts]
    return "\n\n".join(paragraphs) + "\n"


_EARS_TEXT = (
    "The ear is an embedding network that had no part in training; a linear judge on its embeddings has learned labels"
    " from originals of the training split. Accuracy: share of clips that it names right (first, and among the first"
    " five). Agreement: share of which it says what it says of the original. Both with ± the standard error by"
    " bootstrap. And the Fréchet distance of embeddings"
    " to those of the originals. Where our classifier disagrees, the ear is right."
)
_NO_EAR_TEXT = "None was asked (`--ear FILE`), so the figures below rest on our own classifier alone."
_SURVIVAL_TEXT = (
    "The classifier has learned from the clips and labels that the encoder was trained with, and it sees the same"
    " log-mel through much the same network as the encoder's scene branch. Accuracy: share of clips that it names right"
    " after learning from originals (its own labels for ESC-50 and UrbanSound8K, the kind of sound for the others; in"
    " brackets with each class weighing alike). Agreement: share of which it says what it says of the original, among"
    " the labels of its largest task. And the Fréchet distance of its features to those of the originals."
)
_FIDELITY_TEXT = (
    "Bits without container. Distances reward blur: a decoder that averages what it does not know comes closer, and"
    " sounds worse, than one that draws a plausible sound."
)
_PROBE_TEXT = (
    "A small network trained on code sequences of ESC-50's training folds names the clips of the held-out fold; its"
    " recipe is chosen by cross-validation inside the training folds. Published probes are of other set-ups, at 2 to"
    " 100 times the rate."
)


def _older(results: Mapping) -> list[str]:
    """Which results other commits have measured, if there are any."""
    here = results["machine"]["commit"]
    others = {
        name: [commit for commit in found["commits"] if commit != here] for name, found in results["provenance"].items()
    }
    texts = [f"{name} ({', '.join(commits)})" for name, commits in others.items() if commits]
    return [f"Measured before, by other commits: {'; '.join(texts)}."] if texts else []


def _tokenizer_origin(machine: Mapping, settings: Mapping) -> str:
    where = f"{machine['processor']}, {machine['cores']} cores, torch {machine['torch']}"
    limit = "all clips" if settings["limit"] is None else f"at most {settings['limit']} clips of a dataset"
    weights = ", ".join(f"{name} {fingerprint}" for name, fingerprint in settings["tokenizers"].items())
    return f"Commit {machine['commit']}; {where}; {limit}; weights: {weights}."


def _ears(settings: Mapping, systems: Mapping[str, Mapping]) -> list[str]:
    if not settings["ears"]:
        return [_NO_EAR_TEXT]
    parts = [_EARS_TEXT]
    for name, (digest, listens, *_) in settings["ears"].items():
        heard = {system: figures["ears"][name] for system, figures in systems.items()}
        parts += [f"### {name}", _heard(heard, systems), f"{listens['sample_rate']} Hz, sha256 {digest}."]
        if taught := settings["code_teachers"].get(name):
            parts.append(
                f"It taught the codes of {', '.join(taught)} what to tell, and so has a part in what it hears there."
            )
    return parts


def _heard(heard: Mapping[str, Mapping], systems: Mapping[str, Mapping]) -> str:
    counts = {dataset: found["clips"] for figures in heard.values() for dataset, found in figures.items()}
    heads = [h for d, n in counts.items() for h in (f"{d} ({n} clips) accuracy", "top 5", "agreement", "Fréchet")]
    rows = []
    for name, figures in heard.items():
        rate = systems[name].get("fidelity", {}).get("all", {}).get("bits_per_second")
        cells = [name, figure(rate, 0)]
        for found in (figures[dataset] for dataset in counts):
            cells += [within(found[key], found[f"{key}_error"]) for key in ("accuracy", "top5_accuracy", "agreement")]
            cells += [figure(found["frechet_distance"])]
        rows.append(cells)
    return table(["system", "bit/s", *heads], rows)


def _classified_systems(systems: Mapping[str, Mapping]) -> str:
    datasets = sorted({dataset for figures in systems.values() for dataset in figures["event_classifier"]})
    counts = {
        d: figures["event_classifier"][d]["clips"] for figures in systems.values() for d in figures["event_classifier"]
    }
    heads = [head for d in datasets for head in (f"{d} ({counts[d]} clips) accuracy", "agreement", "Fréchet")]
    rows = []
    for name, figures in systems.items():
        cells = [name]
        for found in (figures["event_classifier"][dataset] for dataset in datasets):
            balanced = "" if found["task"] in datasets else f" ({percent(found['balanced_accuracy'])})"
            cells += [percent(found["accuracy"]) + balanced, percent(found["agreement"])]
            cells += [f"{found['frechet_distance']:.2f}"]
        rows.append(cells)
    return table(["system", *heads], rows)


def _fidelity(systems: Mapping[str, Mapping]) -> str:
    heads = ["system", "clips of", "clips", "bit/s", "log-mel distance", "STFT distance", "perplexity", "codes used"]
    rows = []
    for name, figures in systems.items():
        for dataset, found in figures.get("fidelity", {}).items():
            rate, codes, share = found["bits_per_second"], found["perplexity"], found["codebook_usage"]
            rows.append(
                [
                    name,
                    dataset,
                    str(found["clips"]),
                    "-" if rate is None else f"{rate:.1f}",
                    f"{found['log_mel_distance']:.3f}",
                    f"{found['stft_distance']:.3f}",
                    "-" if codes is None else f"{codes:.0f}",
                    "-" if share is None else percent(share),
                ]
            )
    return table(heads, rows)


def _probes(probes: Mapping[str, Mapping]) -> str:
    rows = []
    for name, found in probes.items():
        if "skipped" in found:
            rows.append([name, "-", found["skipped"]])
        else:
            rows.append([name, f"{100 * found['mean']:.1f} ± {100 * found['deviation']:.1f} %", found["config"]])
    rows += [[name, figure, "published"] for name, figure in _PUBLISHED_PROBES]
    return table(["codes of", "accuracy", "probe"], rows)


def _tokenizer_speed(speeds: Sequence[Mapping]) -> str:
    rows = [
        [s["name"], f"{s['bits_per_second']:.0f}", f"{s['encode_speed']:.1f}x", f"{s['decode_speed']:.1f}x"]
        for s in speeds
    ]
    return table(["codec", "bit/s", "encode, times real time", "decode, times real time"], rows)


_PUBLISHED = {"esc50": (("LTU-7B", 0.831), ("Qwen2-Audio, its own words", 0.466))}
_SUBTRACTED = {"0": "nothing", "0.5": "half of the prior", "1": "the prior"}
_CLASSIFICATION_TEXT = (
    "Share of clips classified right. The model ranks the labels of the dataset by the log-likelihood of their tokens"
    " and of the end of the turn. The first row is what `msn classify` does: the sum over tokens, less half of what the"
    " label scores without a sound (the prior). Published rows are of far larger models and other set-ups."
)
_CAPTIONING_TEXT = (
    "CIDEr and ROUGE-L as in pycocoevalcap with words split at blanks; similarity is the cosine of all-MiniLM-L6-v2"
    " embeddings with the closest reference. References to `labels` are the label and the two phrases for it that"
    " training uses. Captions of other clips are the model's own in another order: what it would reach if it were deaf."
)
_SCENE_QA_TEXT = (
    "Choices ranked by log-likelihood. The most frequent answer is what always giving it would get right; own"
    " words are greedy answers that equal the right one; near is a start named within half a second. Measured is what"
    " levels and their rises in the decoded sound tell to who knows where each sound is: what the tokenizer leaves."
)
_GENERATION_TEXT = (
    "What is heard first (top 1, ± the standard error by bootstrap) and among the first five. An outside ear had no"
    " part in training; the event classifier has learned from the clips and labels, and with much the same network, as"
    " the encoder's scene branch. Scenes ask for several sounds: top 1 is any of them. The Fréchet distance is to other"
    " real clips, so that real clips do not reach 0 either."
    " Diversity is the mean distance of features between sounds of one text (of scenes: between all)."
)


def language_markdown(results: Mapping) -> str:
    """The whole report, from the content of `results.json`."""
    sections = {
        "classification": ("Classification", _classification),
        "captioning": ("Captions", _captioning),
        "scene_qa": ("Questions about scenes", _scene_qa),
        "generation": ("Sound from text", _generation),
        "forgetting": ("Forgetting", _forgetting),
        "speed": ("Speed", _language_speed),
    }
    found = [(title, write(results[name])) for name, (title, write) in sections.items() if name in results]
    return _document(
        "Evaluation of a language model", _language_origin(results["machine"], results["settings"]), found, results
    )


def _language_origin(machine: Mapping, settings: Mapping) -> str:
    limit = "all of them" if settings["limit"] is None else f"at most {settings['limit']} of each dataset"
    sampling = f"guidance {settings['guidance']:g}, temperature {settings['temperature']:g}, top-k {settings['top_k']}"
    return (
        f"Model {settings['model']} ({settings['weights']}) on {settings['base']}, tokenizer {settings['tokenizer']}. "
        f"{settings['clips']} clips and {settings['scene_clips']} scenes, {limit}. Sampling: {sampling}, seed "
        f"{settings['seed']}. Commit {machine['commit']}; {machine['processor']}, {machine['cores']} cores, torch "
        f"{machine['torch']}."
    )


def _classification(datasets: Mapping[str, Mapping]) -> list[str]:
    return [
        _CLASSIFICATION_TEXT,
        *(text for name, found in datasets.items() for text in _classified_dataset(name, found)),
    ]


def _classified_dataset(name: str, found: Mapping) -> list[str]:
    rows = [["**the model, ranking**", *(percent(found["ranking"][key]) for key in _ACCURACIES)]]
    for way, by_weight in found["accuracy_by_score"].items():
        rows += [
            [f"ranking by the {way} over tokens, {_SUBTRACTED[weight]} subtracted", percent(value), "-", "-"]
            for weight, value in by_weight.items()
            if (way, weight) != _DEFAULT_SCORE
        ]
    rows += [
        ["its own words", percent(found["free_text_accuracy"]), "-", "-"],
        _probe_row(found["code_probe"]),
        _classifier_row(found["event_classifier"]),
    ]
    rows += [["chance", *(percent(min(1.0, n / len(found["labels"]))) for n in (1, 5, 1))]]
    rows += [[f"{who} (published)", percent(value), "-", "-"] for who, value in _PUBLISHED.get(name, ())]
    title = f"### {name}, fold {', '.join(found['folds'])}: {found['clips']} clips, {len(found['labels'])} labels"
    return [title, table(["", "right", "among five", "each class alike"], rows), f"![](confusion-{name}.png)"]


def _probe_row(found: Mapping) -> list[str]:
    if "skipped" in found:
        return [f"probe on the codes: {found['skipped']}", "-", "-", "-"]
    share = f"{100 * found['mean']:.1f} ± {100 * found['deviation']:.1f} %"
    return [f"probe on the codes ({found['test_clips']} clips)", share, "-", "-"]


def _classifier_row(found: Mapping) -> list[str]:
    if "skipped" in found:
        return [f"event classifier on originals: {found['skipped']}", "-", "-", "-"]
    name = f"event classifier on originals ({found['clips']} clips)"
    return [name, *(percent(found[key]) for key in _ACCURACIES)]


def _captioning(found: Mapping) -> list[str]:
    if "skipped" in found:
        return [f"Left out: {found['skipped']}"]
    rows = []
    for kind, scored in found["by_reference"].items():
        constant = f'always "{scored["constant_caption"]}"'
        for who, key in (("**the model**", "model"), (constant, "constant"), ("captions of other clips", "shuffled")):
            scores = scored[key]
            figures = (figure(scores[name], 3) for name in ("cider", "rouge_l", "similarity"))
            rows.append([kind, str(scored["clips"]), who, *figures])
    heads = ["against", "clips", "captions", "CIDEr", "ROUGE-L", "similarity"]
    said = f"{found['clips']} clips and scenes, {found['distinct']} different captions. Some of them:"
    examples = table(["clip", "what it is", "caption"], [[_cell(text) for text in one] for one in found["examples"]])
    return [_CAPTIONING_TEXT, table(heads, rows), said, examples]


def _scene_qa(types: Mapping[str, Mapping]) -> list[str]:
    if not types:
        return ["Left out: there are no scenes among the codes (`msn data encode --scenes`)."]
    keys = ("accuracy", "accuracy_less_prior", "accuracy_without_sound", "majority", "chance")
    keys += ("free_text_accuracy", "near_accuracy", "decoded_accuracy")
    rows = [[kind, str(found["questions"]), *(percent(found[key]) for key in keys)] for kind, found in types.items()]
    heads = ["type", "questions", "**with the sound**", "less what is scored without", "without the sound"]
    heads += ["most frequent answer", "chance", "own words", "near", "measured"]
    return [_SCENE_QA_TEXT, table(heads, rows), "![](scene_qa.png)"]


def _generation(tasks: Mapping[str, Mapping]) -> list[str]:
    heads = ["", "sounds", "top 1", "any among five", "all among five", "Fréchet", "diversity"]
    parts = [_GENERATION_TEXT]
    for task, by in tasks.items():
        for who, found in by.items():
            parts += [
                f"### {task}, heard by: {who}",
                table(heads, [_generation_row(name, row) for name, row in found.items()]),
            ]
    if not any(len(by) > 1 for by in tasks.values()):
        parts += ["No outside ear was asked (`--ear FILE`)."]
    return [*parts, "![](generation.png)"]


def _generation_row(name: str, row: Mapping) -> list[str]:
    shares = [within(row["top1"], row["top1_error"]), percent(row["any_in_top5"]), percent(row["all_in_top5"])]
    return [name, str(row["sounds"]), *shares, figure(row["frechet_distance"], 1), figure(row["diversity"])]


def _forgetting(found: Mapping) -> list[str]:
    base, model, text_only = (found[f"perplexity_{key}"] for key in ("base", "model", "model_text_only"))
    said = (
        f"Perplexity of a text of {found['words']} words that was written for this ({found['tokens']} tokens): "
        f"{base:.2f} of the base, {model:.2f} of the model ({_change(base, model)}); {text_only:.2f} "
        f"({_change(base, text_only)}) "
        "where no sound may come."
    )
    chat = [[_cell(one[key]) for key in ("question", "base", "model")] for one in found["chat"]]
    return [said, table(["asked", "the base", "the model"], chat)]


def _change(before: float, after: float) -> str:
    return f"{100 * (after / before - 1):+.1f} %"


def _language_speed(found: Mapping) -> list[str]:
    where = f"{found['threads']} threads on {found['cores']} cores, {found['device']}"
    start = found["cold_start"]
    cold = "-" if start["seconds"] is None else f"{start['seconds']:.1f} s"
    rows: Sequence[Sequence[str]] = [
        ["load", f"{found['load_seconds']:.1f} s"],
        [f"describe {found['seconds']:.0f} s ({found['caption_tokens']} tokens)", f"{found['caption_seconds']:.2f} s"],
        [f"make {found['seconds']:.0f} s and write it to disk", f"{found['generate_seconds']:.1f} s"],
        ["codes a second", f"{found['codes_per_second']:.1f}"],
        ["most memory", f"{found['peak_memory_bytes'] / _GIBIBYTE:.2f} GiB"],
        ["`msn caption` from nothing", cold if start["seconds"] is not None else f"failed: {_cell(start['output'])}"],
    ]
    return [f"In a process of its own, {where}.", table(["", "took"], rows)]


def _cell(text: str) -> str:
    """A text in one line, not too long for a table."""
    line = " ".join(text.split())
    return line if len(line) <= 240 else line[:239] + "…"  # noqa: PLR2004 - letters
