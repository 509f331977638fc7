#!/bin/sh
# A small world, a few tasks, and a resident that runs them: contrib/demo.sh [DIR].
# Without DIR it happens in a temporary directory, which is removed at the end.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
[ ! -x "$here/bin/viv-add" ] || PATH=$here/bin:$PATH

if [ $# -gt 0 ]; then
	dir=$1
	mkdir -p "$dir"
else
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	trap 'exit 1' INT TERM
fi
say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n$ %s\n' "$*"; }
run() { say "$*"; "$@"; }

mkdir -p "$dir/tree"
printf '# Notes\nwater the plants\nread the log\n' >"$dir/tree/notes.md"
cd "$dir/tree"
run viv-init --read "$dir/tree" "$dir/world"
export VIV_ROOT="$dir/world"

run viv-add -m local 'cat notes.md'
run viv-add -m local 'rg -n plants .'
run viv-add -m local 'curl http://example.org'
say 'echo {...} | viv-add     # a task that waits for another'
echo '{"id":"after","command":"wc -l notes.md","mode":"local","depends_on":["before"]}
{"id":"before","command":"ls","mode":"local"}' | viv-add
run viv-status

say 'viv-claim -e -r ada | viv-log | viv-guard | viv-cycle -j 2 | viv-log | viv-review | viv-log | viv-release'
viv-claim -e -r ada | viv-log | viv-guard | viv-cycle -j 2 | viv-log | viv-review | viv-log |
    viv-release >/dev/null

run viv-status
run viv-status -o after
say "jq -c '[.seq, .task_id, .status]' world/meta/audit/execution_log.jsonl | tail -n 5"
jq -c '[.seq, .task_id, .status]' "$dir/world/meta/audit/execution_log.jsonl" | tail -n 5
run viv-log -V
run viv-doctor
[ $# -eq 0 ] || printf '\nthe world stays in %s: export VIV_ROOT=%s\n' "$dir/world" "$dir/world"
