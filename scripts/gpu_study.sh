#!/usr/bin/env bash
# The study of benchmarks/gpu_study.py on a machine with a GPU and without a network:
#
#     COMMIT=$(git rev-parse HEAD) MINUTES=8 scripts/gpu_study.sh OUT [word...]
#
# .whl holds wheels of what Python lacks there (hydra-core, omegaconf, antlr4-python3-runtime), .data
# CIFAR-10 as Parquet, and .state the files state.* that an earlier call has left in its OUT. Call it
# again with these until it prints "all done". results.tar.gz in OUT is unpacked into results/gpu.
set -euo pipefail
out=$1
shift
if compgen -G ".whl/*.whl" >/dev/null; then
  site=$(mktemp -d)
  python3 -m pip install --quiet --no-index --no-deps --no-compile --target "$site" .whl/*.whl
  export PYTHONPATH=$site${PYTHONPATH:+:$PYTHONPATH}
fi
export PYTHONUNBUFFERED=1
exec "${PYTHON:-python3}" -m benchmarks.gpu_study out="$out" data="${DATA:-.data}" \
  state="${STATE:-.state}" minutes="${MINUTES:-8}" commit="${COMMIT:-}" "$@"
