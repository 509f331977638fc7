#!/bin/bash
# What a reader should not have to check: run from anywhere, prints what is wrong.
set -u
cd "$(dirname "$0")/.." || exit 1
bad=0
fail() { printf 'lint: %s\n' "$*"; bad=1; }
shopt -s nullglob

# Both compilers, warnings as errors, in build directories of their own.
for cc in gcc clang; do
	dir=build/lint-$cc
	make -s -j "$(nproc)" CC=$cc B=$dir BIN=$dir/bin CFLAGS='-O2 -g -Werror' all tests ||
	    fail "$cc has warnings"
done

# Text: no blanks at the end of a line, lines of at most 100 columns, tabs to indent.
text=$(git ls-files '*.[ch]' '*.sh' '*.bash' '*.bats' 'man/*' Makefile .ci/run)
for f in $text; do
	grep -nHE '[[:blank:]]+$' "$f" && fail "blanks at the end of a line"
done
for f in $(git ls-files "*.[ch]" "*.sh"); do
	expand -t 8 "$f" | grep -nE "^.{101}" | sed "s|:.*|: over 100 columns|;s|^|$f:|" | grep . && bad=1
done
grep -nE '^ {8}' $(git ls-files '*.[ch]') /dev/null && fail "spaces where a tab belongs"
grep -nwE 'TODO|FIXME|XXX' $(git ls-files lib cmd share contrib man) /dev/null && fail "unfinished work"

# clang-format cannot keep hand-set columns of comments and tables: what is compared is
# the words and the braces, so that spaces and braces are where .clang-format has them.
words() { sed -E 's/^[[:blank:]]*\{$/<brace>/' | tr -s ' \t\n' '\n'; }
for f in $(git ls-files '*.[ch]'); do
	diff <(words <"$f") <(clang-format "$f" | words) >/dev/null ||
	    fail "'$f': not the style of .clang-format"
done

# A header includes only headers to its left in the list.
modules=" $(tr '\n' ' ' <test/headers.txt)"
for h in lib/*.h; do
	own=${h##*/} own=${own%.h}
	case $modules in
	*" $own "*) ;;
	*) fail "'$h' is not in test/headers.txt"; continue ;;
	esac
	left=${modules%%" $own "*}' '
	for inc in $(sed -n 's/^#include "\(.*\)\.h".*/\1/p' "$h"); do
		case $left in
		*" $inc "*) ;;
		*) fail "'$h' includes '$inc.h', which is not to its left in test/headers.txt" ;;
		esac
	done
done

# A command has a page and a test, and at most 300 lines.
for c in cmd/*.c cmd/*.sh; do
	name=${c##*/} name=${name%.*}
	[ -e "man/man1/$name.1" ] || fail "'$name' has no page"
	[ -e "test/${name#viv-}.bats" ] || fail "'$name' has no test"
	[ "$(wc -l <"$c")" -le 300 ] || fail "'$c' is longer than 300 lines"
done

sh=$(git ls-files '*.sh' 'test/*.bash' '.ci/run' 'contrib/completion/*')
# shellcheck disable=SC2086 # lists of names
[ -z "$sh" ] || shellcheck -s bash -e SC2034,SC1091 $(echo "$sh" | xargs grep -lE '^#!/bin/bash|completion' ) \
    $(git ls-files 'test/*.bash') || fail "shellcheck"
posix=$(echo "$sh" | xargs grep -lE '^#!/bin/sh')
# shellcheck disable=SC2086
[ -z "$posix" ] || shellcheck -s sh $posix || fail "shellcheck"

pages=(man/man?/*.[1-9])
if [ ${#pages[@]} -gt 0 ]; then
	mandoc -Tlint -W warning "${pages[@]}" || fail "mandoc"
fi
exit $bad
