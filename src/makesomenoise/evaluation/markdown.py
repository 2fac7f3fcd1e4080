"""The results of an evaluation as Markdown tables; reads only what `results.json` holds."""

from collections.abc import Mapping, Sequence

from makesomenoise.evaluation.tables import figure, percent, table, within

_PUBLISHED_PROBES = (("EnCodec", "34.8-37.0 %"), ("DAC", "28.6-36.7 %"), ("WavTokenizer", "34.5 %"))
_GIBIBYTE = 2**30


def as_markdown(results: Mapping) -> str:
    """The whole report, from the content of `results.json`."""
    parts = ["# Evaluation of tokenizers", _origin(results["machine"], results["settings"])]
    parts += ["## What an outside ear still hears", *_ears(results["settings"]["ears"], results["systems"])]
    parts += ["## What our classifier still hears", _SURVIVES, _survives(results["systems"])]
    parts += ["## How close, and at what cost", _FIDELITY, _fidelity(results["systems"])]
    if "probe" in results:
        parts += ["## What the codes know", _PROBE, _probes(results["probe"])]
    if "speed" in results:
        parts += ["## Speed", _speed(results["speed"])]
    if "peak_memory_bytes" in results:
        minutes = results["settings"]["memory_minutes"]
        peak = results["peak_memory_bytes"] / _GIBIBYTE
        parts += ["## Memory", f"Peak while encoding and decoding a file of {minutes:.0f} minutes: {peak:.2f} GiB."]
    if results["skipped"]:
        parts += ["## Left out", *(f"- {name}: {reason}." for name, reason in results["skipped"].items())]
    return "\n\n".join(parts) + "\n"


_EARS = (
    "The ear is an embedding network that had no part in training; a linear judge on its embeddings has learned names"
    " from originals of the training split. Share of clips that it names right (first, and among the first five) and"
    " that it names as it names the original, ± the standard error by bootstrap; and the Fréchet distance of embeddings"
    " to those of the originals. Where our classifier disagrees, the ear is right."
)
_NO_EAR = "None was asked (`--ear FILE`), so the figures below rest on our own classifier alone."
_SURVIVES = (
    "The classifier has learned from the clips and labels that the encoder was trained with, and it sees the same"
    " log-mel through much the same network as the encoder's scene branch. Share of clips that it"
    " names right after learning from originals (its own labels for ESC-50 and UrbanSound8K, the"
    " kind of sound for the others; in brackets with each class weighing alike); share in which it hears the same"
    " as in the original, among the names of its largest task; and the Fréchet distance of its features to those of the"
    " originals."
)
_FIDELITY = (
    "Bits without container. Distances reward blur: a decoder that averages what it does not know comes closer, and"
    " sounds worse, than one that draws a plausible sound."
)
_PROBE = (
    "A small network trained on code sequences of ESC-50's training folds names the clips of the held-out fold; its"
    " recipe is chosen by cross-validation inside the training folds. Published probes are of other set-ups, at 2 to"
    " 100 times the rate."
)


def _origin(machine: Mapping, settings: Mapping) -> str:
    where = f"{machine['processor']}, {machine['cores']} cores, torch {machine['torch']}"
    limit = "all clips" if settings["limit"] is None else f"at most {settings['limit']} clips of a dataset"
    weights = ", ".join(f"{name} {fingerprint}" for name, fingerprint in settings["tokenizers"].items())
    return f"Commit {machine['commit']}; {where}; {limit}; weights: {weights}."


def _ears(ears: Mapping[str, Sequence], systems: Mapping[str, Mapping]) -> list[str]:
    if not ears:
        return [_NO_EAR]
    parts = [_EARS]
    for name, (digest, settings, *_) in ears.items():
        heard = {system: figures["ears"][name] for system, figures in systems.items()}
        parts += [f"### {name}", _heard(heard, systems), f"{settings['sample_rate']} Hz, sha256 {digest}."]
    return parts


def _heard(heard: Mapping[str, Mapping], systems: Mapping[str, Mapping]) -> str:
    counts = {dataset: found["clips"] for figures in heard.values() for dataset, found in figures.items()}
    heads = [h for d, n in counts.items() for h in (f"{d} ({n} clips) named", "top 5", "as the original", "Fréchet")]
    rows = []
    for name, figures in heard.items():
        rate = systems[name].get("fidelity", {}).get("all", {}).get("bits_per_second")
        cells = [name, figure(rate, 0)]
        for found in (figures[dataset] for dataset in counts):
            cells += [within(found[key], found[f"{key}_error"]) for key in ("named", "top5", "as_original")]
            cells += [figure(found["frechet_distance"])]
        rows.append(cells)
    return table(["system", "bit/s", *heads], rows)


def _survives(systems: Mapping[str, Mapping]) -> str:
    datasets = sorted({dataset for figures in systems.values() for dataset in figures["survives"]})
    counts = {d: figures["survives"][d]["clips"] for figures in systems.values() for d in figures["survives"]}
    heads = [head for d in datasets for head in (f"{d} ({counts[d]} clips)", "heard alike", "Fréchet")]
    rows = []
    for name, figures in systems.items():
        cells = [name]
        for found in (figures["survives"][dataset] for dataset in datasets):
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
            rows.append([name, f"{100 * found['mean']:.1f} ± {100 * found['deviation']:.1f} %", found["recipe"]])
    rows += [[name, figure, "published"] for name, figure in _PUBLISHED_PROBES]
    return table(["codes of", "accuracy", "probe"], rows)


def _speed(speeds: Sequence[Mapping]) -> str:
    rows = [
        [s["name"], f"{s['bits_per_second']:.0f}", f"{s['encode_speed']:.1f}x", f"{s['decode_speed']:.1f}x"]
        for s in speeds
    ]
    return table(["codec", "bit/s", "encode, times real time", "decode, times real time"], rows)
