bats_require_minimum_version 1.5.0
load helper
# shellcheck source=test/crash.bash
load crash

COMPLEX='Implement auth API, add integration tests, and then update deployment docs.'

setup() {
	in_tree
	T=$BATS_TEST_TMPDIR
	export VIV_T=$T VIV_LLM=$T/llm
	printf '#!/bin/sh\nexec tee -a "$VIV_T/asked" | jq --unbuffered -c %s\n' \
	    "'select(.cancel == null) | .result = {status: \"completed\", text: \"done \\(.id)\", finish_reason: \"stop\"}'" >"$T/llm"
	chmod +x "$T/llm"
}

post() { viv-add -q -i "$@" >/dev/null; }
claimed() { viv-claim -c 1 -r ada "$@" | viv-log; }
board() { jq -c "$1" "$W/world/mutable/queue.json"; }

@test "split: the reference's vectors hold" {
	run "$BUILD/test/split_test" "$FIXTURE"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = ok ]
}

@test "split: a text becomes its steps and the task that waits for them" {
	viv-split -i x "$COMPLEX" >out
	[ "$(jq -r .id out | paste -sd' ')" = 'x__phase4_01 x__phase4_02 x__phase4_03 x' ]
	[ "$(jq -c .depends_on out | paste -sd' ')" = '[] ["x__phase4_01"] ["x__phase4_02"] ["x__phase4_01","x__phase4_02","x__phase4_03"]' ]
	jq -se '.[0:3] | all(.phase4_generated and .phase4_skip and .phase4_parent_task == "x" and .phase4_intent.goal != null)' out
	jq -se '.[1].prompt | contains("Step 2 of 3") and contains("\u0027x\u0027") and contains("add integration tests")' out
	# a third of the default 0.05 and 0.10, rounded down to a micro-dollar
	jq -se '.[0:3] | all(.min_budget == 0.016666 and .max_budget == 0.033333)' out
	jq -se '.[3] | .phase4_planned and .phase4_plan.subtasks == .depends_on and .phase4_plan.gut_check.complexity_score == 3' out
	viv-add -q <out >/dev/null
	[ "$(viv-status -J | jq '.tasks | length')" -eq 4 ]
}

@test "split: a text that is one piece is one task, and its id is new each time" {
	[ "$(viv-split 'say hello' | jq -c .prompt)" = '"say hello"' ]
	[ "$(for i in 1 2 3; do viv-split 'say hello'; done | jq -r .id | sort -u | wc -l)" -eq 3 ]
}

@test "split: steps have what their task has, and the first its dependencies" {
	jq -nc --arg p "$COMPLEX" '{id: "x", prompt: $p, depends_on: ["d"], max_budget: 0.3, min_budget: 0.3, model: "m", mode: "llm",
		intensity: "high", tags: ["t"], priority: 3, identity_id: "ida", review: "human", timeout: 9, max_subtasks: 2}' |
	    viv-split >out
	jq -se 'length == 3 and .[0].depends_on == ["d"] and .[2].depends_on == ["d", "x__phase4_01", "x__phase4_02"]' out
	jq -se '.[0:2] | all(.min_budget == 0.15 and .max_budget == 0.15 and .model == "m" and .mode == "llm" and .intensity == "high" and
		.tags == ["t"] and .priority == 3 and .identity_id == "ida" and .review == "human" and .timeout == 9)' out
}

@test "split: what is no complex prompt passes through unchanged, byte for byte" {
	cat >in <<-END
	{"id":"a","prompt":"say hello"}
	{"id":"b","command":"echo a; b: c, d, and then e","mode":"local"}
	{"id":"c","prompt":"$COMPLEX","phase4_skip":true}
	{"id":"d","prompt":"$COMPLEX","phase4_generated":true}
	{"id":"e","prompt":"$COMPLEX","status":"failed"}
	{"id":"f","prompt":"$COMPLEX","command":"ls"}
	{"id":"g","prompt":5,"task":"$COMPLEX"}
	{"prompt":"$COMPLEX"}
	{"id":"h","prompt":"one thing only","split":true}
	END
	viv-split <in | cmp - in
}

@test "split: who asks for it gets it without two signals" {
	[ "$(printf '%s\n' '{"id":"x","prompt":"first this one; then that one"}' | viv-split | wc -l)" -eq 3 ]
	[ "$(printf '%s\n' '{"id":"x","prompt":"fix the parser then fix the lexer"}' | viv-split | wc -l)" -eq 1 ]
	for flag in decompose split plan phase4_plan_request; do
		must test "$(jq -nc --arg f "$flag" '{id: "x", prompt: "fix the parser then fix the lexer"} + {($f): true}' | viv-split | wc -l)" -eq 3
	done
}

@test "split: a claimed task is divided on the board and its attempt does not count" {
	viv-add -q -b 0.3 -i big "$COMPLEX" >/dev/null
	claimed | viv-split >line
	jq -e '.id == "big" and .status == "requeue" and .events[-1].counted == false and .events[-1].final and
		.events[-1].phase4_plan_generated and .events[-1].phase4_subtasks_added == 3 and (.events[-1].phase4_features | length) == 3' line
	[ "$(board '[.tasks[].id]')" = '["big","big__phase4_01","big__phase4_02","big__phase4_03"]' ]
	[ "$(board '.tasks[0].depends_on')" = '["big__phase4_01","big__phase4_02","big__phase4_03"]' ]
	[ "$(board '[.tasks[1:][].max_budget] | add * 10 | round')" = 3 ]
	viv-log <line | viv-release >/dev/null
	[ "$(history_of big)" = 'queued in_progress requeue' ]
	[ "$(viv-log -q -s queued | jq -r 'select(.task) | .task_id' | wc -l)" -eq 4 ]
	viv-doctor
	viv-log -V
	# and nobody gets it before its steps are done
	[ "$(claimed | jq -r .id)" = big__phase4_01 ]
}

@test "split: the task is done when its steps are, with their results and without a model" {
	post big "$COMPLEX"
	viv-resident -e -r ada
	[ "$(history_of big)" = 'queued in_progress requeue in_progress completed pending_review approved' ]
	[ "$(viv-status -o big | grep -c '^done big__phase4_0')" -eq 3 ]
	[ "$(jq -r .id "$T/asked" | sort | paste -sd' ')" = 'big__phase4_01 big__phase4_02 big__phase4_03' ]
	jq -e '.result.steps | length == 3 and all(.sha256 != null)' "$W"/world/mutable/results/big.*.json
	for k in 1 2 3; do
		f=$(jq -r ".result.steps[$((k - 1))].file" "$W"/world/mutable/results/big.*.json)
		[ "$(sha256sum <"$W/$f" | cut -d' ' -f1)" = "$(jq -r ".result.steps[$((k - 1))].sha256" "$W"/world/mutable/results/big.*.json)" ]
	done
	[ "$(viv-log -s approved | jq 'select(.task_id == "big") | .attempt')" = 1 ]
	viv-log -V
	viv-doctor
}

@test "split: a task that a person reviews waits for him with the results of its steps" {
	jq -nc --arg p "$COMPLEX" '{id: "big", prompt: $p, review: "human"}' | viv-add -q >/dev/null
	viv-resident -e -r ada
	for id in big__phase4_01 big__phase4_02 big__phase4_03 big; do
		must viv-review -q approve "$id"
		viv-resident -e -r ada
	done
	[ "$(viv-status -o big | grep -c '^done big__phase4_0')" -eq 3 ]
	[ "$(history_of big | sed 's/.* //')" = approved ]
}

@test "split: with --no-split a resident divides nothing, but gathers what was divided" {
	post big "$COMPLEX"
	viv-resident --no-split -e -r ada
	[ "$(board '[.tasks[].id]')" = '["big"]' ]
	[ "$(jq -r .id "$T/asked")" = big ]
	post more "$COMPLEX"
	claimed | viv-split | viv-log | viv-release >/dev/null
	: >"$T/asked"
	viv-resident --no-split -e -r ada
	[ "$(jq -r .id "$T/asked" | sort | paste -sd' ')" = 'more__phase4_01 more__phase4_02 more__phase4_03' ]
	[ "$(history_of more | sed 's/.* //')" = approved ]
}

@test "split: doing it again posts nothing again" {
	post big "$COMPLEX"
	claimed >line
	viv-split <line >one
	viv-split <line >two
	jq -e '.status == "requeue" and .events[-1].phase4_subtasks_added == 0' two
	[ "$(board '.tasks | length')" = 4 ]
	[ "$(viv-log -q -s queued | jq -r 'select(.task) | .task_id' | sort | uniq -d)" = '' ]
}

@test "split: a lost claim divides nothing" {
	post big "$COMPLEX"
	claimed >line
	viv-release -r ada big >/dev/null
	viv-split <line >out 2>talk
	[ "$(jq -r .status out)" = lost ]
	[ "$(board '.tasks | length')" = 1 ]
}

@test "split: an id that somebody else has taken leaves the task whole" {
	post big__phase4_02 'squatting'
	viv-add -q -p 9 -i big "$COMPLEX" >/dev/null
	claimed >line
	viv-split <line >out 2>talk
	cmp line out
	grep -q "'big__phase4_02' is taken by another task: it is done whole" talk
	[ "$(board '.tasks | length')" = 2 ]
}

@test "split: where there is no room for more tasks the task is done whole" {
	post big "$COMPLEX"
	claimed >line
	jq -n '{max_tasks: 3}' >"$W/world/physics/limits.json"
	viv-split <line >out 2>talk
	cmp line out
	grep -q 'max_tasks' talk
	[ "$(board '.tasks | length')" = 1 ]
}

@test "split: a task that came with phase4_planned of its own goes on whole" {
	jq -nc --arg p "$COMPLEX" '{id: "big", prompt: $p, phase4_planned: true, phase4_plan: {subtasks: ["other"]}}' | viv-add -q >/dev/null
	claimed >line
	viv-split <line 2>talk | cmp - line
	grep -q 'names no steps' talk
}

@test "split: a step that failed leaves its task waiting, and reviving it helps" {
	post big "$COMPLEX"
	claimed | viv-split | viv-log | viv-release >/dev/null
	viv-add -x big__phase4_02 >/dev/null
	viv-resident -e -r ada
	[ "$(history_of big)" = 'queued in_progress requeue' ]
	viv-status -w big | grep -q big__phase4_0
	viv-add -k big__phase4_02 >/dev/null
	viv-resident -e -r ada
	[ "$(history_of big | sed 's/.* //')" = approved ]
}

@test "split: several residents at once divide it once and do each step once" {
	for i in 1 2 3; do post "big$i" "$COMPLEX"; done
	viv-resident -e -r one & one=$!
	viv-resident -e -r two & two=$!
	viv-resident -e -r three
	wait $one $two
	viv-resident -e -r last
	[ "$(board '.tasks | length')" = 12 ]
	[ "$(jq -r .id "$T/asked" | sort | uniq -d)" = '' ]
	[ "$(jq -r .id "$T/asked" | wc -l)" -eq 9 ]
	[ "$(viv-log -s approved | jq -r .task_id | sort -u | wc -l)" -eq 12 ]
}

whole_again() {
	viv-split <"$T/line" | viv-log | viv-release >/dev/null &&
	    : >"$T/asked" && viv-resident -e -r bob &&
	    [ "$(jq -r .id "$T/asked" | sort | paste -sd' ')" = 'big__phase4_01 big__phase4_02 big__phase4_03' ] &&
	    [ "$(viv-log -s approved | jq -r .task_id | sort | paste -sd' ')" = 'big big__phase4_01 big__phase4_02 big__phase4_03' ] &&
	    [ "$(board '.tasks | length')" = 4 ] && viv-log -V >/dev/null && viv-doctor
}

@test "split: killed at any system call, whoever comes next does it whole and nothing twice" {
	post big "$COMPLEX"
	claimed >"$T/line"
	prepare
	IN=$T/line crash_points whole_again viv-split
	[ "$POINTS" -ge 5 ]
}

@test "split: a step's prompt fits the world, however long the text" {
	text=$(printf 'x%.0s' $(seq 1900))
	viv-split -i x "write $text; write y$text" >out
	[ "$(wc -l <out)" -eq 3 ]
	viv-add -q <out >/dev/null
	id=$(printf 'i%.0s' $(seq 195))
	run --separate-stderr viv-split <<<"{\"id\":\"$id\",\"prompt\":\"$COMPLEX\"}"
	[ "$status" -eq 0 ]
	[ "$output" = "{\"id\":\"$id\",\"prompt\":\"$COMPLEX\"}" ]
	[[ $stderr = *'leaves no room'* ]]
}

@test "split: damaged lines are reported, a full disk is 74, wrong usage 2" {
	run viv-split <<<'{"id"'
	[ "$status" -eq 1 ]
	run bash -c "viv-split -i x '$COMPLEX' >/dev/full"
	[ "$status" -eq 74 ]
	for args in '-x' 'two texts' '-i x' '-g text'; do
		# shellcheck disable=SC2086
		run viv-split $args </dev/null
		must test "$args: $status" = "$args: 2"
	done
	run -78 viv-split -C /nowhere </dev/null
	echo '{' >"$W/world/mutable/queue.json"
	run -78 viv-split <<<"$(jq -nc --arg p "$COMPLEX" '{id: "x", prompt: $p, claim: {resident_id: "a", token: ("0" * 32), generation: 1}}')"
}
