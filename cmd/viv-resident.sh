#!/bin/sh
# viv-resident: a resident is this pipeline. Everything else here is options and exits.
#
# sh has no pipefail, so each stage that fails leaves its name and status in a file of
# its own; the first one in the order of the pipeline is the resident's exit status.
set -u
usage='viv-resident [-eh] [-r NAME] [-i IDENTITY] [-j JOBS] [-c COUNT] [-l LEASE] [-s PACE] [-m MODE] [-T TAG] [-C WORLD] [--no-split]'
jobs=1 name=resident_$(od -An -N4 -tx1 /dev/urandom | tr -d ' \n') ends=-f
set_identity='' set_count='' set_lease='' set_mode='' set_tag='' split=''

die() { printf 'viv-resident: %s\nusage: %s\n' "$1" "$usage" >&2; exit 2; }
need() { [ "$1" -ge 2 ] || die "option '$2' needs an argument"; }
while [ $# -gt 0 ]; do
	case $1 in
	-h | --help) printf 'usage: %s\n' "$usage"; exit 0 ;;
	--version) viv-claim --version | sed 's/viv-claim/viv-resident/'; exit 0 ;;
	-e | --until-empty) ends=-e ;;
	-r | --resident) need $# "$1"; name=$2; shift ;;
	-i | --identity) need $# "$1"; set_identity=$2; shift ;;
	-j | --jobs) need $# "$1"; jobs=$2; shift ;;
	-c | --count) need $# "$1"; set_count=$2; shift ;;
	-l | --lease) need $# "$1"; set_lease=$2; shift ;;
	-s | --pace) need $# "$1"; viv-halt pace "$2" || exit; shift ;;
	-m | --mode) need $# "$1"; set_mode=$2; shift ;;
	-T | --tag) need $# "$1"; set_tag=$2; shift ;;
	--no-split) split=-g ;;
	-C | --world) need $# "$1"; VIV_ROOT=$2; export VIV_ROOT; shift ;;
	-?*[!-]*) die "unknown option '$1'" ;;
	*) die "unexpected argument '$1'" ;;
	esac
	shift
done
case $jobs in '' | *[!0-9]* | 0*) die "-j wants a number from 1 on, not '$jobs'" ;; esac
llm=${VIV_LLM:-viv-llm}
if [ "$set_mode" = any ]; then
	set_mode=''
elif [ "${set_mode:-llm}" = llm ] && ! command -v "$llm" >/dev/null 2>&1; then
	[ "$set_mode$llm" = viv-llm ] || echo "viv-resident: cannot find '$llm'" >&2
	[ -z "$set_mode" ] || exit 78
	set_mode=local
fi

VIV_RESIDENT=$name
export VIV_RESIDENT

# A signal to this script alone is passed on to the two stages that act on it; when it
# went to the whole group, they hear it twice. The pipeline ends by itself then.
pass_on() {
	while [ ! -s "$state/pid.1" ] || [ ! -s "$state/pid.6" ]; do sleep 1; done
	kill -TERM "$(cat "$state/pid.1")" "$(cat "$state/pid.6")" 2>/dev/null
}
state=$(mktemp -d) || exit 73
trap 'rm -rf "$state"' EXIT
trap pass_on INT TERM HUP

stage() {
	number=$1
	shift
	trap : INT TERM HUP
	# shellcheck disable=SC2016 # expanded by the shell that becomes the stage
	sh -c 'echo $$ >"$0"; exec "$@"' "$state/pid.$number" "$@"
	status=$?
	[ $status -eq 0 ] || printf '%s %s\n' "$status" "$1" >"$state/failed.$number"
}

stage 1 viv-claim $ends -w $((2 * jobs)) -r "$name" ${set_identity:+-i "$set_identity"} \
	${set_count:+-c "$set_count"} ${set_lease:+-l "$set_lease"} ${set_mode:+-m "$set_mode"} \
	${set_tag:+-T "$set_tag"} |
	stage 2 viv-log | stage 3 viv-guard | stage 4 viv-split $split |
	stage 5 viv-context | stage 6 viv-cycle -j "$jobs" | stage 7 viv-log |
	stage 8 viv-review | stage 9 viv-log | stage A viv-share | stage B viv-release >/dev/null &
until wait; do :; done

for f in "$state"/failed.*; do
	[ -e "$f" ] || exit 0
	read -r status stage <"$f"
	[ "$status" -eq 141 ] || printf 'viv-resident: %s ended with %s\n' "$stage" "$status" >&2
	exit "$status"
done
