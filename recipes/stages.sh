# What the roads share; sourced by scripts that have set $runs.

# Does a stage, unless it was done before, and leaves $runs/NAME/done behind.
stage() { # NAME COMMAND...
  local name=$1
  shift
  [[ -e $runs/$name/done ]] && return
  echo "== $name"
  "$@"
  touch "$runs/$name/done"
}
