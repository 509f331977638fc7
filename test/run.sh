#!/bin/bash
# The suite: test/run.sh [-s] [FILE.bats ...]. -s builds and uses the sanitizers'
# binaries (VIV_BIN and VIV_BUILD name any other build). The last line of the output is
# "N passed, N failed"; the status is nonzero when a test failed or none ran.
set -u
cd "$(dirname "$0")/.." || exit 1
jobs=${JOBS:-$((2 * $(nproc)))}	# tests wait more than they work

if [ "${1-}" = -s ]; then
	shift
	san='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer'
	make -s -j "$jobs" CC=clang B=build-asan BIN=bin-asan CFLAGS="$san -U_FORTIFY_SOURCE" \
	    LDFLAGS='-fsanitize=address,undefined' all tests || exit 1
	export VIV_BIN=$PWD/bin-asan VIV_BUILD=$PWD/build-asan VIV_ASAN=1
	export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99
	export UBSAN_OPTIONS=print_stacktrace=1:exitcode=99
fi
[ $# -gt 0 ] || set -- test/*.bats
exec bats --jobs "$jobs" --formatter "$PWD/test/format.sh" "$@"
