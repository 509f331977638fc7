# viv-tidy: what is finished leaves the board, what is over leaves the disk, and nothing
# that anybody needs is lost.

load helper
load crash

board() { jq -r '.tasks[].id' "$W/world/mutable/queue.json" | paste -sd' ' -; }
archive() { jq -r .id "$W/world/mutable/queue_archive.jsonl" | paste -sd' ' -; }
sum() { find "$W" \( -type f -exec sha256sum {} + \) -o -type d -print | sort; }

# Post tasks $2.. and end each with status $1, as generation 1.
ended() {
	local status=$1 id
	shift
	for id in "$@"; do
		viv-add -q -i "$id" -m local true >/dev/null
	done
	timeout 20 viv-claim -c $# -r r | viv-log | jq -c --arg s "$status" 'del(.committed) | .status = $s' |
	    viv-log | viv-release >/dev/null
}

@test "tidy: usage, arguments and numbers are checked" {
	run viv-tidy -h
	[ "$status" -eq 0 ]
	for bad in -x '-o x' '-s -1' '-k x' '-a 0' extra; do
		# shellcheck disable=SC2086
		run viv-tidy $bad
		[ "$status" -eq 2 ]
	done
}

@test "tidy: a fresh world is left as it is" {
	sum | grep -v '/\.cache' > before
	run viv-tidy -o 0
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	sum | grep -v '/\.cache' | diff before -
}

@test "tidy: finished tasks move to the archive as they were posted" {
	ended approved a b
	ended failed c
	viv-add -q -i d -m local true >/dev/null
	jq -c '.tasks[]' "$W/world/mutable/queue.json" | head -3 > posted
	run viv-tidy -o 0
	[ "$status" -eq 0 ]
	[ "$output" = $'archived done a\narchived done b\narchived failed c' ]
	[ "$(board)" = d ]
	diff posted "$W/world/mutable/queue_archive.jsonl"
	[ "$(jq -c '[.completed, .failed, .completed_count, .failed_count]' "$W/world/mutable/queue.json")" = '[["a","b"],["c"],2,1]' ]
	ended approved e	# posted behind d, so it is d that is claimed
	viv-tidy -q -o 0
	[ "$(jq -c '[.completed, .completed_count]' "$W/world/mutable/queue.json")" = '[["a","b","d"],3]' ]
	[ "$(board)" = e ]
}

@test "tidy: unfinished, requeued and waiting tasks stay" {
	ended requeue again
	viv-add -q -i waits -m local true >/dev/null
	run viv-tidy -o 0
	[ -z "$output" ]
	[ "$(board)" = "again waits" ]
}

@test "tidy: what was finished less than a day ago stays, unless -o says otherwise" {
	VIV_NOW=2026-01-01T00:00:00Z ended approved a
	VIV_NOW=2026-01-01T23:59:59Z viv-tidy
	[ "$(board)" = a ]
	VIV_NOW=2026-01-01T00:00:10Z viv-tidy -o 11
	[ "$(board)" = a ]
	VIV_NOW=2026-01-02T00:00:01Z viv-tidy
	[ -z "$(board)" ]
}

@test "tidy: -k keeps the tasks finished last" {
	VIV_NOW=2026-01-01T00:00:01Z ended approved a
	VIV_NOW=2026-01-01T00:00:03Z ended approved b
	VIV_NOW=2026-01-01T00:00:02Z ended approved c
	viv-tidy -q -k 1
	[ "$(board)" = b ]
}

@test "tidy: -n prints the same and changes no byte" {
	ended approved a b
	mkdir -p "$W/world/mutable/work/a.1" "$W/world/mutable/.cache/seen/h"
	echo x > "$W/world/mutable/.cache/seen/h/a"
	touch "$W/world/mutable/.queue.json.tmp.0123456789abcdef"
	sum > before
	VIV_NOW=2099-01-01T00:00:00Z viv-tidy -n -s 1 > said
	sum | diff before -
	VIV_NOW=2099-01-01T00:00:00Z viv-tidy -s 1 | diff said -
	[ "$(wc -l < said)" -eq 6 ]
}

@test "tidy: every byte of the tasks that stay is kept" {
	ended approved a
	cat > "$W/world/mutable/queue.json" <<'J'
{"version" : "1.1", "note":"mine",
 "tasks":[ {"id":"keep1",  "prompt":"two  blanks, a [ and a ,"}
   , {"id":"a","command":"true",
	"mode":"local"},
   {"id":"keep2","n":1e3,"big":12345678901234567890, "prompt":"\u00e9"} ,"no task"
 ], "completed":["old"],"mine":{"tasks":[1]} }
J
	viv-tidy -q -o 0
	cat > want <<'J'
{"version" : "1.1", "note":"mine",
 "tasks":[ {"id":"keep1",  "prompt":"two  blanks, a [ and a ,"}
   ,
   {"id":"keep2","n":1e3,"big":12345678901234567890, "prompt":"\u00e9"} ,"no task"
 ], "completed":["old","a"],"mine":{"tasks":[1]},
  "failed": [],
  "completed_count": 2,
  "failed_count": 0 }
J
	diff want "$W/world/mutable/queue.json"
	[ "$(cat "$W/world/mutable/queue_archive.jsonl")" = '{"id":"a","command":"true","mode":"local"}' ]
}

@test "tidy: the last item leaves, and the list still ends as it did" {
	ended approved a
	printf '{"tasks": [\n  {"id":"k"},\n  {"id":"a"}\n]}\n' > "$W/world/mutable/queue.json"
	viv-tidy -q -o 0
	[ "$(head -3 "$W/world/mutable/queue.json")" = $'{"tasks": [\n  {"id":"k"}\n],' ]
}

@test "tidy: a task that depends on an archived one still runs" {
	ended approved a
	viv-add -q -i b -m local -d a true >/dev/null
	viv-tidy -q -o 0
	[ "$(board)" = b ]
	[ "$(timeout 20 viv-claim -c 1 -r r | jq -r .id)" = b ]
}

@test "tidy: an archived id is not posted again" {
	ended approved a
	viv-tidy -q -o 0
	run viv-add -i a -m local true
	[ "$status" -ne 0 ]
	[ -z "$(board)" ]
}

@test "tidy: an archived task that failed can be revived, and is archived again when it has ended" {
	ended failed a
	viv-tidy -q -o 0
	[ -z "$(board)" ]
	run viv-add -n -k a
	[ "$status" -eq 0 ]
	[ -z "$(board)" ]
	run viv-add -k a
	[ "$status" -eq 0 ]
	[ "$output" = a ]
	[ "$(jq -c '.tasks' "$W/world/mutable/queue.json")" = "$(jq -sc . "$W/world/mutable/queue_archive.jsonl")" ]
	[ "$(timeout 20 viv-claim -c 1 -r r | viv-log | viv-cycle | viv-log | viv-review | viv-log | viv-release | jq -r .status)" = approved ]
	viv-tidy -q -o 0
	[ "$(archive)" = 'a a' ]
	run viv-add -k a
	[ "$status" -eq 1 ]
}

@test "tidy: a board of 5,000 tasks loses the 4,990 that are finished" {
	seq 5000 | jq -c '{id: "t\(.)", mode: "local", command: "true"}' | viv-add -q >/dev/null
	timeout 60 viv-claim -c 4990 -r r | viv-log | jq -c 'del(.committed) | .status = "approved"' | viv-log |
	    viv-release > /dev/null
	viv-tidy -q -o 0
	[ "$(jq '.tasks | length' "$W/world/mutable/queue.json")" -eq 10 ]
	[ "$(sort -u "$W/world/mutable/queue_archive.jsonl" | wc -l)" -eq 4990 ]
	[ "$(jq -c '[(.completed | length), .completed_count, .completed[999]]' "$W/world/mutable/queue.json")" = '[1000,4990,"t4990"]' ]
	viv-doctor
}

# --- files ---

@test "tidy: scratch directories go when their attempt has ended, not before" {
	ended approved a
	viv-add -q -i b -m local true >/dev/null
	timeout 20 viv-claim -c 1 -r r | viv-log >/dev/null
	mkdir -p "$W/world/mutable/work/"{a.1,a.2,b.1,unknown.1,other}
	echo x > "$W/world/mutable/work/a.1/file"
	run viv-tidy -o 0
	[[ $output == *"removed world/mutable/work/a.1"* ]]
	[ "$(cd "$W/world/mutable/work" && echo *)" = "a.2 b.1 other unknown.1" ]
}

@test "tidy: scratch of a result that somebody thinks about stays" {
	viv-add -q -i a -m local true >/dev/null
	timeout 20 viv-claim -c 1 -r r | viv-log |
	    jq -c 'del(.committed) | .status = "pending_review" | .events = [{status: "pending_review", final: true}]' |
	    viv-log | viv-release >/dev/null
	mkdir -p "$W/world/mutable/work/a.1"
	viv-tidy -q -o 0
	[ -d "$W/world/mutable/work/a.1" ]
	[ "$(board)" = a ]
}

@test "tidy: temporary files go after 36 hours" {
	ended approved a
	for d in world/mutable world/mutable/task_locks meta/audit; do
		touch -d 2000-01-01 "$W/$d/.x.tmp.0123456789abcdef" "$W/$d/.not-a-temp"
	done
	viv-tidy -q
	[ -e "$W/meta/audit/.x.tmp.0123456789abcdef" ]	# ctime counts: it was made just now
	VIV_NOW=$(date -u -d '+35 hours' +%FT%TZ) viv-tidy -q
	[ -e "$W/meta/audit/.x.tmp.0123456789abcdef" ]
	VIV_NOW=$(date -u -d '+37 hours' +%FT%TZ) viv-tidy -q
	[ -z "$(find "$W" -name '.x.tmp.*')" ]
	[ "$(find "$W" -name .not-a-temp | wc -l)" -eq 3 ]
}

@test "tidy: a live claim and its observation stay, others' observations go" {
	viv-add -q -i a -m local true >/dev/null
	timeout 20 viv-claim -c 1 -r r | viv-log >/dev/null
	mkdir -p "$W/world/mutable/.cache/seen/host"
	touch "$W/world/mutable/.cache/seen/host/"{a,b}
	viv-tidy -q -o 0
	[ -e "$W/world/mutable/task_locks/a.lock" ]
	[ -e "$W/world/mutable/.cache/seen/host/a" ]
	[ ! -e "$W/world/mutable/.cache/seen/host/b" ]
}

@test "tidy: chains of a shared world go when the log knows the end" {
	rm -rf "$W"
	make_world --shared
	ended approved a
	viv-add -q -i b -m local true >/dev/null
	timeout 20 viv-claim -c 1 -r r | viv-log >/dev/null
	[ "$(cd "$W/world/mutable/task_locks" && echo *)" = "a.lock a.lock.2 b.lock" ]
	run viv-tidy -o 0
	[ "$(cd "$W/world/mutable/task_locks" && echo *)" = b.lock ]
	[[ $output == *"removed world/mutable/task_locks/a.lock.2"*"archived done a"* ]]
}

@test "tidy: a chain whose event is not in the log stays, and so does its task" {
	rm -rf "$W"
	make_world --shared
	ended approved a
	log=$(echo "$W"/meta/audit/execution_log.*.jsonl)
	sed -i '$d' "$log"
	viv-tidy -q -o 0
	[ "$(cd "$W/world/mutable/task_locks" && echo *)" = "a.lock a.lock.2" ]
	[ "$(board)" = a ]
}

# --- the log ---

@test "tidy: the log is rotated by size and by age, and the chain goes on" {
	ended approved a
	viv-tidy -q
	[ ! -e "$W/meta/audit/execution_log.1.jsonl" ]
	run viv-tidy -s 100
	[[ $output == "rotated meta/audit/execution_log.jsonl" ]]
	ended approved b
	VIV_NOW=$(date -u -d '+20 hours' +%FT%TZ) viv-tidy -q -a 1
	[ ! -e "$W/meta/audit/execution_log.2.jsonl" ]
	VIV_NOW=$(date -u -d '+30 hours' +%FT%TZ) viv-tidy -q -a 1
	[ -e "$W/meta/audit/execution_log.2.jsonl" ]
	ended approved c
	viv-log -V
	[ "$(sh "$REPO/share/verify-log.sh" "$W")" = ok ]
}

@test "tidy: the audit of the guard is rotated beside those who write it, and no verdict is lost" {
	echo '{"id":"x","prompt":"hello"}' | viv-guard >/dev/null
	run viv-tidy -n -s 10
	[[ $output == *"rotated meta/audit/safety_audit.log"* ]]
	[ -e "$W/meta/audit/safety_audit.log" ]
	seq 300 | jq -c --unbuffered '{id: "t\(.)", prompt: "hello"}' | viv-guard >/dev/null &
	guard=$!
	while kill -0 "$guard" 2>/dev/null; do
		timeout 20 viv-tidy -q -s 1k
	done
	wait "$guard"
	[ "$(cat "$W"/meta/audit/safety_audit*.log | jq -r .task_id | sort -u | wc -l)" -eq 301 ]
	[ "$(cat "$W"/meta/audit/safety_audit*.log | wc -l)" -eq 301 ]
	[ -e "$W/meta/audit/safety_audit.1.log" ]
}

# --- beside others ---

@test "tidy: beside a running drain nothing is lost and nothing runs twice" {
	seq 200 | jq -c '{id: "t\(.)", mode: "local", command: "true"}' | viv-add -q >/dev/null
	timeout 60 viv-claim -e -w 3 -r r | viv-log | jq -c --unbuffered 'del(.committed) | .status = "approved"' |
	    viv-log | viv-release >/dev/null &
	drain=$!
	while kill -0 "$drain" 2>/dev/null; do
		timeout 20 viv-tidy -q -o 0 -s 10k
	done
	wait "$drain"
	viv-tidy -q -o 0
	[ -z "$(board)" ]
	[ "$(archive | tr ' ' '\n' | sort -u | wc -l)" -eq 200 ]
	[ "$(cat "$W"/meta/audit/execution_log*.jsonl | jq -r 'select(.status == "in_progress") | .task_id' | sort | uniq -d | wc -l)" -eq 0 ]
	[ "$(cat "$W"/meta/audit/execution_log*.jsonl | jq -r 'select(.status == "approved") | .task_id' | sort -u | wc -l)" -eq 200 ]
	[ -z "$(ls "$W/world/mutable/task_locks")" ]
	viv-log -V
}

# Each of the three is on the board or in the archive, and the next run completes.
nothing_lost() {
	local all
	all=$( { board | tr ' ' '\n'; [ ! -e "$W/world/mutable/queue_archive.jsonl" ] || jq -R 'fromjson? | .id' -r \
	    "$W/world/mutable/queue_archive.jsonl"; } | sort -u | paste -sd' ' -)
	[ "${all# }" = "a b c" ] || { echo "left: $all"; return 1; }
	viv-tidy -q -o 0 || return 1
	[ "$(board)" = c ] || return 1
	[ "$(jq -R 'fromjson? | .id' -r "$W/world/mutable/queue_archive.jsonl" | sort -u | paste -sd' ' -)" = "a b" ] ||
	    return 1
	[ "$(jq -c .completed_count "$W/world/mutable/queue.json")" = 2 ]
}

@test "tidy: killed at any call it loses nothing, and the next run completes" {
	ended approved a b
	viv-add -q -i c -m local true >/dev/null
	mkdir -p "$W/world/mutable/work/a.1"
	prepare
	crash_points nothing_lost viv-tidy -o 0 -s 1
	[ "$POINTS" -ge 10 ]
}

@test "tidy: on a full disk it loses nothing and says so" {
	ended approved a b
	viv-add -q -i c -m local true >/dev/null
	prepare
	fault_points ENOSPC nothing_lost viv-tidy -o 0
}

@test "tidy: a damaged board is left alone" {
	ended approved a
	echo '{"tasks": [' > "$W/world/mutable/queue.json"
	run viv-tidy -o 0
	[ "$status" -eq 78 ]
	[ "$(cat "$W/world/mutable/queue.json")" = '{"tasks": [' ]
}

@test "tidy: lost output is an error" {
	ended approved a
	run sh -c 'viv-tidy -o 0 > /dev/full'
	[ "$status" -eq 74 ]
}
