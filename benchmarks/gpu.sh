#!/usr/bin/env bash
# The thesis's nine trainings on this machine's GPU, one step after another:  benchmarks/gpu.sh STORE OUT
# Each step ends within ten minutes; cut off anywhere, the same command goes on. Nothing is downloaded. STORE is a
# prepared store, or one of phantoms (braingan phantom --store --subjects 400 --out STORE).
set -euo pipefail
store=$1 out=$2
step() { timeout --signal=TERM 580 python "$(dirname "$0")/gpu.py" "$@"; }
mkdir -p "$out"
step matrix "$out"
for model in thesis4 thesis7 thesis15; do step probe "$out" "$model"; done
for model in thesis4 thesis7 thesis15; do
  for samples in 10000 30000 50000; do step train "$out" "$model" "$samples" "$store"; done
done
step table "$out"
