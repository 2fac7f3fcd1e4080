#!/usr/bin/env bash
# The road to a language model with open names, on a CPU: recipes/language.sh CORPUS RUNS [TOKENIZER]
#
# CORPUS holds train-*.tar, valid-*.tar and, where there are some, extra-*.tar; more comes with `msn data prepare`.
# TOKENIZER gives the codes, as recipes/tokenizer.sh makes them; the shipped one if it is left out.
# Every stage leaves RUNS/STAGE/done behind and is not done again; one that was stopped goes on where it was.
#
#   stage         what                                                      hours of one core with AVX2
#   simple        tones, noises, silence by formulas                        seconds
#   codes/before  the corpus as the codes that the shipped model knows      0.1, for another tokenizer
#   codes/train   the corpus, copies, scenes, pairs and bursts as codes     1.1 (115 times real time)
#   codes/valid   the validation split and scenes of it                     0.02
#   open          from the shipped model, names left open                   3.3 (12 s a step)
#   mean          of its result and the model it began with, for its codes  seconds
#   evaluate      what it hears, says, makes and has forgotten              not measured yet
set -euo pipefail

if (($# < 2 || $# > 3)); then
  echo "Give the folder of the corpus, a folder for runs and, if it is not the shipped one, the tokenizer: $0 CORPUS RUNS [TOKENIZER]." >&2
  exit 2
fi
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
corpus=$(realpath -m "$1")
runs=$(realpath -m "$2")
tokenizer=default before=
if (($# == 3)); then
  tokenizer=$(realpath -m "$3")
  before=$runs/codes/before
fi
if ! compgen -G "$corpus/train-*.tar" >/dev/null || ! compgen -G "$corpus/valid-*.tar" >/dev/null; then
  echo "$corpus holds no train-*.tar or no valid-*.tar: give the folder of the corpus." >&2
  exit 2
fi
shopt -s nullglob
learned=("$corpus"/train-*.tar "$corpus"/extra-*.tar)

# The configuration speaks of codes/: this copy has the folder that was given here.
mkdir -p "$runs/configs"
sed -e "s#codes/#$runs/codes/#g" -e "s#^tokenizer: default#tokenizer: $tokenizer#" \
  -e "${before:+s#^init_from: language#&\ncodes_before: [$before]#}" "$root/configs/language/open.yaml" >"$runs/configs/open.yaml"

source "$root/recipes/stages.sh"

stage simple msn data prepare simple "$runs/simple" --count 2000
[[ -z $before ]] || stage codes/before msn data encode "${learned[@]}" "$runs/codes/before"
stage codes/train msn data encode "${learned[@]}" "$runs/simple" "$runs/codes/train" \
  --scenes 4096 --pairs 4096 --bursts 2048 --copies 1 --model "$tokenizer"
stage codes/valid msn data encode "$corpus"/valid-*.tar "$runs/codes/valid" --scenes 250 --model "$tokenizer"
stage open msn train language "$runs/configs/open.yaml" --run "$runs/open" --resume
if [[ $tokenizer == default ]]; then
  stage mean msn average "$runs/open/model" language "$runs/mean" --share 0.3
  model=$runs/mean
else
  model=$runs/open/model # what it began with knows other codes: there is no mean of the two
fi
stage evaluate msn evaluate language "$runs/codes/valid" "$runs/evaluate" --corpus "$corpus" --model "$model" \
  --tokenizer "$tokenizer" --classifier "$runs/classifier"
