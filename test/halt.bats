load helper

switch() { printf '%s\n' "$W/world/mutable/.swarm/kill_switch.json"; }
speed() { printf '%s\n' "$W/world/mutable/.swarm/runtime_speed.json"; }

# Does somebody who asks get a task?
claims() { viv-claim -n >/dev/null 2>&1; }
cycle_says() { echo '{"id":"x","command":"echo hi","mode":"local"}' | viv-cycle | jq -r .status; }

@test "halt: on stops execution and claims, off starts them again" {
	viv-add -q -i a -m local 'echo hi' 2>/dev/null
	viv-halt -m 'too hot' on
	[ "$(jq -c '[.halt,.reason]' "$(switch)")" = '[true,"too hot"]' ]
	[ "$(cycle_says)" = requeue ]
	run viv-claim -r ada
	[ "$status" -eq 77 ]
	[[ "$output" == *'too hot'* ]]
	viv-halt off
	[ "$(jq -c '[.halt,.reason]' "$(switch)")" = '[false,null]' ]
	[ "$(cycle_says)" = completed ]
	[ "$(viv-claim -r ada | jq -r .id)" = a ]
}

@test "halt: the timestamp is local time without a zone" {
	VIV_NOW=2030-01-31T08:00:00Z viv-halt on
	[ "$(jq -r .timestamp "$(switch)")" = 2030-01-31T08:00:00.000000 ]
	TZ=UTC-2 VIV_NOW=2030-01-31T08:00:00Z viv-halt on
	[ "$(jq -r .timestamp "$(switch)")" = 2030-01-31T10:00:00.000000 ]
	VIV_NOW=2030-01-31T08:00:00Z viv-halt pace 1
	[ "$(jq -r .updated_at "$(speed)")" = 2030-01-31T08:00:00.000000 ]
}

@test "halt: pause lets nothing be claimed until resume, and twice is as good as once" {
	viv-add -q -i a -m local 'echo hi' 2>/dev/null
	viv-halt pause
	viv-halt -m why pause
	[ -e "$W/world/mutable/PAUSE" ]
	run viv-claim -r ada
	[ "$status" -eq 77 ]
	[ "$(cycle_says)" = completed ]
	viv-halt resume
	viv-halt resume
	[ ! -e "$W/world/mutable/PAUSE" ]
	[ "$(viv-claim -r ada | jq -r .id)" = a ]
}

@test "halt: resume removes whatever is in the way" {
	mkdir -p "$W/world/mutable/PAUSE/x"
	run viv-halt status
	[ "$status" -eq 1 ]
	viv-halt resume
	ln -s nowhere "$W/world/mutable/PAUSE"
	run viv-halt status
	[ "$status" -eq 1 ]
	viv-halt resume
	viv-halt status
}

@test "halt: pace is a number of seconds from 0 to 300" {
	viv-halt pace 2.5
	[ "$(jq -c .wait_seconds "$(speed)")" = 2.5 ]
	[[ "$(viv-halt status)" == *'pace   2.5 s'* ]]
	viv-halt pace 5m
	[ "$(jq -c .wait_seconds "$(speed)")" = 300 ]
	for bad in 301 -1 x '' 6m nan; do
		run viv-halt pace -- "$bad"
		must test "$status" -eq 2
	done
	run viv-halt pace
	[ "$status" -eq 2 ]
	[ "$(jq -c .wait_seconds "$(speed)")" = 300 ]
}

@test "halt: unknown members stay" {
	echo '{"mine":[1],"halt":false}' >"$(switch)"
	echo '{"mine":{"a":1}}' >"$(speed)"
	viv-halt on
	[ "$(jq -c '[.mine,.halt]' "$(switch)")" = '[[1],true]' ]
	viv-halt off
	[ "$(jq -c '[.mine,.halt]' "$(switch)")" = '[[1],false]' ]
	viv-halt pace 1
	[ "$(jq -c '[.mine,.wait_seconds]' "$(speed)")" = '[{"a":1},1]' ]
}

@test "halt: off always works: a damaged switch is set aside byte for byte" {
	for bad in '' '{' '[]' 'halt!' '{"halt":true,"halt":false}'; do
		printf '%s' "$bad" >"$(switch)"
		run viv-halt off
		must test "$status" -eq 0
		[[ "$output" == *"kill_switch.json.damaged"* ]]
		must test "$(cat "$(switch).damaged"; echo x)" = "${bad}x"
		must test "$(jq .halt "$(switch)")" = false
		viv-halt status
	done
	rm "$(switch)"
	mkdir -p "$(switch)/sub"
	viv-halt -q off
	[ -d "$(switch).damaged/sub" ]
	viv-halt status
	ln -sf /etc/passwd "$(switch)"
	viv-halt off
	viv-halt status
	rm "$(switch)"
	viv-halt off
	[ "$(jq .halt "$(switch)")" = false ]
}

@test "halt: on replaces a damaged switch by one that says why" {
	echo '{' >"$(switch)"
	viv-halt -q -m 'because' on
	[ "$(jq -c '[.halt,.reason]' "$(switch)")" = '[true,"because"]' ]
	[ "$(cat "$(switch).damaged")" = '{' ]
}

@test "halt: a switch whose halt is no truth value halts, and off mends it in place" {
	echo '{"halt":"no","mine":1}' >"$(switch)"
	run viv-halt status
	[ "$status" -eq 1 ]
	viv-halt off
	[ "$(jq -c '[.halt,.mine]' "$(switch)")" = '[false,1]' ]
	[ ! -e "$(switch).damaged" ]
}

@test "halt: on halts even when nothing can be written" {
	run bash -c 'trap "" XFSZ; ulimit -f 0; viv-halt -m why on 2>/dev/null; echo $?'
	[ "$output" = 0 ]
	[ ! -s "$(switch)" ]
	run viv-halt status
	[ "$status" -eq 1 ]
	viv-halt -q off
	viv-halt status
	run bash -c 'trap "" XFSZ; ulimit -f 0; viv-halt pace 3'
	[ "$status" -eq 74 ]
}

@test "halt: status tells all three and whether the world runs" {
	[ "$(viv-halt status)" = $'halt   off\npause  off\npace   0 s' ]
	[ "$(viv-halt -J status)" = '{"halt":false,"reason":null,"paused":false,"wait_seconds":0}' ]
	viv-halt -m $'a\nb' on
	viv-halt pause
	viv-halt pace 7
	run viv-halt status
	[ "$status" -eq 1 ]
	[ "$output" = $'halt   on: a?b\npause  on\npace   7 s' ]
	run viv-halt -J status
	[ "$output" = '{"halt":true,"reason":"a\nb","paused":true,"wait_seconds":7}' ]
	viv-halt off
	run viv-halt status
	[ "$status" -eq 1 ]
}

@test "halt: a damaged pace is told, kept and never replaced" {
	echo '{"wait_seconds":-1' >"$(speed)"
	run viv-halt status
	[ "$status" -eq 78 ]
	run viv-halt pace 1
	[ "$status" -eq 78 ]
	[ "$(cat "$(speed)")" = '{"wait_seconds":-1' ]
	[ "$(viv-halt -J status 2>/dev/null | jq .wait_seconds)" = null ]
}

@test "halt: -n prints what would be written and changes no byte" {
	before=$(cd "$W" && find . -type f -exec sha256sum {} + | sort)
	[ "$(viv-halt -n -m x on | jq -c '[.halt,.reason]')" = '[true,"x"]' ]
	[ "$(viv-halt -n pace 9 | jq .wait_seconds)" = 9 ]
	[[ "$(viv-halt -n pause)" == *PAUSE* ]]
	viv-halt -n resume
	[ "$before" = "$(cd "$W" && find . -type f -exec sha256sum {} + | sort)" ]
}

@test "halt: eight at once leave one whole switch" {
	for i in 1 2 3 4 5 6 7 8; do
		viv-halt -m "n$i" on &
	done
	wait
	jq -e '.halt and (.reason|test("^n[1-8]$"))' "$(switch)"
	[ -z "$(find "$W/world/mutable/.swarm" -name '*.tmp.*')" ]
}

@test "halt: wrong usage ends with 2, lost output with 74" {
	for args in '' 'frob' 'on off' 'pace 1 2' '-x on' '-m'; do
		run viv-halt $args
		must test "$status" -eq 2
	done
	run viv-halt -m "$(printf '%0501d' 0)" on
	[ "$status" -eq 2 ]
	run viv-halt -m $'\xff' on
	[ "$status" -eq 2 ]
	run sh -c 'viv-halt status >/dev/full'
	[ "$status" -eq 74 ]
	run viv-halt -C / status
	[ "$status" -eq 78 ]
}
