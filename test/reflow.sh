#!/bin/bash
# Break the lines of C that are over 100 columns, and only those, as .clang-format would.
set -eu
cd "$(dirname "$0")/.."
style=$(mktemp)
trap 'rm -f "$style"' EXIT
sed 's/^ColumnLimit: .*/ColumnLimit: 100/;s/^\(PenaltyBreakBeforeFirstCallParameter\): .*/\1: 1000000/' \
    .clang-format >"$style"
for f in lib/*.[ch] cmd/*.c; do
	mapfile -t lines < <(expand -t 8 "$f" | sed -n '/^.\{101\}/=' | sed 's/.*/--lines=&:&/')
	[ ${#lines[@]} -eq 0 ] || clang-format -i --style="file:$style" "${lines[@]}" "$f"
done
