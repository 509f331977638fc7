#!/bin/bash
# Formatter for bats (--formatter): a progress line a file, failures with their output,
# and at the end "N passed, N failed" alone on a line. A test that was planned and
# never reported counts as failed.
plan=0 passed=0 failed=0 skipped=0
file='' files=0 quiet=1

end_file() {
	[ -z "$file" ] || printf "%-28s %3d passed%s\n" "$file" $((passed - files)) "$bad"
}

while IFS= read -r line; do
	case $line in
	1..*)
		plan=${line#1..} ;;
	'suite '*)
		end_file
		file=${line##*/} files=$passed bad='' quiet=1 ;;
	'begin '*)
		;;
	'not ok '*)
		failed=$((failed + 1)) quiet=0 bad=", some failed"
		printf '%s: %s\n' "$file" "$line" ;;
	'ok '*' # skip'*)
		skipped=$((skipped + 1)) quiet=1
		printf '%s: %s\n' "$file" "${line#ok * }" ;;
	'ok '*)
		passed=$((passed + 1)) quiet=1 ;;
	*)
		[ "$quiet" = 1 ] || printf '%s\n' "$line" ;;
	esac
done
end_file
missing=$((plan - passed - failed - skipped))
if [ "$missing" -gt 0 ]; then
	printf '%d tests were planned and never reported\n' "$missing"
	failed=$((failed + missing))
fi
if [ "$skipped" -gt 0 ]; then
	printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
else
	printf '%d passed, %d failed\n' "$passed" "$failed"
fi
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
