"""Names of the classes of public collections, as plain words: lists of labels to choose from by one name."""

_ESC50 = """
airplane, breathing, brushing teeth, can opening, car horn, cat, chainsaw, chirping birds, church bells, clapping,
clock alarm, clock tick, coughing, cow, crackling fire, crickets, crow, crying baby, dog, door wood creaks,
door wood knock, drinking sipping, engine, fireworks, footsteps, frog, glass breaking, hand saw, helicopter, hen,
insects, keyboard typing, laughing, mouse click, pig, pouring water, rain, rooster, sea waves, sheep, siren,
sneezing, snoring, thunderstorm, toilet flush, train, vacuum cleaner, washing machine, water drops, wind
"""
_URBANSOUND8K = """
air conditioner, car horn, children playing, dog bark, drilling, engine idling, gun shot, jackhammer, siren,
street music
"""
LABEL_SETS = {
    name: tuple(label.strip() for label in labels.split(","))
    for name, labels in (("esc50", _ESC50), ("urbansound8k", _URBANSOUND8K))
}
