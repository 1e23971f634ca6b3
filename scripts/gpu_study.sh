#!/usr/bin/env bash
# Everything that a GPU is wanted for, most wanted first, in pieces of less than nine minutes:
#
#     scripts/gpu_study.sh PYTHON OUT DATA [override...]
#
# PYTHON runs ltnas, OUT is a folder that stays, DATA holds CIFAR-10 as Parquet. Call it again until
# it prints "all done"; what is done is skipped, what was cut off is resumed. Overrides go to every
# search and training (channels=4 epochs=1 ... for a try), MINUTES (8) is the length of a piece, and
# DEVICE (cuda) may be cpu for a try.
set -euo pipefail
python=$1 out=$2 data=$3
shift 3
minutes=${MINUTES:-8} device=${DEVICE:-cuda}
precision=bf16-mixed machine=gpu
if [ "$device" = cpu ]; then precision=32 machine=cpu; fi
mkdir -p "$out"

# piece NAME COMMAND...: run it unless it is done, for what is left of the time.
piece() {
  local name=$1 left=$((minutes * 60 - SECONDS))
  shift
  if [ -e "$out/$name.done" ]; then return; fi
  if [ "$left" -lt 20 ]; then echo "call again: $name comes next"; exit 0; fi
  echo "$name"
  local status=0
  timeout --signal=INT --kill-after=20 "$left" "$@" > "$out/$name.log" 2>&1 || status=$?
  if [ "$status" -eq 0 ]; then tail -n 1 "$out/$name.log" > "$out/$name.done"; return; fi
  if [ "$SECONDS" -ge $((minutes * 60 - 5)) ]; then echo "call again: $name goes on"; exit 0; fi
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
# What the field trains, and what we make of the found network; a search's own retraining comes first.
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
