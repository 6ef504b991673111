# shellcheck shell=bash
# Sourced by run and profile: a copy of the benchmark harness, to which this suite's target is added.

# use_harness FOLDER: builds the programs and copies FOLDER to build/bench/harness. Sets $copy, $BENCH_WORK, and what
# post_office.sh reads. $source is this project's folder.
# shellcheck disable=SC2154 # of the sourcing script
use_harness() {
  if ! [ -f "$1/run.sh" ] || ! [ -d "$1/targets" ]; then
    echo "$1: not the benchmark harness" >&2
    exit 64
  fi
  [ "$(id -u)" -eq 0 ] || { echo "needs root: the harness uses namespaces of its own" >&2; exit 77; }
  export PO_SOURCE=$source PO_BUILD=${PO_BUILD:-$source/build}
  make -s -C "$source" programs

  copy=$source/build/bench/harness
  rm -rf "$copy"
  mkdir -p "$copy"
  cp -R "$1/." "$copy/"
  chmod -R u+w "$copy"
  cp "$source/tests/bench/post_office.sh" "$copy/targets/"

  export BENCH_WORK=${BENCH_WORK:-$source/build/bench/work}
  mkdir -p "$BENCH_WORK"
  # Folders above it that others may not enter would keep the servers' own users from their files.
  local folder=$BENCH_WORK
  while [ "$folder" != / ]; do
    [ $((0$(stat -c %a "$folder") & 1)) -eq 1 ] || { echo "$folder: mode keeps others out; choose another BENCH_WORK" >&2; exit 78; }
    folder=$(dirname "$folder")
  done
}
