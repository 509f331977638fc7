#!/bin/sh
# viv VERB ARGS runs viv-VERB ARGS: the program beside this one, else the one in PATH.
# What exists is asked of the directories each time; there is no list to keep.
usage='usage: viv [-h] [--version] [-C DIR] VERB [ARG ...]'
here=$(dirname "$(readlink -f "$0")")

die() {
	code=$1
	shift
	printf 'viv: %s\n' "$*" | tr '\000-\011\013-\037\177' '?' >&2
	exit "$code"
}

# Page of a command or of a word such as vivarium: beside the build tree or the installation.
page() {
	for file in "$here/../share/man/man"?/"$1".[157] "$here/../man/man"?/"$1".[157]; do
		[ -r "$file" ] && printf '%s\n' "$file" && return
	done
	return 1
}

# Names of all commands, each once.
commands() {
	(
		IFS=:
		for dir in $here $PATH; do
			for file in "$dir"/viv-*; do
				[ -x "$file" ] && [ -f "$file" ] && printf '%s\n' "${file##*/}"
			done
		done
	) | sort -u
}

list() {
	printf '%s\n\n' "$usage"
	commands | while read -r name; do
		text=
		file=$(page "$name") && text=$(sed -n 's/^\.Nd //p' "$file")
		printf '  %-10s %s\n' "${name#viv-}" "$text"
	done
	printf '\n%s\n' "'viv help VERB' opens the page of a verb; vivarium(7) is the map"
}

help() {
	[ $# -gt 0 ] || { list; return; }
	name=$1
	file=$(page "viv-$name") || file=$(page "$name") || die 1 "no page about '$name'"
	if [ -t 1 ] && command -v man >/dev/null; then
		exec man -l "$file"
	elif command -v mandoc >/dev/null; then
		exec mandoc "$file"
	fi
	exec man "$file"
}

while [ $# -gt 0 ]; do
	case $1 in
	-C | --world)
		[ $# -gt 1 ] || { echo "$usage" >&2; exit 2; }
		export VIV_ROOT="$2"
		shift 2 ;;
	-h | --help) printf '%s\n' "$usage"; exit ;;
	--version) printf 'viv %s\n' "$("$here/viv-add" --version | cut -d' ' -f2)"; exit ;;
	-*) printf "viv: unknown option '%s'\n%s\n" "$1" "$usage" >&2; exit 2 ;;
	*) break ;;
	esac
done
[ $# -gt 0 ] || { list >&2; exit 2; }
verb=$1
shift
[ "$verb" != help ] || { help "$@"; exit; }
case $verb in
*/*) die 127 "no command '$verb': see 'viv help'" ;;
esac
[ -x "$here/viv-$verb" ] && exec "$here/viv-$verb" "$@"
command -v "viv-$verb" >/dev/null || die 127 "no command '$verb': see 'viv help'"
exec "viv-$verb" "$@"
