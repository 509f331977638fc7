load helper

post() { viv-add -q "$@" >/dev/null 2>&1; }
work() { viv-claim -r "${1:-ada}" | viv-log | viv-cycle | viv-log | viv-review | viv-log >/dev/null; }
state() { viv-status -J "$1" | jq -r .state; }
row() { viv-status | awk -v id="$1" '$1 == id'; }
halted() { echo "{\"halt\":$1,\"reason\":\"hot\"}" >"$W/world/mutable/.swarm/kill_switch.json"; }

@test "status: an empty board has no tasks" {
	[ "$(viv-status)" = "0 tasks" ]
	[ "$(viv-status -J | jq -c '[.tasks,.completed,.failed,.ready,.list]')" = '[0,0,0,0,[]]' ]
}

@test "status: each state has its word, its count and its reason" {
	post -i app -m local 'echo hi'
	work
	post -i bad -m local 'cat nowhere'
	work
	post -i rev -m local --review human 'echo hi'
	work
	post -i run -m local 'echo run'
	viv-claim -r eve >/dev/null
	post -i rdy -m local 'echo rdy'
	post -i hld -m local --not-before 2099-01-01T00:00:00Z 'echo hld'
	post -i wtg -d rdy 'wait'
	post -i blk -d bad 'blocked'
	[ "$(viv-status | head -n 1)" = \
	    "8 tasks: 1 running, 1 ready, 1 held back, 1 waiting, 1 blocked, 1 in review, 1 approved, 1 failed" ]
	[[ "$(row run)" == *" running   eve "*"echo run" ]]
	[[ "$(row rdy)" == *" ready     - "*"echo rdy" ]]
	[[ "$(row hld)" == *" held back - "*"until 2099-01-01T00:00:00Z" ]]
	[[ "$(row wtg)" == *" waiting   - "*"waits for 'rdy' (ready)" ]]
	[[ "$(row blk)" == *" blocked   - "*"'bad' has failed" ]]
	[[ "$(row rev)" == *" in review ada "*"waits for a person" ]]
	[[ "$(row app)" == *" approved  ada "*"echo hi" ]]
	[[ "$(row bad)" == *" failed    ada "*"rejected by review: exit status 1" ]]
	[ "$(viv-status -J | jq -c '[.tasks,.completed,.failed,.running,.ready,.held_back,.waiting,.blocked,.in_review,.approved]')" = \
	    '[8,1,1,1,1,1,1,1,1,1]' ]
	[ "$(viv-status -J | jq -r '.list[] | .id + ":" + .state' | paste -sd' ' -)" = \
	    "app:approved bad:failed rev:in_review run:running rdy:ready hld:held_back wtg:waiting blk:blocked" ]
}

@test "status: running comes first, then what is ready in the order it would run, at last the newest end" {
	post -i low -p -1 'x'
	post -i one -m local 'echo 1'
	work
	post -i two -m local 'echo 2'
	work
	post -i mid 'x'
	post -i top -p 9 'x'
	post -i run -p 99 'x'
	viv-claim -r eve >/dev/null
	[ "$(viv-status | awk 'NR > 1 {print $1}' | paste -sd' ' -)" = "run top mid low two one" ]
	[ "$(viv-claim -r eve | jq -r .id)" = top ]
	[ "$(viv-claim -r eve | jq -r .id)" = mid ]
}

@test "status: no row is wider than 80 columns and nobody's text reaches the terminal unfiltered" {
	long=$(printf 'x%.0s' $(seq 150))
	jq -nc --arg i "$long" --arg p "$(printf 'a\033[31m\nb\tc%0100d' 0)" '{id:$i,prompt:$p}' | viv-add -q >/dev/null
	jq -nc --arg p "$(printf '字%.0s' $(seq 100))" '{id:"wide",prompt:$p}' | viv-add -q >/dev/null
	viv-status >out
	! grep -q $'[\033\t]' out
	grep -q 'a?\[31m b c000' out
	[ "$(jq -R 'length' out | sort -n | tail -n 1)" -le 80 ]
	# 25 + 1 + 9 + 1 + 12 + 1 + 4 + 1 columns before the text; a wide character takes two
	n=$(LC_ALL=C.UTF-8 grep '^wide' out | grep -o 字 | wc -l)
	[ "$n" -eq $(((80 - 54 - 1) / 2)) ]
}

@test "status: only the first of many are shown without -a" {
	seq 25 | jq -c '{id:"t\(.)",prompt:"x"}' | viv-add -q >/dev/null
	[ "$(viv-status | wc -l)" -eq 22 ]
	[ "$(viv-status | tail -n 1)" = "and 5 more (-a shows all)" ]
	[ "$(viv-status -a | wc -l)" -eq 26 ]
	[ "$(viv-status -J | jq '.list|length')" -eq 25 ]
}

@test "status: the ten that finished last are shown" {
	for i in $(seq 12); do
		jq -nc --arg i "t$i" --arg t "2030-01-01T00:00:$(printf %02d "$i")+00:00" \
		    '{task_id:$i,status:"approved",timestamp:$t,resident_id:"ada"}'
	done >>"$(log_file)"
	seq 12 | jq -sc '{tasks:map({id:"t\(.)",prompt:"x"})}' >"$W/world/mutable/queue.json"
	[ "$(viv-status | awk '$2 == "approved" {print $1}' | paste -sd' ' -)" = "t12 t11 t10 t9 t8 t7 t6 t5 t4 t3" ]
	[ "$(viv-status | tail -n 1)" = "and 2 more (-a shows all)" ]
}

@test "status: halt and pause are told above the tasks" {
	halted true
	touch "$W/world/mutable/PAUSE"
	[ "$(viv-status | sed -n 2,3p)" = $'halted: hot\npaused: nothing new is claimed' ]
	[ "$(viv-status -J | jq -c '[.halted,.paused]')" = '[true,true]' ]
}

@test "status: blocked is who waits for something dead, unknown, cyclic or blocked, and nobody else" {
	jq -nc '{tasks:[{id:"a",prompt:"x",depends_on:["b"]},{id:"b",prompt:"x",depends_on:["a"]},
	    {id:"c",prompt:"x",depends_on:["a"]},{id:"u",prompt:"x",depends_on:["none"]},
	    {id:"v",prompt:"x",depends_on:["u","ok"]},{id:"s",prompt:"x",depends_on:["s"]},
	    {id:"ok",prompt:"x"},{id:"w",prompt:"x",depends_on:["ok"]},{id:"y",prompt:"x",depends_on:["w","ok"]}]}' \
	    >"$W/world/mutable/queue.json"
	[ "$(viv-status -J | jq -r '.list[] | select(.state == "blocked") | .id' | paste -sd' ' -)" = "a b c u v s" ]
	[ "$(viv-status -J | jq -r '.list[] | select(.state == "waiting") | .id' | paste -sd' ' -)" = "w y" ]
	[[ "$(row a)" == *cycle* ]]
	[[ "$(row u)" == *"'none' does not exist" ]]
	[[ "$(row v)" == *"waits for 'u', which is"* ]]
}

@test "status: a cycle one of whose members is done blocks nobody" {
	jq -nc '{tasks:[{id:"a",prompt:"x",depends_on:["b"]},{id:"b",prompt:"x",depends_on:["a"]},
	    {id:"c",prompt:"x",depends_on:["b"]}]}' >"$W/world/mutable/queue.json"
	echo '{"task_id":"a","status":"approved","timestamp":"2030-01-01T00:00:00+00:00"}' >>"$(log_file)"
	[ "$(state a) $(state b) $(state c)" = "approved ready waiting" ]
}

@test "status: a dead holder does not run" {
	post -i a -m local 'echo hi'
	sleep 100 &
	pid=$!
	viv-claim -r eve -P $pid >/dev/null
	[ "$(state a)" = running ]
	kill $pid
	wait $pid || true
	[ "$(state a)" = ready ]
}

@test "status: an id gives state, attempts, history and result" {
	post -i a -m local 'echo hi'
	work
	viv-status a >out
	grep -qx 'state     approved' out
	grep -qx 'command   echo hi' out
	grep -qx 'attempts  1 of 1' out
	grep -qx 'result    world/mutable/results/a.1.json' out
	[ "$(sed '1,/^history/d' out | awk '{print $2}' | paste -sd' ' -)" = "$(history_of a)" ]
	[ "$(viv-status -J a | jq -c '[.id,.state,.attempts,.result_file,.task.command]')" = \
	    '["a","approved",1,"world/mutable/results/a.1.json","echo hi"]' ]
	[ "$(viv-status -J a | jq -r '.history[].status' | paste -sd' ' -)" = "$(history_of a)" ]
}

@test "status: a task that has left the board is still told, one of an unknown id is not" {
	post -i a -m local 'echo hi'
	work
	echo '{"tasks":[]}' >"$W/world/mutable/queue.json"
	[[ "$(viv-status a)" == *"approved (no longer on the board)"*"echo hi"* ]]
	[ "$(viv-status -o a)" = hi ]
	viv-status -W a
	for args in b "-J b" "-o b" "-w b" "-W b" ../a; do
		run viv-status $args
		must test "$status" -eq 1
	done
}

@test "status: -o prints both streams byte for byte, -w and the others nothing of it" {
	post -i a -m local 'cat README nowhere'
	printf 'one\n\n\tno newline' >README
	work
	viv-status -o a >out 2>err
	cmp README out
	[[ "$(cat err)" == *nowhere* ]]
}

@test "status: -o of a model's task prints its answer, and the newest result counts" {
	mkdir -p "$W/world/mutable/results"
	post -i a 'question'
	viv-claim -r ada | viv-log >/dev/null
	run viv-status -o a
	[ "$status" -eq 1 ]
	echo '{"result":{"text":"answer 1"}}' >"$W/world/mutable/results/a.1.json"
	[ "$(viv-status -o a)" = "answer 1" ]
	echo '{"result":{"text":"answer 2"}}' >"$W/world/mutable/results/a.2.json"
	[ "$(viv-status -o a)" = "answer 2" ]
	for bad in '{' '[]' '{"result":1}' ''; do
		printf '%s' "$bad" >"$W/world/mutable/results/a.2.json"
		run viv-status -o a
		must test "$status" -eq 78
	done
}

@test "status: -o finds the result behind a person's decision" {
	post -i a -m local --review human 'echo hi'
	work
	viv-review -q -b zoe approve a
	[ "$(viv-status -o a)" = hi ]
}

# The gates of a task that are shut, by name.
shut() { viv-status -w "$1" | sed -n 's/^NO  //p' | cut -c1-10 | sed 's/ *$//' | paste -sd, -; }

@test "status: -w says ok to a task that would run, and names every gate in order" {
	post -i a -m local 'cat README'
	viv-status -w a >out
	! grep -q '^NO' out
	[ "$(cut -c5-14 out | sed 's/ *$//' | paste -sd, -)" = \
	    "halt,pause,state,depends on,holder,not before,deadline,attempts,identity,policy,workdir" ]
	for f in kill_switch.json PAUSE execution_log.jsonl queue.json task_locks policy.json; do
		must grep -q "$f" out
	done
}

@test "status: -w ends with 1 and NO at the gate that is shut" {
	export VIV_NOW=2030-01-01T00:00:00Z
	post -i dep 'x'
	post -i a -m local -d dep 'cat README'
	post -i nb --not-before +1h 'x'
	post -i pol -m local 'cat README'
	post -i dl --deadline +1h 'x'
	post -i gone -m local 'cat README'
	jq -c '(.tasks[]|select(.id == "pol")).command = "rm x" |
	    (.tasks[]|select(.id == "gone")).workdir = "/nonexistent"' "$W/world/mutable/queue.json" >q
	cp q "$W/world/mutable/queue.json"
	viv-status -w dep
	[ "$(shut a)" = "depends on" ]
	[ "$(shut nb)" = "not before" ]
	[ "$(shut pol)" = policy ]
	[ "$(shut gone)" = workdir ]
	[ -z "$(shut dl)" ]
	[ "$(VIV_NOW=2030-01-01T02:00:00Z shut dl)" = deadline ]
	run viv-status -w a
	[ "$status" -eq 1 ]
	[[ "$output" == *"'dep': ready"* ]]
	halted true
	touch "$W/world/mutable/PAUSE"
	[ "$(shut dep)" = halt,pause ]
}

@test "status: -w names the holder, and the state of what has ended" {
	post -i a -m local 'echo hi'
	viv-claim -r eve -P $$ >/dev/null
	run viv-status -w a
	[ "$status" -eq 1 ]
	[[ "$output" == *"NO  holder      'eve', pid $$, host "*"lease 300 s (world/mutable/task_locks/a.lock)"* ]]
	post -i b -m local 'cat nowhere'
	work
	[[ "$(viv-status -w b | grep state)" == "NO  state       failed: viv-add -k revives it"* ]]
	[[ "$(shut b)" == state,attempts ]]
}

@test "status: -w tells of the cycle, the identity and another task that must run alone" {
	jq -nc '{tasks:[{id:"a",prompt:"x",depends_on:["b"]},{id:"b",prompt:"x",depends_on:["a"]},
	    {id:"i",prompt:"x",identity_id:"muse"},{id:"s1",command:"echo 1",parallel_safe:false,priority:9},
	    {id:"s2",command:"echo 2",parallel_safe:false}]}' >"$W/world/mutable/queue.json"
	[[ "$(viv-status -w a)" == *"NO  depends on  is part of a cycle: "* ]]
	[[ "$(viv-status -w i)" == *"ok  identity    only 'muse' takes it"* ]]
	viv-status -w s2
	viv-claim -r eve -P $$ >/dev/null
	[ "$(shut s2)" = alone ]
}

@test "status: -W ends with 0 once all are approved" {
	post -i a -m local 'echo 1'
	post -i b -m local 'echo 2'
	viv-status -W -t 30 a b &
	pid=$!
	viv-resident -e -m local >/dev/null
	wait $pid
	viv-status -W a b
}

@test "status: -W ends with 1 when all are settled and one failed or is blocked" {
	post -i a -m local 'echo 1'
	post -i bad -m local 'cat nowhere'
	post -i blk -d bad 'never'
	viv-resident -e -m local >/dev/null
	run viv-status -W -t 30 a bad
	[ "$status" -eq 1 ]
	[[ "$output" == *"'bad' has failed: rejected by review: exit status 1"* ]]
	run viv-status -W -t 30 blk
	[ "$status" -eq 1 ]
	[[ "$output" == *"'blk' is blocked"* ]]
	viv-status -W a
}

@test "status: -W does not end early for one that failed, nor for one that a person thinks about" {
	post -i bad -m local 'cat nowhere'
	work
	post -i rev -m local --review human 'echo hi'
	work
	post -i open 'x'
	for id in open rev; do
		run viv-status -W -t 0.2 bad $id
		must test "$status" -eq 124
	done
	viv-status -W -t 30 rev &
	pid=$!
	viv-review -q -b zoe approve rev
	wait $pid
}

@test "status: -f prints a line for each open task and for each change" {
	post -i done -m local 'echo 0'
	work
	post -i a -m local 'echo 1'
	viv-status -f >out &
	pid=$!
	wait_until grep -q ' ready a$' out
	! grep -q ' done' out
	viv-claim -r eve -P $$ >line
	wait_until grep -q ' running a eve$' out
	viv-log <line | viv-cycle | viv-log | viv-review | viv-log >/dev/null
	wait_until grep -q ' approved a$' out
	post -i b 'x'
	wait_until grep -q ' ready b$' out
	kill $pid
	wait $pid || true
	[ "$(grep -c ' ready a$' out)" -eq 1 ]
}

@test "status: -f ends when its reader has gone" {
	post -i a 'x'
	timeout 20 bash -c 'viv-status -f | head -n 1' >out
	[ -s out ]
}

@test "status: -f on a terminal draws over and ends on q" {
	post -i a 'x'
	command -v script >/dev/null || skip "no script(1)"
	mkfifo keys
	TERM=xterm timeout 20 script -qec 'stty cols 80 rows 24; viv-status -f' /dev/null <keys >out &
	pid=$!
	exec 5>keys
	wait_until grep -q '^a .*ready' out
	printf q >&5
	exec 5>&-
	wait $pid
	grep -q $'\033\\[H1 task: 1 ready' out
	! grep -q $'\033\\[?1049h' out
}

@test "status: colour is for terminals that want it" {
	command -v script >/dev/null || skip "no script(1)"
	post -i a -m local 'echo hi'
	work
	TERM=xterm script -qec viv-status /dev/null </dev/null | grep -q $'\033\\[32mapproved'
	! TERM=xterm NO_COLOR=1 script -qec viv-status /dev/null </dev/null | grep -q $'\033\\[32m'
	! TERM=xterm viv-status | grep -q $'\033'
}

@test "status: reading changes nothing but caches" {
	post -i a -m local --review human 'echo hi'
	work
	post -i b -m local 'echo hi'
	sum() { (cd "$W" && find . -path ./world/mutable/.cache -prune -o -type f -exec sha256sum {} + | sort); }
	before=$(sum)
	viv-status >/dev/null
	viv-status -J >/dev/null
	viv-status a b >/dev/null
	viv-status -w b >/dev/null
	viv-status -o a >/dev/null
	[ "$before" = "$(sum)" ]
}

@test "status: a damaged board is 78, damaged log lines are passed over" {
	post -i a 'x'
	printf 'garbage\n{"task_id":"a","status":\n{"task_id":"a","status":"approved","timestamp":1}\n' >>"$(log_file)"
	[ "$(state a)" = approved ]
	viv-status a >/dev/null
	echo '{"tasks":[' >"$W/world/mutable/queue.json"
	for args in '' -J -f '-W a' '-w a' '-o a'; do
		run viv-status $args
		must test "$status" -eq 78
	done
}

@test "status: wrong usage ends with 2, lost output with 74" {
	for args in -x -t '-t x -W a' '-t 1 a' -o -w -W '-f a' '-f -J' '-o -w a' '-J -o a' '-W -t -1 a'; do
		run viv-status $args
		must test "$status" -eq 2
	done
	post -i a -m local 'echo hi'
	work
	for args in '' -J a '-J a' '-o a' '-w a'; do
		run sh -c "viv-status $args >/dev/full"
		must test "$status" -eq 74
	done
	post -i b x
	run timeout 20 sh -c "viv-status -f >/dev/full"
	[ "$status" -eq 74 ]
	run viv-status -C /
	[ "$status" -eq 78 ]
}
