#!/usr/bin/env bash
# The road to the shipped decoder, on a CPU: recipes/tokenizer-decoder.sh CORPUS RUNS [EAR [CODES]]
#
# CORPUS holds train-*.tar, extra-*.tar and valid-*.tar; EAR is the embedding network that judges (`msn evaluate --ear`); CODES is a
# tokenizer of configs/tokenizer/taught.yaml whose codes the decoder learns in place of the shipped ones (recipes/tokenizer.sh).
# Every stage leaves RUNS/STAGE/done behind and is not done again; one that was stopped goes on from its last checkpoint.
#
#   stage         what                                                          hours of one core with bfloat16
#   decoder       flow matching on train and extra, from the shipped decoder    not measured yet
#   distill       few jumps, taught by quality best                             not measured yet
#   baseline      the VQ-VAE's decoder, from ours, for codes of its own         not measured yet
#   pure          codes of the pure method                                      not measured yet
#   pure-decoder  their decoder, from ours                                      not measured yet
#   models        all of them in 8 bits, as they are shipped                    minutes
#   evaluate      all of them beside each other, by EAR and our classifier      not measured yet
set -euo pipefail

if (($# < 2 || $# > 4)); then
  echo "Give the folder of the corpus, a folder for runs, and the ear and the codes if there are some: $0 CORPUS RUNS [EAR [CODES]]." >&2
  exit 2
fi
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
corpus=$(realpath -m "$1")
runs=$(realpath -m "$2")
ear=${3:-}
codes=${4:-}
if ! compgen -G "$corpus/train-*.tar" >/dev/null; then
  echo "$corpus holds no train-*.tar: give the folder of the corpus." >&2
  exit 2
fi

# The configurations speak of corpus/, runs/ and cache/: these copies have the folders that were given here, and the codes.
mkdir -p "$runs/configs"
for file in "$root"/configs/tokenizer/*.yaml; do
  sed -e "s#corpus/#$corpus/#g" -e "s#runs/#$runs/#g" -e "s#cache/clips#$runs/clips#" "$file" >"$runs/configs/$(basename "$file")"
done

if [[ -n $codes ]]; then
  printf "imitate: {tokenizer: default, share: 0.25}\n" >>"$runs/configs/decoder.yaml"
  for name in decoder distill; do
    sed -i -e "s#^init_from: default#init_from: $codes#" -e "s#^model:#model:\n  mel: {high_pass_hz: 35.0}#" "$runs/configs/$name.yaml"
  done
fi

source "$root/recipes/stages.sh"

train() { # NAME CONFIGURATION
  stage "$1" msn train tokenizer "$runs/configs/$2.yaml" --run "$runs/$1" --resume
}

train decoder decoder
train distill distill
train baseline vqvae-decoder
train pure pure
train pure-decoder pure-decoder

ship() { # NAME RUN
  stage "models/$1" env PYTHONPATH="$root" python "$root/recipes/store.py" "$runs/$2/model" "$runs/models/$1" --storage int8
}

ship ours distill
ship vqvae baseline
ship pure pure-decoder

stage evaluate msn evaluate tokenizer "$corpus" "$runs/evaluate" --classifier "$runs/classifier" --cache "$runs/clips" \
  ${ear:+--ear "$ear"} --model "$runs/models/ours" --model "$runs/models/vqvae" --model "$runs/models/pure"
