#!/usr/bin/env bash
# Search and retrain on small digits, then say where the pictures are.
# Usage: demo.sh PYTHON [key=value ...], the keys for both commands
set -euo pipefail
python=$1
shift
more=("$@")
begun=$SECONDS
printed=$(mktemp)
trap 'rm -f "$printed"' EXIT

step() { # runs a command, shows it, and leaves the run folder that it prints last in $folder
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
