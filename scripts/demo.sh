#!/usr/bin/env bash
# Search and retrain on the small digits of scikit-learn, then print where the figures are.
# Usage: demo.sh PYTHON [key=value ...]; the overrides are given to both commands.
set -euo pipefail
python=$1
shift
more=("$@")
begun=$SECONDS
printed=$(mktemp)
trap 'rm -f "$printed"' EXIT

step() { # Print and run a command; set $folder to the run folder that it prints last.
  printf '\n$ python -m %s\n' "$*"
  "$python" -m "$@" ${more[@]+"${more[@]}"} | tee "$printed"
  folder=$(tail -n 1 "$printed")
}

step ltnas.search experiment=demo_search scheme=fairdarts_ssl imbalance=exp0.1
searched=$folder
step ltnas.retrain experiment=demo_retrain "genotype=$searched" imbalance=exp0.1

printf '\nThe search    %s\n' "$searched"
printf '  cells.png architecture.png curves.png genotype.json metrics.json\n'
printf 'The training  %s\n' "$folder"
printf '  cells.png curves.png metrics.json network.safetensors\n'
printf '%d seconds.\n' "$((SECONDS - begun))"
