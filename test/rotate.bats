# Rotation beside readers: viv-log -R renames the file under everybody's hands, and still
# every line is seen once.

load helper

segments() { ls "$W/meta/audit"/execution_log*.jsonl | sed '/[.][0-9]*[.]jsonl$/!s/jsonl$/987654321.&/' | sort -V | sed 's/987654321.//'; }
post_some() { seq "$1" "$2" | jq -c '{id: "t\(.)", mode: "local", command: "true"}' | viv-add -q >/dev/null; }

@test "rotate: an empty log is not rotated, a second rotation counts on" {
	viv-log -R
	run viv-log -R
	[ "$status" -eq 1 ]
	post_some 1 2
	viv-log -R
	post_some 3 3
	[ "$(segments | xargs -n1 basename | paste -sd' ' -)" = "execution_log.1.jsonl execution_log.2.jsonl execution_log.jsonl" ]
	[ "$(segments | xargs cat | jq .seq | paste -sd' ' -)" = "1 2 3 4" ]
	viv-log -V
	[ "$(sh "$REPO/share/verify-log.sh" "$W")" = ok ]
}

@test "rotate: a query reads all segments, oldest first" {
	for i in 1 2 3 4 5 6 7 8 9 10 11; do
		post_some "$i" "$i"
		viv-log -R
	done
	[ "$(viv-log -q -s queued | jq -r 'select(.task_id != "_world") | .task_id' | paste -sd' ' -)" = \
	    "t1 t2 t3 t4 t5 t6 t7 t8 t9 t10 t11" ]
}

@test "rotate: a follower sees every line once while the log is rotated and written" {
	timeout 60 viv-log -f > followed &
	follower=$!
	wait_until grep -q _world followed
	( for i in $(seq 40); do post_some "$((5 * i - 4))" "$((5 * i))"; done ) &
	writer=$!
	while kill -0 "$writer" 2>/dev/null; do
		viv-log -R 2>/dev/null || true
	done
	wait "$writer"
	viv-add -q -i last -m local true >/dev/null
	wait_until grep -q '"last"' followed
	kill "$follower"
	wait "$follower" || true
	[ "$(segments | wc -l)" -ge 4 ]
	[ "$(jq .seq followed | paste -sd' ' -)" = "$(seq 202 | paste -sd' ' -)" ]
}

@test "rotate: a running chooser misses no task and takes none twice" {
	post_some 1 5
	mkfifo claims
	viv-claim -f -w 4 -r r > claims &
	claimer=$!
	viv-log < claims | jq -c --unbuffered 'del(.committed) | .status = "approved"' | viv-log | viv-release > done &
	rest=$!
	for i in $(seq 2 30); do
		post_some "$((5 * i - 4))" "$((5 * i))"
		viv-log -R 2>/dev/null || true
	done
	finished() { [ "$(jq -r .id done | sort -u | wc -l)" -eq 150 ]; }
	wait_until finished
	kill "$claimer"
	wait "$claimer" || true
	wait "$rest"
	[ "$(segments | xargs cat | jq -r 'select(.status == "in_progress") | .task_id' | sort | uniq -d | wc -l)" -eq 0 ]
	[ "$(segments | xargs cat | jq -r 'select(.status == "approved") | .task_id' | sort -u | wc -l)" -eq 150 ]
	viv-log -V
}

@test "rotate: one-shot commands see through a rotation with their cached fold" {
	post_some 1 20
	timeout 20 viv-claim -c 10 -r r | viv-log | jq -c 'del(.committed) | .status = "approved"' | viv-log | viv-release >/dev/null
	viv-log -R
	timeout 20 viv-claim -c 5 -r r | viv-log | jq -c 'del(.committed) | .status = "approved"' | viv-log | viv-release >/dev/null
	viv-log -R
	[ "$(timeout 20 viv-claim -c 9 -r r | jq -r .id | paste -sd' ' -)" = "t16 t17 t18 t19 t20" ]
}
