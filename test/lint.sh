#!/bin/bash
# What a reader should not have to check: run from anywhere, prints what is wrong.
set -u
cd "$(dirname "$0")/.." || exit 1
bad=0
fail() { printf 'lint: %s\n' "$*"; bad=1; }
shopt -s nullglob
mapfile -t c < <(git ls-files '*.[ch]')
mapfile -t scripts < <(git ls-files '*.sh' 'test/*.bash' .ci/run contrib/completion)
mapfile -t words < <(git ls-files lib cmd share contrib man test .ci Makefile)
pages=(man/man?/*.[1-9])

# Both compilers, warnings as errors, in build directories of their own. Only gcc's depend
# on what its optimizer sees.
compile() { make -s -j "$(nproc)" CC="$1" B=build/lint-"$1" BIN=build/lint-"$1"/bin "${@:2}" all tests; }
compile gcc CFLAGS='-O2 -g0 -Werror' || fail "gcc has warnings"
compile clang HARD= CFLAGS='-O0 -g0 -Werror' || fail "clang has warnings"

# Text: no blanks at the end of a line, tabs to indent, C in at most 100 columns.
grep -nHE '[[:blank:]]+$' "${words[@]}" && fail "blanks at the end of a line"
grep -nHE '^ {8}' "${c[@]}" && fail "spaces where a tab belongs"
grep -nHwE '(/\*|//|^[[:blank:]]*[*#]).*(TO''DO|FIX''ME)' "${c[@]}" "${scripts[@]}" && fail "unfinished work"
for f in lib/*.[ch] cmd/*.c; do
	expand -t 8 "$f" | grep -nE '^.{101}' | sed "s|:.*|: over 100 columns|;s|^|$f:|" | grep . && bad=1
done

# clang-format cannot keep hand-set columns of comments and tables: what is compared is
# the words and the braces, so that spaces and braces are where .clang-format has them.
split() { sed -E 's:[[:blank:]]*\\$::; s:^\{$:<brace>:' | tr -s ' \t\n' '\n'; }
for f in "${c[@]}"; do
	diff <(split <"$f") <(clang-format "$f" | split) | grep '^[<>]' &&
	    fail "'$f': not the style of .clang-format (above: ours <, its >)"
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
	while read -r inc; do
		case $left in
		*" $inc "*) ;;
		*) fail "'$h' includes '$inc.h', which is not to its left in test/headers.txt" ;;
		esac
	done < <(sed -n 's/^#include "\(.*\)\.h".*/\1/p' "$h")
done

# A command has a page and a test, and at most 400 lines.
for f in cmd/*.c cmd/*.sh; do
	name=${f##*/} name=${name%.*}
	[ -e "man/man1/$name.1" ] || fail "'$name' has no page"
	[ -e "test/${name#viv-}.bats" ] || fail "'$name' has no test"
	[ "$(wc -l <"$f")" -le 400 ] || fail "'$f' is longer than 400 lines"
done

# SC1091: sourced files are checked by themselves; SC2034, SC212x: for who sources them.
for f in "${scripts[@]}"; do
	shell=bash
	head -n 1 "$f" | grep -q '^#!/bin/sh' && shell="sh"
	shellcheck -s $shell -e SC1091,SC2034,SC2119,SC2120 "$f" || fail "shellcheck"
done
[ ${#pages[@]} -eq 0 ] || mandoc -Tlint -W warning "${pages[@]}" || fail "mandoc"
exit $bad
