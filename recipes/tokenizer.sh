#!/usr/bin/env bash
# The road to new codes and their decoder, on a CPU: recipes/tokenizer.sh CORPUS RUNS TEACHER [EAR]
#
# CORPUS holds train-*.tar, extra-*.tar and valid-*.tar; TEACHER is the embedding network from which codes learn kinds of sound that no
# label names (yamnet.tflite); EAR is another one, which judges (`msn evaluate --ear`).
# Every stage leaves RUNS/STAGE/done behind and is not done again; one that was stopped goes on from its last checkpoint.
#
#   stage    what                                                       hours of one core with AVX2
#   simple   tones, noises, silence by formulas                         seconds
#   scene    the semantic branch, by labels and by TEACHER              0.7, and YAMNet's listening 0.2
#   codes    encoder and quantizer, asked for the same and for the mel  1.0
#
# and then those of recipes/tokenizer-decoder.sh, from these codes.
set -euo pipefail

if (($# < 3 || $# > 4)); then
  echo "Give the folder of the corpus, a folder for runs, the teacher and, if there is one, the ear: $0 CORPUS RUNS TEACHER [EAR]." >&2
  exit 2
fi
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
corpus=$(realpath -m "$1")
runs=$(realpath -m "$2")
teacher=$(realpath -m "$3")
if ! compgen -G "$corpus/train-*.tar" >/dev/null; then
  echo "$corpus holds no train-*.tar: give the folder of the corpus." >&2
  exit 2
fi
if [[ ! -f $teacher ]]; then
  echo "$teacher is no file: give the embedding network that teaches, such as yamnet.tflite." >&2
  exit 2
fi

source "$root/recipes/stages.sh"

configured() { # CONFIGURATION: a copy that speaks of the folders that were given here
  mkdir -p "$runs/configs"
  sed -e "s#corpus/#$corpus/#g" -e "s#runs/#$runs/#g" -e "s#cache/clips#$runs/clips#" -e "s#cache/taught#$runs/taught#" \
    -e "s#yamnet.tflite#$teacher#" "$root/configs/$1.yaml" >"$runs/configs/$(dirname "$1")-$(basename "$1").yaml"
}

configured semantic_branch/taught
configured tokenizer/taught
stage simple msn data prepare simple "$runs/simple" --count 600
stage scene msn train semantic-branch "$runs/configs/semantic_branch-taught.yaml" --run "$runs/scene" --resume
stage codes msn train tokenizer "$runs/configs/tokenizer-taught.yaml" --run "$runs/codes" --resume
exec bash "$root/recipes/tokenizer-decoder.sh" "$corpus" "$runs" "${4:-}" "$runs/codes/model"
