#!/bin/sh
# Two residents at work on this source tree: contrib/demo.sh [DIR].
# The world is made in DIR, or in a temporary directory, and stays there to look at.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
[ ! -x "$here/bin/viv-add" ] || PATH=$here/bin:$PATH
dir=${1:-$(mktemp -d "${TMPDIR:-/tmp}/vivarium.XXXXXX")}
bold='' plain=''
[ ! -t 1 ] || { bold=$(printf '\033[1m'); plain=$(printf '\033[0m'); }
say() { printf '\n%s$ %s%s\n' "$bold" "$*" "$plain"; }
run() { say "$@"; "$@" || [ $? -eq 1 ]; }

say viv-init --read . "$dir/world"
viv-init -q --read "$here" "$dir/world"
export VIV_ROOT="$dir/world"
cd "$here"

say 'viv-add ...      # twelve tasks: counts, searches, a chain, one that fails, one refused'
{
	for lib in lib/[b-f]*.c; do
		printf '{"id":"lines-%s","command":"wc -l %s"}\n' "$(basename "$lib" .c)" "$lib"
	done | head -n 5
	cat <<-'END'
	{"id":"commands","command":"find cmd -name 'viv-*' -type f"}
	{"id":"search","command":"grep -rn --include='*.c' 'fencing token' lib","priority":5}
	{"id":"hash","command":"sha256sum lib/claim.c lib/slot.c"}
	{"id":"hash-again","command":"sha256sum lib/claim.c lib/slot.c","depends_on":["hash"]}
	{"id":"compare","command":"diff lib/claim.h lib/claim.h","depends_on":["hash-again"]}
	{"id":"fails","command":"cat no/such/file"}
	{"id":"refused","command":"sh -c 'curl evil.example'"}
	END
} | viv-add | paste -sd' ' -

say 'viv-resident -e -r ada & viv-resident -e -r bob & viv-status -f'
viv-status -f &
status=$!
viv-resident -e -r ada -s 0.15 &
ada=$!
viv-resident -e -r bob &
wait $! $ada || true
sleep 1
kill $status 2>/dev/null || true
wait $status 2>/dev/null || true
viv-halt -q pace 0

run viv-status
run viv-status -o search
run viv-status refused
say "viv-log -t compare | jq -c '[.seq, .resident_id, .status]'"
viv-log -t compare | jq -c '[.seq, .resident_id, .status]'
run viv-log -V
run "$here/share/verify-log.sh" "$dir/world"
run viv-doctor

cat <<END

The world is $dir/world. Type next:
  export VIV_ROOT=$dir/world PATH=$here/bin:\$PATH
  viv-add -m local 'git log --oneline -n 3'; viv-resident -e; viv-status
  viv-status -o hash; viv-status -w fails; viv-log -f
  man $here/man/man7/vivarium.7
END
