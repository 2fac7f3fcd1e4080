"""Names of sounds that can be said in a sentence, and which labels of which corpora mean them.

The labels of most collections come from file names. Here is the list of those that are trusted: what is on it can be
put into a scene, asked for and asked about; of a noisy collection everything else has no name.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

EXACT = {"esc50", "urbansound8k"}  # labelled by hand
NOISY = {
    "debian",
    "redeclipse",
    "cdda_soundpack",
    "freedoom",
    "berklee_olpc",
    "sonic_pi",
    "unknown_horizons",
    "opensfx",
}
NOISY |= {"openrct2_sfx", "minetest_game", "moodist", "noice", "blanket", "librosa_data", "fsdd", "picovoice"}
NOISY |= {"speech_commands_v2_16k", "speech_commands_noise"}

# name | what is heard | what happens | group of what is easily confused, where it is not the name | further labels
# A name that starts with + comes in short bursts that can be counted.
_TABLE = """
airplane | an airplane flying | an airplane flies past | aircraft | parkland plane
breathing | someone breathing | someone breathes | body |
brushing teeth | someone brushing their teeth | someone brushes their teeth | |
+can opening | a can being opened | a can is opened | |
+car horn | a car horn honking | a car horn honks | horn | carhorn, modern car horn, honking
+cat | a cat meowing | a cat meows | |
chainsaw | a chainsaw running | a chainsaw runs | power tool | lumber mill: chainsaw
chirping birds | birds chirping | birds chirp | birds | birds, birdchirp
church bells | church bells ringing | church bells ring | bells | outside churchbells
clapping | people clapping | people clap | crowd | applause
clock alarm | an alarm clock ringing | an alarm clock rings | bells |
clock tick | a clock ticking | a clock ticks | click | clock
+coughing | someone coughing | someone coughs | voice | cough
+cow | a cow mooing | a cow moos | | mooo, cows
crackling fire | a fire crackling | a fire crackles | | fireplace, campfire, bonfire
crickets | crickets chirping | crickets chirp | insects |
+crow | a crow cawing | a crow caws | birds | crows
crying baby | a baby crying | a baby cries | voice |
+dog | a dog barking | a dog barks | | dog bark, dog barking, bark, dog (pibble)
door wood creaks | a wooden door creaking | a wooden door creaks | |
+door wood knock | someone knocking on a door | someone knocks on a door | |
drinking sipping | someone sipping a drink | someone sips a drink | body |
engine | an engine running | an engine runs | engine | car engine, motor
fireworks | fireworks going off | fireworks go off | bang |
footsteps | someone walking | someone walks | steps | walk on gravel, walk on leaves, walking on wood
+frog | a frog croaking | a frog croaks | |
+glass breaking | glass breaking | glass breaks | | glass break, break glass, breakglass
hand saw | someone sawing wood | someone saws wood | |
helicopter | a helicopter flying | a helicopter flies past | aircraft |
hen | a hen clucking | a hen clucks | birds |
insects | insects buzzing | insects buzz | insects | beehive
keyboard typing | someone typing on a keyboard | someone types on a keyboard | click | keyboard
laughing | someone laughing | someone laughs | voice | laugh
+mouse click | a computer mouse clicking | a computer mouse clicks | click |
pig | a pig grunting | a pig grunts | |
pouring water | water being poured | water is poured | water | beer pour, pouring soda
rain | rain falling | rain falls | rain | light rain, heavy rain, rain on tent, rain on leaves, rain on window
+rooster | a rooster crowing | a rooster crows | birds |
sea waves | waves breaking on a shore | waves break on a shore | water | waves, seaside, oceanwaves
+sheep | a sheep bleating | a sheep bleats | | sheep animal sound
siren | a siren wailing | a siren wails | horn | police siren, ambulance siren
+sneezing | someone sneezing | someone sneezes | voice |
snoring | someone snoring | someone snores | body | snore
thunderstorm | thunder rumbling | thunder rumbles | rain | thunder, distant thunder, rolling thunder, rain+thunder
toilet flush | a toilet flushing | a toilet flushes | water | flush
train | a train passing | a train passes | train | moving train, train passing
vacuum cleaner | a vacuum cleaner running | a vacuum cleaner runs | engine |
washing machine | a washing machine running | a washing machine runs | engine |
water drops | water dripping | water drips | water | droplets
wind | the wind blowing | the wind blows | wind | howling wind, soft wind, wind in trees
air conditioner | an air conditioner humming | an air conditioner hums | engine |
children playing | children playing | children play | crowd |
drilling | a drill running | a drill runs | power tool | drill, powerdrill
engine idling | an engine idling | an engine idles | engine |
+gun shot | a gun firing | a gun fires | bang | gunshot
jackhammer | a jackhammer hammering | a jackhammer hammers | power tool |
street music | music playing in the street | music plays in the street | music |
music | music playing | music plays | music |
speech | someone speaking | someone speaks | voice |
crowd | a crowd making noise | a crowd makes noise | crowd | crowded bar, restaurant, cafe, coffee shop
cat purring | a cat purring | a cat purrs | engine | purring cat
seagulls | seagulls crying | seagulls cry | birds | screeching seagulls
wolf | a wolf howling | a wolf howls | | howling wolf
owl | an owl hooting | an owl hoots | birds |
whale | a whale singing | a whale sings | | humpback whale
wind chimes | wind chimes tinkling | wind chimes tinkle | bells | wind chimes of shells
typewriter | someone typing on a typewriter | someone types on a typewriter | click |
morse code | morse code beeping | morse code beeps | |
white noise | white noise hissing | white noise hisses | wind |
river | a stream flowing | a stream flows | water | water stream
waterfall | a waterfall rushing | a waterfall rushes | water |
train horn | a train horn blowing | a train horn blows | horn |
+explosion | something exploding | something explodes | bang | explode, sound big explosion, sound medium explosion
+gong | a gong being struck | a gong is struck | bells | gong shot
+bell | a bell ringing | a bell rings | bells | templebell
+door slam | a door slamming | a door slams | | doorslam
horse | a horse neighing | a horse neighs | | horse neigh
cuckoo | a cuckoo calling | a cuckoo calls | birds |
+hi hat | a hi-hat being struck | a hi-hat is struck | drum |
+snare drum | a snare drum being struck | a snare drum is struck | drum |
+bass drum | a bass drum being struck | a bass drum is struck | drum |
"""
_INSTRUMENTS = """
winds: clarinet, flute, bass clarinet, cor anglais, contrabassoon, bassoon, oboe, saxophone
brass: trumpet, trombone, french horn
strings: cello, double bass, violin, acoustic guitar, guitar, banjo, mandolin, harp
keys: piano, harpsichord, church organ, harmonium, glockenspiel
"""
_OTHER_NAMES = {"violin or fiddle": "violin", "organ": "church organ"}
_SPOKEN = {"speech_commands_v2_16k", "fsdd"}  # their labels are the words that are said
_WRAPPED = re.compile(r"^(?:sound of )?(.+?)(?: single note.*| animal sound| \(animal\))?$")
_SHORT = re.compile(r"[a-z][a-z'-]*(?: [a-z'-]+){0,2}")


@dataclass(frozen=True)
class Name:
    """How to speak of a sound.

    Attributes:
        name: the short name, as a classifier says it.
        heard: a noun phrase that fits after "I hear".
        happens: a clause that "twice" can follow.
        group: names of one group are easily confused.
        counted: whether it comes in short bursts.
    """

    name: str
    heard: str
    happens: str
    group: str
    counted: bool


@lru_cache(maxsize=1)
def names() -> dict[str, Name]:
    """All names that sentences can be made of, by name."""
    return {name.name: name for name in (*(_row(cells)[0] for cells in _rows()), *_instruments())}


def find(label: str, dataset: str = "") -> Name | None:
    """The name that a label means, or nothing where the label is not to be trusted.

    Args:
        label: as the record of a clip has it.
        dataset: the collection of the clip, which decides how far an unknown label is believed.
    """
    text = "speech" if dataset in _SPOKEN else " ".join(label.lower().split())
    match = _WRAPPED.match(text)
    known = _labels().get(text) or (_labels().get(match[1]) if match else None)
    if known is not None or dataset in NOISY or not _SHORT.fullmatch(text):
        return names()[known] if known else None
    return Name(text, f"the sound of {text}", f"there is the sound of {text}", text, counted=False)


@lru_cache(maxsize=1)
def _labels() -> dict[str, str]:
    found = {label: row.name for row, labels in map(_row, _rows()) for label in (row.name, *labels)}
    return found | {name.name: name.name for name in _instruments()} | _OTHER_NAMES


def _rows() -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in _TABLE.strip().splitlines()]


def _row(cells: list[str]) -> tuple[Name, list[str]]:
    name, heard, happens, group, labels = cells
    short = name.removeprefix("+")
    return Name(short, heard, happens, group or short, short != name), [
        x.strip() for x in labels.split(",") if x.strip()
    ]


def _instruments() -> list[Name]:
    found = []
    for line in _INSTRUMENTS.strip().splitlines():
        group, members = line.split(": ")
        for name in members.split(", "):
            article = "an" if name[0] in "aeiou" else "a"
            found.append(Name(name, f"{article} {name} playing", f"{article} {name} plays", group, counted=False))
    return found
