#!/usr/bin/env bash
# The timed stages on one GPU: bash gpu.sh smoke | 1 | 2 | 3   (README.md tells what they do)
# Carried along: build/sprites and build/tokenizer. RUN stays on the machine between stages; OUT is what is taken home,
# at most 6 files, each under 16 MiB. NAMES chooses the objects.
set -euo pipefail
kit=$(cd "$(dirname "$0")" && pwd)
DATA=${DATA:-$kit/build/sprites} TOK=${TOK:-$kit/build/tokenizer} NAMES=${NAMES:-$kit/names/forty.json}
RUN=${RUN:-$kit/build/run} OUT=${OUT:-$kit/build/out} PYTHON=${PYTHON:-python3}
size=256 # stride 8: a last map of 32 x 32 tokens, the 0.25M schedule
data=(--data "$DATA" --names "$NAMES")
export PYTHONUNBUFFERED=1
mkdir -p "$RUN" "$OUT"

vae() { "$PYTHON" "$kit/train_vae.py" "${data[@]}" --size $size --base-ch 64 --out "$1/vae" "${@:2}"; }
transformer() {
  "$PYTHON" "$kit/train.py" "${data[@]}" --size $size --fresh 1 --vae "$1/vae/slim.pt" --tokenizer "$TOK" \
    --out "$1/ar" --depth 16 --width 256 --text-layers 4 --flip 0.3 --lr 1e-3 --muon 0.01 --warmup 200 "${@:2}"
}
bundle() {
  "$PYTHON" "$kit/export.py" --ar "$1/ar/slim.pt" --vae "$1/vae/slim.pt" --tokenizer "$TOK" --out "$1/model" --bundle "$2"
}
samples() { cp "$RUN/ar/samples.png" "$RUN/ar/samples.txt" "$OUT"; }

case ${1:-} in
smoke) # two minutes: does everything run, how fast, with how much memory
  vae "$RUN/smoke" --seconds 20 --crop 128 --batch 32
  transformer "$RUN/smoke" --seconds 40 --tokens 160000
  bundle "$RUN/smoke" "$RUN/smoke/parts"
  rm -rf "$RUN/smoke" ;;
1) # autoencoder
  vae "$RUN" --seconds 250 --crop 128 --batch 32 --cooldown 0
  vae "$RUN" --seconds 280 --batch 16 --cooldown 0.6
  cp "$RUN/vae/slim.pt" "$OUT/vae-slim.pt"; cp "$RUN/vae/reconstructions.png" "$OUT" ;;
2) # transformer; the last scales join one by one
  transformer "$RUN" --seconds 540 --tokens 160000 --grow 0.15,0.3,0.45,0.6 --cooldown 0
  bundle "$RUN" "$OUT"; samples ;;
3) # transformer on all scales, the learning rate falling; again for as long as it helps
  transformer "$RUN" --seconds 530 --tokens 160000 --grow 0 --cooldown 0.6
  bundle "$RUN" "$OUT"; samples ;;
*) echo "stages: smoke 1 2 3"; exit 2 ;;
esac
