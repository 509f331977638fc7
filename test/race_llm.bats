load helper
load storm

# Residents whose model is killed again and again, and residents that are.

setup() {
	mkdir -p "$BATS_TEST_TMPDIR/tree" "$BATS_TEST_TMPDIR/pids"
	cd "$BATS_TEST_TMPDIR/tree" || return 1
	make_world
	export VIV_T=$BATS_TEST_TMPDIR VIV_LLM=$BATS_TEST_TMPDIR/llm
	cat >"$VIV_LLM" <<-'X'
	#!/bin/sh
	echo $$ >"$VIV_T/pids/$$"
	while read -r line; do
		sleep 0.01
		printf '%s\n' "$line" | jq -c 'select(.cancel == null) | .result = {status:"completed", text:"so \(.id)"}'
	done
	rm "$VIV_T/pids/$$"
	X
	chmod +x "$VIV_LLM"
}

teardown() {
	touch "$BATS_TEST_TMPDIR/calm"
	for p in $(stage_pids) $(cat "$BATS_TEST_TMPDIR"/pids/* 2>/dev/null); do kill -KILL "$p" 2>/dev/null; done
	wait 2>/dev/null || :
}

prompts() {
	local i
	for ((i = 1; i <= $1; i++)); do printf '{"id":"q%d","prompt":"think of %d","max_attempts":1000}\n' "$i" "$i"; done |
	    viv-add -q >/dev/null
}

# Kill a random one of the programs that run, 20 times: who was killed often waits long.
killer() {
	local f
	while [ ! -e "$BATS_TEST_TMPDIR/calm" ] && [ "$(cat "$VIV_T/kills" 2>/dev/null | wc -l)" -lt 20 ]; do
		f=$(find "$VIV_T/pids" -type f | shuf -n 1)
		[ -z "$f" ] || { kill -KILL "$(cat "$f")" && echo x >>"$VIV_T/kills"; rm -f "$f"; } 2>/dev/null
		sleep 0.1
	done
}

all_approved() { [ "$(viv-log -s approved | wc -l)" -ge "$1" ]; }

programs_gone() {
	local f
	for f in "$VIV_T"/pids/*; do
		[ ! -e "$f" ] || ! kill -0 "$(cat "$f")" 2>/dev/null || return 1
	done
}

@test "race: 4 residents get 80 prompts answered and approved exactly once, while their model is killed" {
	local n=80 i
	[ -z "${VIV_ASAN-}" ] || n=30
	prompts $n
	killer 3>&- &
	for i in 1 2 3 4; do (until all_approved $n; do viv-resident -e -j 2 -r "r$i" || :; done) 2>>talk 3>&- & pids+=($!); done
	wait "${pids[@]}"
	touch "$BATS_TEST_TMPDIR/calm"
	wait
	each_done_once $n
	[ "$(wc -l <"$VIV_T/kills")" -gt 2 ]
	[ "$(viv-log -s requeue | jq -r 'select(.error_code == "died") | .task_id' | wc -l)" -gt 1 ]
	[ "$(viv-status -o q7)" = 'so q7' ]
	for ((i = 1; i <= n; i++)); do [ "$(viv-log -t q$i -s approved | jq -r .result_summary)" = "so q$i" ] || return 1; done
	wait_until programs_gone
}

@test "race: killed residents leave no prompt unanswered and no program behind" {
	local n=60 i
	[ -z "${VIV_ASAN-}" ] || n=20
	prompts $n
	restless r1 r2 r3
	"$BUILD/test/storm" "$W" 5 >storm 3>&-
	for i in $(seq 30); do
		all_approved $n && break
		viv-resident -e -r last -l 1 2>>talk || :
		sleep 0.5
	done
	touch "$BATS_TEST_TMPDIR/calm"
	for i in 1 2 3 4 5 6; do viv-resident -e -r last 2>>talk; done
	wait_until each_done_once $n
	[[ $(cat storm) =~ kills\ ([0-9]+) ]]
	[ "${BASH_REMATCH[1]}" -gt 10 ]
	wait
	wait_until programs_gone
}
