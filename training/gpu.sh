#!/usr/bin/env bash
# A model in one go on one GPU: bash gpu.sh LENGTH, in seconds   (README.md tells what it does)
# Carried along: build/sprites and build/tokenizer. OUT is what is taken home, at most 7 files, each under 16 MiB: the model
# in pieces, samples, reconstructions. The other variables are for a rehearsal.
set -euo pipefail
kit=$(cd "$(dirname "$0")" && pwd)
OUT=${OUT:-$kit/build/out} RUN=${RUN:-$kit/build/run} PYTHON=${PYTHON:-python3} NAMES=${NAMES:-$kit/names/forty.json}
SIZE=${SIZE:-256} DEPTH=${DEPTH:-12} WIDTH=${WIDTH:-256} CHANNELS=${CHANNELS:-48} TOKENS=${TOKENS:-60000} BATCH=${BATCH:-8}
start=$(date +%s) end=$(($(date +%s) + $1))
reserve=$((15 + $1 / 30)) # for drawing samples and packing
data=(--data "$kit/build/sprites" --names "$NAMES" --styles flat,cartoon --size "$SIZE")
tokenizer=$kit/build/tokenizer
export PYTHONUNBUFFERED=1
mkdir -p "$RUN" "$OUT"

left() { echo $((end - $(date +%s) - reserve)); }
stage() { echo "== $1 at $(($(date +%s) - start)) s"; }

# Without fused kernels if they fail: a slower model is better than none.
vae() {
  "$PYTHON" "$kit/train_vae.py" "${data[@]}" --base-ch "$CHANNELS" --batch "$BATCH" --cooldown 0.6 --out "$RUN/vae" "$@"
}
transformer() {
  "$PYTHON" "$kit/train.py" "${data[@]}" --vae "$RUN/vae/slim.pt" --tokenizer "$tokenizer" --out "$RUN/ar" \
    --depth "$DEPTH" --width "$WIDTH" --text-layers 4 --tokens "$TOKENS" --planners 2 --fresh 0.125 --shares 0.3,0.5,0.2 \
    --grow 0.4,0.4,0.4 --short 0.3 --skip 3 --muon 0.01 --warmup 200 --cooldown 0.55 "$@"
}

stage autoencoder
vae --seconds $(($1 * 22 / 100)) --compile || vae --seconds $(($1 * 22 / 100))
cp "$RUN/vae/slim.pt" "$OUT/vae-slim.pt"
cp "$RUN/vae/reconstructions.png" "$OUT"

stage transformer
transformer --seconds "$(left)" --compile || transformer --seconds "$(left)"

stage packing
cp "$RUN"/ar/samples.{png,txt} "$OUT"
"$PYTHON" "$kit/export.py" --ar "$RUN/ar/slim.pt" --vae "$RUN/vae/slim.pt" --tokenizer "$tokenizer" --out "$RUN/model" --bundle "$OUT"
rm "$OUT/vae-slim.pt"
stage done
