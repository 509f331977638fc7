load helper

# The stages up to the reviewer, and what follows it.
work() { viv-claim -r "${1:-ada}" | viv-log | viv-cycle | viv-log; }
finish() { viv-review | viv-log >"$BATS_TEST_TMPDIR/last"; }

# A finished task that waits for a person.
waiting() {
	viv-add -q -i "$1" -m local --review human 'echo hi' 2>/dev/null
	work | finish
}

# A bare line without a world's evidence, with the members given as JSON.
bare() {
	echo '{"id":"x","command":"ls","mode":"local","status":"completed"}' |
	    jq -c --argjson r "$1" '.result = ({stdout:"",stdout_sha256:"e3b0"} + $r)' |
	    env -u VIV_ROOT sh -c 'cd / && viv-review'
}

last_event() { jq -c "select(.task_id == \"$1\")" "$(log_file)" | tail -n 1; }

@test "review: a command that ends with 0 is approved with confidence 0.95" {
	viv-add -q -i a -m local 'echo hi' 2>/dev/null
	work | finish
	[ "$(history_of a)" = "queued in_progress completed pending_review approved" ]
	[ "$(last_event a | jq -c '[.review_verdict,.review_confidence,.review_issues,.exit_code,.result_summary,.final]')" = \
	    '["APPROVE",0.95,[],0,"hi ",true]' ]
	[ "$(last_event a | jq -r .result_sha256)" = "$(sha256sum <"$W/world/mutable/results/a.1.json" | cut -d' ' -f1)" ]
	[ "$(jq -c .review "$BATS_TEST_TMPDIR/last")" = '{"verdict":"APPROVE","confidence":0.95,"issues":[],"attempt":1}' ]
}

@test "review: another exit status fails a command that has one attempt" {
	viv-add -q -i a -m local 'grep nothing /dev/null' 2>/dev/null
	work | finish
	[ "$(history_of a)" = "queued in_progress completed pending_review failed" ]
	[ "$(last_event a | jq -c '[.reason,.review_verdict,.review_confidence]')" = \
	    '["rejected by review: exit status 1","REJECT",0.9]' ]
}

@test "review: ok_exit says which exit statuses are fine" {
	viv-add -q -i a -m local --ok-exit 0,1 'grep nothing /dev/null' 2>/dev/null
	work | finish
	[ "$(last_event a | jq -r .status)" = approved ]
}

@test "review: a rejected attempt is sent back within the back-off while attempts are left" {
	export VIV_NOW=2030-01-31T08:00:00Z
	viv-add -q -i a -m local --max-attempts 2 'grep nothing /dev/null' 2>/dev/null
	work | finish
	[ "$(last_event a | jq -c '[.status,.reason,.errors,.final]')" = '["requeue","rejected by review","exit status 1",true]' ]
	[ "$(last_event a | jq -r '.not_before[:18]')" = 2030-01-31T08:00:0 ]
	[[ "$(last_event a | jq -r '.not_before[18:19]')" = [01] ]]
	export VIV_NOW=2030-01-31T08:00:05Z
	work | finish
	[ "$(last_event a | jq -r .status)" = failed ]
}

@test "review: the back-off doubles with each attempt and stops at 300 s" {
	far=0
	for i in $(seq 40); do
		line='{"id":"x","command":"ls","max_attempts":99,"status":"completed","claim":{"attempt":50},"result":{"exit_code":1}}'
		t=$(echo "$line" | VIV_NOW=0 viv-review | jq -r '.events[-1].not_before[:19] + "Z" | fromdate')
		must test "$t" -lt 300
		[ "$t" -lt 5 ] || far=1
	done
	[ "$far" -eq 1 ]
}

@test "review: time-out, signal, error, no success and no exit status are issues" {
	[ "$(bare '{"exit_code":0}' | jq -r .status)" = approved ]
	for r in '{"timed_out":true}' '{"signal":9,"exit_code":null}' '{"exit_code":0,"error":"x"}' \
	    '{"exit_code":0,"success":false}' '{}' '{"exit_code":0,"status":"failed"}' '{"exit_code":0,"stdout_sha256":null}'; do
		must test "$(bare "$r" | jq -r '.review.verdict + " " + .status')" = "REJECT failed"
	done
}

@test "review: output whose hash is another is an issue, cut output is not" {
	good=$(printf hi | sha256sum | cut -d' ' -f1)
	r="{\"exit_code\":0,\"stdout\":\"hi\",\"stdout_bytes\":2,\"stdout_sha256\":\"$good\"}"
	[ "$(bare "$r" | jq -r .status)" = approved ]
	[ "$(bare "${r/hi/ho}" | jq -r .status)" = failed ]
	[ "$(bare "${r/:2/:9}" | jq -r .status)" = approved ]
}

@test "review: a model's answer must be neither empty nor cut off" {
	line='{"id":"x","prompt":"p","status":"completed","max_attempts":1,"result":{"text":"yes","finish_reason":"stop"}}'
	[ "$(echo "$line" | viv-review | jq -r .status)" = approved ]
	[ "$(echo "${line/yes/ }" | viv-review | jq -r .status)" = failed ]
	[ "$(echo "${line/stop/length}" | viv-review | jq -r .status)" = failed ]
}

@test "review: a changed, missing or foreign stored result, or another text in the line, is rejected" {
	viv-add -q -i a -m local --max-attempts 9 'echo hi' 2>/dev/null
	work >line
	f=$W/world/mutable/results/a.1.json
	verdict() { jq -c "$1" line | viv-review | jq -r .review.verdict; }
	[ "$(verdict .)" = APPROVE ]
	[ "$(verdict 'del(.result.sha256)')" = REJECT ]
	[ "$(verdict 'del(.result.file)')" = REJECT ]
	[ "$(verdict '.result.file = "world/mutable/results/b.1.json"')" = REJECT ]
	[ "$(verdict '.result.argv = ["echo","ho"]')" = REJECT ]
	echo >>"$f"
	[ "$(verdict .)" = REJECT ]
	rm "$f"
	[ "$(verdict .)" = REJECT ]
}

@test "review: declared files must exist inside the world, and no link leads out of it" {
	m=$W/world/mutable
	mkdir -p "$m/library"
	echo ok >"$m/library/ok.md"
	ln -s /etc/passwd "$m/library/link"
	truncate -s 20M "$m/library/big"
	for f in library/ok.md library/big library; do
		must test "$(bare_with "$f")" = APPROVE
	done
	for f in library/none library/link ../../meta/audit/execution_log.jsonl /etc/passwd; do
		must test "$(bare_with "$f")" = REJECT
	done
}

bare_with() {
	jq -nc --arg f "$1" '{id:"x",command:"ls",status:"completed",artifacts:[$f],
	    result:{exit_code:0,stdout_sha256:"e3b0"}}' | viv-review | jq -r .review.verdict
}

@test "review: placeholders in python files are minor up to two, and only there" {
	m=$W/world/mutable/library
	mkdir -p "$m"
	for i in 1 2 3; do echo '# TO''DO: later' >"$m/p$i.py"; done
	echo '# TO''DO: later' >"$m/p.md"
	verdict() {
		jq -nc '{id:"x",command:"ls",status:"completed",files_created:$ARGS.positional,
		    result:{exit_code:0,stdout_sha256:"e3b0"}}' --args "$@" | viv-review |
		    jq -c '[.review.verdict,.review.confidence,.status]'
	}
	[ "$(verdict library/p.md)" = '["APPROVE",0.95,"approved"]' ]
	[ "$(verdict library/p1.py)" = '["MINOR_ISSUES",0.75,"approved"]' ]
	[ "$(verdict library/p1.py library/p2.py)" = '["MINOR_ISSUES",0.75,"approved"]' ]
	[ "$(verdict library/p1.py library/p2.py library/p3.py)" = '["REJECT",0.9,"failed"]' ]
	[ "$(verdict library/p1.py library/none)" = '["REJECT",0.9,"failed"]' ]
}

@test "review: lines of any other status pass unchanged, damaged ones are reported" {
	for s in '' in_progress failed lost approved; do
		line="{\"id\":\"x\",\"status\":\"$s\",\"result\":{\"exit_code\":1}}"
		[ "$(echo "$line" | viv-review)" = "$line" ]
	done
	run sh -c 'printf "{\n{\"id\":\"x\"}\n" | viv-review'
	[ "$status" -eq 1 ]
	[[ "$output" == *'{"id":"x"}'* ]]
}

@test "review: a person's task ends in one final pending_review, and no claim is left" {
	waiting a
	[ "$(history_of a)" = "queued in_progress completed pending_review" ]
	[ "$(last_event a | jq -c '[.final,.reason,.review_verdict]')" = '[true,"waits for a person","APPROVE"]' ]
	[ -z "$(ls "$W/world/mutable/task_locks")" ]
	run viv-claim -r ada
	[ "$status" -eq 1 ]
	viv-add -q -i b -m local --review jury 'echo hi' 2>/dev/null
	work | finish
	[[ "$(last_event b | jq -r .reason)" == *person*jury* ]]
}

@test "review: list shows what waits, oldest first, and ends with 1 when nothing does" {
	run viv-review list
	[ "$status" -eq 1 ]
	waiting b
	waiting a
	[ "$(viv-review list | awk '{print $1, $3}' | paste -sd, -)" = "b APPROVE,a APPROVE" ]
	[ "$(viv-review -J list | jq -r .task_id | paste -sd, -)" = b,a ]
}

@test "review: approve records who, and prints the line rebuilt from the stored result" {
	waiting a
	line=$(viv-review -b human:eve -m fine approve a)
	[ "$(history_of a)" = "queued in_progress completed pending_review approved" ]
	[ "$(last_event a | jq -c '[.resident_id,.reason,.generation,.final,.review_verdict]')" = '["human:eve","fine",3,true,"APPROVE"]' ]
	[ "$(jq -c '[.id,.command,.status,.committed,.claim.resident_id,.claim.generation,.result.stdout]' <<<"$line")" = \
	    '["a","echo hi","approved",true,"ada",1,"hi\n"]' ]
	[ -z "$(ls "$W/world/mutable/task_locks")" ]
}

@test "review: who decides is human:USER when not told otherwise" {
	waiting a
	USER=eve viv-review -q approve a
	[ "$(last_event a | jq -r .resident_id)" = human:eve ]
}

@test "review: reject fails the task, requeue lets it be tried again" {
	waiting a
	waiting b
	[ -z "$(viv-review -m bad reject a)" ]
	[ "$(last_event a | jq -c '[.status,.reason,.final]')" = '["failed","bad",true]' ]
	viv-review -m again requeue b
	[ "$(last_event b | jq -c '[.status,.review_issues,.counted]')" = '["requeue",["again"],false]' ]
	[ "$(viv-claim -r ada | jq -c '[.id,.claim.attempt,.previous.reason]')" = '["b",1,"again"]' ]
}

@test "review: unknown tasks and tasks that do not wait are refused with 1" {
	viv-add -q -i a -m local 'echo hi' 2>/dev/null
	for v in approve reject requeue; do
		run viv-review $v a
		must test "$status" -eq 1
		run viv-review $v nobody
		must test "$status" -eq 1
	done
	[ "$(history_of a)" = queued ]
}

@test "review: a decision is made once" {
	waiting a
	viv-review -q approve a
	run viv-review reject a
	[ "$status" -eq 1 ]
	[ "$(last_event a | jq -r .status)" = approved ]
}

@test "review: nobody reviews what he wrote, under any of his names" {
	viv-add -q -i a -m local --review human -I muse 'echo hi' 2>/dev/null
	viv-claim -r ada -i muse | viv-log | viv-cycle | viv-log | finish
	jq -nc '{id:"b",command:"echo hi",mode:"local",review:"human",author_id:"zoe"}' | viv-add -q 2>/dev/null
	work | finish
	for who in ada human:ada muse human:muse; do
		run viv-review -b $who approve a
		must test "$status" -eq 77
	done
	for v in approve reject requeue; do
		USER=zoe run viv-review $v b
		must test "$status" -eq 77
	done
	[ "$(last_event a | jq -r .status) $(last_event b | jq -r .status)" = "pending_review pending_review" ]
	viv-review -q -b zoe approve a
	viv-review -q -b ada2 approve b
}

@test "review: a resident of an earlier attempt may not decide about a later one" {
	viv-add -q -i a -m local --review human --max-attempts 5 'echo hi' 2>/dev/null
	work bob | finish
	viv-review -b eve requeue a
	work ada | finish
	run viv-review -b bob approve a
	[ "$status" -eq 77 ]
	viv-review -q -b eve approve a
}

@test "review: a result that was changed or has gone cannot be approved, but rejected" {
	waiting a
	f=$W/world/mutable/results/a.1.json
	cp "$f" keep
	sed -i 's/hi/ho/' "$f"
	run viv-review approve a
	[ "$status" -eq 78 ]
	[[ "$output" == *SHA-256* ]]
	rm "$f"
	run viv-review approve a
	[ "$status" -eq 78 ]
	[ "$(last_event a | jq -r .status)" = pending_review ]
	viv-review reject a
}

@test "review: -n decides nothing and changes no byte" {
	waiting a
	before=$(cd "$W" && find . -type f -exec sha256sum {} + | sort)
	for v in approve reject requeue; do viv-review -n $v a >/dev/null; done
	[ "$before" = "$(cd "$W" && find . -type f -exec sha256sum {} + | sort)" ]
	run viv-review -n -b ada approve a
	[ "$status" -eq 77 ]
}

@test "review: of several ids the good ones are decided and the worst status is returned" {
	waiting a
	waiting b
	run viv-review -q approve a nobody b
	[ "$status" -eq 1 ]
	[ "$(last_event a | jq -r .status) $(last_event b | jq -r .status)" = "approved approved" ]
}

@test "review: wrong usage ends with 2, lost output with 74" {
	for args in "frobnicate a" approve "list a" "-x" "-m"; do
		run viv-review $args
		must test "$status" -eq 2
	done
	waiting a
	run sh -c 'viv-review list >/dev/full'
	[ "$status" -eq 74 ]
	run sh -c 'viv-review -J list >/dev/full'
	[ "$status" -eq 74 ]
	run sh -c 'echo "{}" | viv-review >/dev/full'
	[ "$status" -eq 74 ]
}
