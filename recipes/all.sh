#!/usr/bin/env bash
# The whole road, on a CPU: recipes/all.sh CORPUS RUNS TEACHER [EAR]
#
# New codes and their decoder (recipes/tokenizer.sh), and then a language model of them (recipes/language.sh). Stopped, it goes on where
# it was; hours stand in both.
set -euo pipefail

if (($# < 3 || $# > 4)); then
  echo "Give the folder of the corpus, a folder for runs, the teacher and, if there is one, the ear: $0 CORPUS RUNS TEACHER [EAR]." >&2
  exit 2
fi
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bash "$root/recipes/tokenizer.sh" "$1" "$2/tokenizer" "${@:3}"
bash "$root/recipes/language.sh" "$1" "$2/language" "$2/tokenizer/models/ours"
