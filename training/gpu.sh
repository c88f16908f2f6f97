#!/usr/bin/env bash
# A model in one go on one GPU: bash gpu.sh SECONDS   (README.md tells what it does)
# It needs build/sprites and build/tokenizer; OUT gets the model in pieces, samples and reconstructions. The other variables
# are for a rehearsal.
set -euo pipefail
length=${1:?usage: gpu.sh SECONDS, at least 120}
kit=$(cd "$(dirname "$0")" && pwd)
OUT=${OUT:-$kit/build/out} RUN=${RUN:-$kit/build/run} PYTHON=${PYTHON:-python3} NAMES=${NAMES:-$kit/names/forty.json}
SIZE=${SIZE:-256} DEPTH=${DEPTH:-12} WIDTH=${WIDTH:-256} CHANNELS=${CHANNELS:-48} TOKENS=${TOKENS:-60000} BATCH=${BATCH:-8}
start=$(date +%s) end=$(($(date +%s) + length))
reserve=$((15 + length / 30)) # for drawing samples and packing
data=(--data "$kit/build/sprites" --names "$NAMES" --styles flat,cartoon --size "$SIZE")
tokenizer=$kit/build/tokenizer
export PYTHONUNBUFFERED=1
mkdir -p "$RUN" "$OUT"

stage() { echo "== $1 at $(($(date +%s) - start)) s"; }

stage autoencoder
"$PYTHON" "$kit/train_vae.py" "${data[@]}" --compile --seconds $((length * 22 / 100)) \
  --base-ch "$CHANNELS" --batch "$BATCH" --cooldown 0.6 --out "$RUN/vae"
cp "$RUN/vae/reconstructions.png" "$OUT"

stage transformer
"$PYTHON" "$kit/train.py" "${data[@]}" --compile --seconds $((end - $(date +%s) - reserve)) \
  --vae "$RUN/vae/slim.pt" --tokenizer "$tokenizer" --out "$RUN/ar" \
  --depth "$DEPTH" --width "$WIDTH" --text-layers 4 --tokens "$TOKENS" --planners 2 --fresh 0.125 --shares 0.3,0.5,0.2 \
  --grow 0.4,0.4,0.4 --short 0.3 --skip 3 --muon 0.01 --warmup 200 --cooldown 0.55
cp "$RUN"/ar/samples.{png,txt} "$OUT"

stage packing
"$PYTHON" "$kit/export.py" --ar "$RUN/ar/slim.pt" --vae "$RUN/vae/slim.pt" --tokenizer "$tokenizer" --out "$RUN/model" --bundle "$OUT"
stage done
