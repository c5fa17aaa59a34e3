#!/bin/sh
# Make the demonstration results again: make demo IMAGES=/path/to/cifar10
# What was made before in build/demo is not made again; nothing here is replaced before all is done.
set -eu
images=${1:?expected the path of CIFAR-10 images: make demo IMAGES=/path/to/cifar10}
here=$(dirname "$0")
work=build/demo
export FEWSHOT_DEMO_DIR=  # without the results that come with the project
.venv/bin/fewshot images register cifar10 "$images" --data-dir "$work"
.venv/bin/fewshot train --preset paper --set epochs=6 --device cpu --data-dir "$work"
cp "$work"/runs/train-*/checkpoint.pt "$work/supernet.pt"
for part in splits batches_16 batches_16_running running four_decisions last_decisions trained \
    searches searches_seeds searches_random macro_splits macro_searches; do
  .venv/bin/fewshot grid "$here/$part.toml" --data-dir "$work"
done
rm -rf "$here/runs"
mkdir -p "$here/runs"
for run in "$work"/runs/split-* "$work"/runs/search-*; do
  to="$here/runs/$(basename "$run")"
  mkdir "$to"
  for file in manifest.json status.json tree.json epochs.jsonl; do
    if [ -f "$run/$file" ]; then cp "$run/$file" "$to/"; fi
  done
done
