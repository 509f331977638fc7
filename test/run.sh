#!/bin/bash
# The suite: test/run.sh [-s] [FILE.bats ...], from anywhere. It builds what it runs; -s
# with the sanitizers. VIV_BIN and VIV_BUILD name any other build, made already. The last
# line of the output is "N passed, N failed"; the status is nonzero when a test failed or
# none ran. A test that takes longer than STUCK_S seconds is killed, and has failed.
set -u
cd "$(dirname "$0")/.." || exit 1
cores=$(nproc)
jobs=${JOBS:-$((3 * cores))}	# tests wait as much as they work

# The files that take longest, which begin first; within a file one test follows the other.
long=(race crash interleave cycle_llm llm jury damage api-cgi share panel)

if [ "${1-}" = -s ]; then
	shift
	san='-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer'
	make -s -j "$cores" CC=clang B=build-asan BIN=bin-asan CFLAGS="$san -U_FORTIFY_SOURCE" \
	    LDFLAGS='-fsanitize=address,undefined' all tests || exit 1
	export VIV_BIN=$PWD/bin-asan VIV_BUILD=$PWD/build-asan VIV_ASAN=1
	export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99
	export UBSAN_OPTIONS=print_stacktrace=1:exitcode=99
elif [ -z "${VIV_BIN-}" ]; then
	make -s -j "$cores" all tests || exit 1
fi
if [ $# -eq 0 ]; then
	set -- "${long[@]/%/.bats}"
	set -- "${@/#/test/}"
	for f in test/*.bats; do
		[[ " $* " = *" $f "* ]] || set -- "$@" "$f"
	done
fi
side_by_side=(--jobs "$jobs" --no-parallelize-within-files)
[ $# -gt 1 ] || side_by_side=(--jobs "$jobs" --no-parallelize-across-files)
[ "$jobs" -gt 1 ] || side_by_side=()
test/stuck.sh $$ "${STUCK_S:-300}" &
exec bats "${side_by_side[@]}" --formatter "$PWD/test/format.sh" "$@"
