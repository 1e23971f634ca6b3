#!/usr/bin/env bash
# Benchmarks, searches and trainings on a GPU, the most important first, in calls of limited time:
#
#     scripts/gpu_study.sh PYTHON OUT DATA [override...]
#
# PYTHON is an interpreter with ltnas, OUT a folder that is kept between calls, DATA a folder with
# CIFAR-10 as Parquet. Call the script again until it prints "all done"; finished pieces are skipped
# and interrupted ones are resumed. Overrides go to every search and training (for example
# channels=4 epochs=1 for a trial). MINUTES (8) limits each call; DEVICE (cuda) may be cpu for a
# trial.
set -euo pipefail
python=$1 out=$2 data=$3
shift 3
minutes=${MINUTES:-8} device=${DEVICE:-cuda}
precision=bf16-mixed machine=gpu
if [ "$device" = cpu ]; then precision=32 machine=cpu; fi
mkdir -p "$out"

# piece NAME COMMAND...: run the command in the time that is left, unless it has finished before.
piece() {
  local name=$1 left=$((minutes * 60 - SECONDS))
  shift
  if [ -e "$out/$name.done" ]; then return; fi
  if [ "$left" -lt 20 ]; then echo "call again: $name is next"; exit 0; fi
  echo "$name"
  local status=0
  timeout --signal=INT --kill-after=20 "$left" "$@" > "$out/$name.log" 2>&1 || status=$?
  if [ "$status" -eq 0 ]; then tail -n 1 "$out/$name.log" > "$out/$name.done"; return; fi
  if [ "$SECONDS" -ge $((minutes * 60 - 5)) ]; then echo "call again: $name will be resumed"; exit 0; fi
  echo "$name failed:"
  tail -n 20 "$out/$name.log"
  exit 1
}

bench() { piece "bench-$1" "$python" -m "benchmarks.$1" device="$device" out="$out/benchmarks" "${@:2}"; }

common=(data=cifar10_parquet "data.root=$data" imbalance=exp0.1 trainer="$machine"
  precision="$precision" resume=auto "runs=$out/runs" logger.progress=false)

bench search_step precision="$precision" batch="${BATCHES:-16,64,256}" ${BENCH:-}
bench retrain_step precision="$precision" batch="${RETRAIN_BATCHES:-64,96}" ${RETRAIN_BENCH:-}
for scheme in fairdarts_ssl darts fairdarts; do
  piece "search-$scheme" "$python" -m ltnas.search scheme="$scheme" "${common[@]}" "$@"
  piece "retrain-$scheme" "$python" -m ltnas.retrain \
    genotype="$(cat "$out/search-$scheme.done")" "${common[@]}" "$@"
done
# Long-tailed baselines, and the strong recipe on the network of the first search.
longtail() { # NAME IMBALANCE OVERRIDE...
  piece "$1-$2" "$python" -m ltnas.retrain "${common[@]}" imbalance="$2" "${@:3}"
}
for imbalance in exp0.1 exp0.01; do
  longtail cross_entropy "$imbalance" network=resnet32 recipe=cross_entropy "$@"
  longtail ldam_drw "$imbalance" network=resnet32 recipe=paper_ldam_drw "$@"
done
longtail strong exp0.1 genotype="$(cat "$out/search-fairdarts_ssl.done")" recipe=strong "$@"
longtail strong_resnet32 exp0.1 network=resnet32 recipe=strong "$@"
longtail glmc exp0.1 network=resnet32 network.width=64 recipe=glmc "$@"
echo "all done"
