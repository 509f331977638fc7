#!/bin/bash
# Each fuzzer of test/fuzz for some seconds: test/fuzz.sh [SECONDS]. The corpus stays in
# build-fuzz/corpus; a crash leaves its input there and ends with a nonzero status.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-20}
make -s -j "$(nproc)" CC=clang B=build-fuzz BIN=bin-fuzz \
    CFLAGS='-O1 -g -U_FORTIFY_SOURCE -fsanitize=fuzzer-no-link,address,undefined' \
    LDFLAGS='-fsanitize=fuzzer,address,undefined' fuzzers
for f in test/fuzz/*.c; do
	name=$(basename "$f" .c)
	corpus=build-fuzz/corpus/$name
	mkdir -p "$corpus"
	log=build-fuzz/$name.log
	if ! "build-fuzz/test/fuzz/$name" -max_total_time="$seconds" -max_len=4096 \
	    -artifact_prefix="build-fuzz/$name-" -print_final_stats=1 "$corpus" >"$log" 2>&1; then
		tail -n 40 "$log"
		exit 1
	fi
	echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs in $seconds s"
done
