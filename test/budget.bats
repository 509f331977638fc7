# Money and rate: lib/budget, lib/ledger, viv-budget.

load helper

bats_require_minimum_version 1.5.0

ledger() { "$BUILD/test/ledger" "$@"; }
teardown() { umount -l small 2>/dev/null || :; }

book() { printf '%s\n' "$W/meta/audit/api_audit.log"; }
events() { jq -r .event "$(book)" | paste -sd' ' -; }
spent() { viv-budget -J "$@" | jq -c '[.total.spent_microusd, .total.reserved_microusd]'; }

@test "budget: prices are exact sums, rounded up once" {
	"$BUILD/test/price_test" "$REPO/share/models.json" "$REPO/test/fixture/core-vectors.json"
}

@test "budget: a fresh world has the documented limits and says who set them" {
	run -0 viv-budget
	[[ $output == *'task '*'0.100000'*'default'* ]]
	[[ $output == *'world '*'5.000000'*'default'* ]]
	[[ $output == *'rate: 60 calls a minute (default), 60 left now'* ]]
	[ "$(SWARM_BUDGET_LIMIT=0.5 SWARM_RATE_LIMIT=7 viv-budget -J | jq -c '.limits | [.world, .rate] | map([.limit, .set_by])')" = \
	    '[[0.5,"SWARM_BUDGET_LIMIT"],[7,"SWARM_RATE_LIMIT"]]' ]
	viv-budget set world 2
	viv-budget -s set world-day 1.5
	[ "$(SWARM_BUDGET_LIMIT=9 viv-budget -J | jq -c '.limits | [.world.limit, .world.set_by, .world_day.soft]')" = \
	    '[2,"meta/security/budget.json",1.5]' ]
	[ "$(stat -c %a "$W/meta/security/budget.json")" = 600 ]
	viv-budget set world default
	[ "$(viv-budget -J | jq .limits.world.limit)" = 5 ]
	viv-budget set world none
	[ "$(viv-budget -J | jq .limits.world.limit)" = null ]
}

@test "budget: every line of the table fits 80 columns" {
	viv-budget set world 99999.5
	viv-budget set resident-day 10000
	run -0 viv-budget
	while read -r line; do
		[ "${#line}" -le 80 ]
	done <<<"$output"
}

@test "budget: set refuses what is no limit and changes no byte, -n neither" {
	viv-budget set world 2
	sum=$(sha256sum <"$W/meta/security/budget.json")
	run -2 viv-budget set world much
	run -2 viv-budget set world -1
	run -2 viv-budget set rate 0.5
	run -2 viv-budget set moon 1
	run -2 viv-budget -s set rate 1
	run -2 viv-budget set world
	run -0 viv-budget -n set world 3
	[ "$sum" = "$(sha256sum <"$W/meta/security/budget.json")" ]
	jq '.mine = 1' "$W/meta/security/budget.json" >new
	cat new >"$W/meta/security/budget.json"
	viv-budget set rate 5
	[ "$(jq -c . "$W/meta/security/budget.json")" = '{"world":2,"mine":1,"rate":5}' ]
}

@test "budget: a reservation holds its worst case until it is settled at its cost" {
	id=$(ledger reserve -t a -r ann 1000)
	[ "$(spent -n)" = '[0,1000]' ]
	ledger settle "$id" 300 10 20
	[ "$(spent)" = '[300,0]' ]
	run -1 ledger settle "$id" 300	# counted once
	[ "$(spent)" = '[300,0]' ]
	id=$(ledger reserve -t a 1000)
	ledger refund "$id"
	id=$(ledger reserve -t b -r ben 1000)
	ledger forfeit "$id"
	[ "$(spent)" = '[1300,0]' ]
	[ "$(viv-budget -b task -J | jq -c '[.task, .calls, .spent_microusd, .input_tokens]' | paste -sd' ')" = \
	    '["a",2,300,10] ["b",1,1000,0]' ]
	[ "$(viv-budget -b resident -J | jq -r .resident | cut -d' ' -f2 | paste -sd' ')" = 'ann ben' ]
	[ "$(viv-budget -b model -J | jq -c '[.model, .spent_microusd]')" = '["llama-3.1-8b-instant",1300]' ]
	[ "$(jq -c 'select(.event == "API_CALL_SUCCESS") | [.cost, .cost_microusd, .role, .answered_by]' "$(book)")" = \
	    '[0.0003,300,"admin","answered"]' ]
}

@test "budget: each limit refuses on its own, names its file, and records it" {
	viv-budget set resident-day 0.0020
	viv-budget set world-day 0.0030
	viv-budget set world 0.0040
	run -76 --separate-stderr ledger reserve -t a -x 500 501
	[[ $output == 'task max_budget -1.000' ]]
	[[ $stderr == *'over the limit task of a: 0.000000 used or reserved, at most 0.000501 more asked, 0.000500 allowed (max_budget)'* ]]
	ledger settle "$(ledger reserve -t a -x 500 500)" 400
	run -76 ledger reserve -t a -x 500 101	# what its attempts cost together
	ledger settle "$(ledger reserve -r ann 1600)" 1600
	run -76 --separate-stderr ledger reserve -r ann 401
	[[ $output == 'resident_day meta/security/budget.json '* ]]
	run -76 --separate-stderr ledger reserve -r ben 1001
	[[ $output == 'world_day meta/security/budget.json '* ]]
	ledger settle "$(ledger reserve -r ben 1000)" 1000
	VIV_NOW=$(date -u -d tomorrow +%FT12:00:00Z) run -76 --separate-stderr ledger reserve -r ann 1001
	[[ $output == 'world meta/security/budget.json -1.000' ]]
	VIV_NOW=$(date -u -d tomorrow +%FT12:00:00Z) run -0 ledger reserve -r ann 1000	# a new day
	[ "$(jq -r 'select(.scope) | [.event, .scope] | join(":")' "$(book)" | paste -sd' ')" = \
	    'TASK_BUDGET_EXCEEDED:task TASK_BUDGET_EXCEEDED:task BUDGET_EXCEEDED:resident_day BUDGET_EXCEEDED:world_day BUDGET_EXCEEDED:world' ]
}

@test "budget: a task without max_budget has the limit for tasks" {
	run -76 ledger reserve -t a 100001
	run -0 ledger reserve -t a 100000
	run -0 ledger reserve 100001	# no task: a person asks
}

@test "budget: an identity's day is one, whoever runs it" {
	viv-budget set resident-day 0.001
	ledger reserve -i ada -r resident_1 1000
	run -76 ledger reserve -i ada -r resident_2 1
}

@test "budget: fifty processes and a budget of twenty calls: never a twenty-first" {
	viv-budget set world 0.002
	viv-budget set rate none
	for i in $(seq 50); do
		ledger loop 1 100 100 >"made.$i" 2>/dev/null &
	done
	wait
	[ "$(cat made.* | jq -s add)" -eq 20 ]
	[ "$(spent)" = '[2000,0]' ]
}

@test "budget: killed at any system call a process leaves nothing uncounted" {
	export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0	# it cannot be traced
	viv-budget set rate none
	"$BUILD/test/killat" -c "$BUILD/test/ledger" loop 1 700 300 >/dev/null 2>calls
	calls=$(sed 's/calls: //' calls)
	[ "$calls" -ge 5 ]
	for n in $(seq "$calls"); do
		rm -rf "$W"/meta/audit/api_audit* "$W/world/mutable/.cache"
		"$BUILD/test/killat" "$n" "$BUILD/test/ledger" loop 1 700 300 >/dev/null 2>&1 || :
		reserved=$(grep -c '^{.*RESERVED.*}$' "$(book)" || :)
		settled=$(grep -c '^{.*SUCCESS.*}$' "$(book)" || :)
		[ "$(spent)" = "[$((settled ? 300 : reserved * 700)),0]" ]
		ledger loop 1 700 300 >/dev/null
		[ "$(spent)" = "[$(((settled ? 300 : reserved * 700) + 300)),0]" ]
	done
}

@test "budget: a storm of killed processes stays within the limit and adds up" {
	viv-budget set world 0.5
	viv-budget set rate none
	for i in $(seq 20); do
		"$BUILD/test/ledger" loop 200 100 40 >/dev/null 2>&1 &
		pids[i]=$!
	done
	for i in $(seq 2 2 20); do
		sleep 0.0"$i"
		kill -KILL "${pids[i]}" 2>/dev/null || :
	done
	wait || :
	rm -rf "$W/world/mutable/.cache"
	[ "$(spent | jq '.[1]')" -eq 0 ]
	[ "$(spent | jq '.[0]')" -eq "$(jq -s 'map(.cost_microusd // 0) | add' "$(book)")" ]
	[ "$(spent | jq '.[0]')" -le 500000 ]
	opened=$(grep -c RESERVED "$(book)")
	closed=$(grep -c 'SUCCESS\|FORFEITED' "$(book)")
	[ "$opened" -eq "$closed" ]
	[ "$opened" -ge 2000 ]	# the ten that were not killed
}

@test "budget: a live call stays reserved, a dead one is spent and says so, a late word corrects it" {
	"$BUILD/test/ledger" hold 900 >id &
	pid=$!
	wait_until test -s id
	[ "$(spent)" = '[0,900]' ]
	kill -KILL $pid
	wait $pid || :
	[ "$(spent -n)" = '[0,900]' ]
	[ "$(spent)" = '[900,0]' ]
	[ "$(jq -r 'select(.event == "API_CALL_FORFEITED") | .reason' "$(book)")" = 'its process died' ]
	ledger settle "$(cat id)" 200
	[ "$(spent)" = '[200,0]' ]
}

@test "budget: a call on another host counts as spent when its time is over" {
	id=$(ledger reserve 900)
	sed -i 's/"host":"[^"]*"/"host":"elsewhere"/' "$(book)"
	[ "$(spent)" = '[0,900]' ]
	[ "$(VIV_NOW=$(date -u -d '+2 hours' +%FT%TZ) spent)" = '[900,0]' ]
	[ "$(jq -r 'select(.event == "API_CALL_FORFEITED") | .call' "$(book)")" = "$id" ]
}

@test "budget: the rate is shared by all processes, and a stepped clock neither stops nor frees it" {
	viv-budget set rate 5
	for _ in 1 2 3 4 5; do ledger reserve 1; done
	run -75 --separate-stderr ledger reserve 1
	[[ $output == 'rate meta/security/budget.json '* ]]
	wait_s=$(cut -d' ' -f3 <<<"$output")
	jq -en "$wait_s > 0 and $wait_s <= 12"
	VIV_NOW=$(date -u -d '+1 day' +%FT%TZ) run -75 ledger reserve 1
	VIV_NOW=$(date -u -d '-1 day' +%FT%TZ) run -75 ledger reserve 1
	sed -i 's/"boot_id":"[^"]*"/"boot_id":"before"/' "$(book)"	# the machine was started anew
	VIV_NOW=$(date -u -d '+1 minute' +%FT%TZ) run -0 ledger reserve 1
	[ "$(grep -c RATE_LIMITED "$(book)")" -ge 1 ]
}

@test "budget: what a provider asks holds everybody, for that provider" {
	ledger pause groq 3600
	run -75 --separate-stderr ledger reserve -p groq 1
	[[ $output == 'pause meta/audit/api_audit.log 3'* ]]
	run -0 ledger reserve -p other 1
	ledger pause groq 0
	run -0 ledger reserve -p groq 1
}

@test "budget: two worlds do not share" {
	viv-budget set world 0.001
	ledger reserve 1000
	run -76 ledger reserve 1
	viv-init -q "$BATS_TEST_TMPDIR/other"
	VIV_ROOT=$BATS_TEST_TMPDIR/other run -0 ledger reserve 1
}

@test "budget: an unknown price is shown as unpriced, never as zero" {
	ledger settle "$(ledger reserve -t a unpriced)" unpriced 10 20
	run -0 viv-budget -b task
	[[ ${lines[1]} == 'a '*'1 '*'10 '*'20 '*unpriced* ]]
	run -0 viv-budget
	[[ $output == *'calls: 1, of which 1 at an unknown price, 0 open now'* ]]
	[ "$(jq -c 'select(.event == "API_CALL_SUCCESS") | [.cost, .unpriced]' "$(book)")" = '[null,true]' ]
}

@test "budget: a torn tail is set aside, any other damage stops every call with 78" {
	ledger reserve 100
	printf '{"event":"API_CALL_RES' >>"$(book)"
	ledger reserve 100
	[ "$(cat "$W/meta/audit/api_audit.torn")" = '{"event":"API_CALL_RES' ]
	[ "$(events)" = 'API_CALL_RESERVED API_CALL_FORFEITED API_CALL_RESERVED' ]
	rm -rf "$W/world/mutable/.cache"
	printf 'not json\n' >>"$(book)"
	sum=$(sha256sum <"$(book)")
	run -78 ledger reserve 100
	[[ $output == *"'meta/audit/api_audit.log' is damaged at byte "* ]]
	run -78 viv-budget
	[ "$sum" = "$(sha256sum <"$(book)")" ]
}

@test "budget: damaged limits stop every call with 78, and are never replaced" {
	local bad
	for bad in '{"world":"much"}' '{"world":-1}' '{"rate":0}' '[1]' '{"world":' '{"soft":3}' '{"world":1,"world":2}'; do
		printf '%s' "$bad" >"$W/meta/security/budget.json"
		run -78 ledger reserve 1
		[[ $output == *"'meta/security/budget.json'"* ]]
		run -78 viv-budget set rate 5
		[ "$(cat "$W/meta/security/budget.json")" = "$bad" ]
	done
	[ ! -e "$(book)" ] || [ "$(grep -c RESERVED "$(book)")" -eq 0 ]
}

@test "budget: without the cache, with it, and after a rotation the sums are the same" {
	viv-budget set rate none
	viv-budget set world none
	ledger loop 600 100 40 >/dev/null
	[ -e "$W/world/mutable/.cache/ledger" ]
	one=$(viv-budget -J; for by in day model resident task; do viv-budget -b $by -J; done)
	rm "$W/world/mutable/.cache/ledger"
	two=$(viv-budget -J; for by in day model resident task; do viv-budget -b $by -J; done)
	[ "$(jq -c 'del(.limits)' <<<"$one")" = "$(jq -c 'del(.limits)' <<<"$two")" ]
	viv-tidy -q -s 1k
	[ -e "$W/meta/audit/api_audit.1.log" ]
	[ ! -e "$(book)" ]
	[ "$(spent)" = '[24000,0]' ]
	ledger loop 1 100 40
	rm -rf "$W/world/mutable/.cache"
	[ "$(spent)" = '[24040,0]' ]
}

@test "budget: a cache of another book, or half a cache, is not believed" {
	viv-budget set rate none
	viv-budget set world none
	ledger loop 600 100 40 >/dev/null
	cache=$W/world/mutable/.cache/ledger
	[ -e "$cache" ]
	cp "$cache" whole
	head -n 3 whole >"$cache"
	[ "$(spent)" = '[24000,0]' ]
	sed 's/\[0,"",24000/[0,"",1/' whole >"$cache"
	! cmp -s whole "$cache"
	head -n 100 "$(book)" >book && cat book >"$(book)"
	[ "$(spent)" != '[1,0]' ]
	[ "$(spent | jq '.[0] % 40')" -eq 0 ]
}

@test "budget: lines of the older system count" {
	printf '%s\n' '{"timestamp":"2026-01-02T03:04:05.000006","event":"API_CALL_SUCCESS","user":"swarm_api","role":"admin","model":"m","cost":0.25,"input_tokens":7,"output_tokens":8}' \
	    '{"timestamp":"2026-01-02T03:04:06.000006","event":"RATE_LIMITED","user":"swarm_api","role":"admin","model":"m"}' >"$(book)"
	[ "$(spent)" = '[250000,0]' ]
	[ "$(viv-budget -b day -J | jq -c '[.day, .spent_microusd, .input_tokens]')" = '["2026-01-02",250000,7]' ]
}

@test "budget: a full disk reserves nothing" {
	mkdir small
	mount -t tmpfs -o size=200k tmpfs small || skip 'cannot mount'
	viv-init -q small/w
	export VIV_ROOT=$PWD/small/w
	cat /dev/zero >small/fill 2>/dev/null || :
	run ledger reserve 100
	full=$status
	left=$(grep -c RESERVED "$VIV_ROOT/meta/audit/api_audit.log" 2>/dev/null || :)
	rm small/fill
	[ "$(viv-budget -J | jq .total.reserved_microusd)" -eq 0 ]
	run ledger reserve 100
	ok=$status
	[ "$full" -eq 74 ]
	[ "${left:-0}" -eq 0 ]
	[ "$ok" -eq 0 ]
}

@test "budget: check says whether claims of llm tasks should stop, and why" {
	run -0 viv-budget check
	viv-budget -s set world 0.001
	ledger settle "$(ledger reserve 1000)" 1000
	run -76 viv-budget check
	[ "$output" = 'the soft limit world is reached: 0.001000 of 0.001000 (meta/security/budget.json)' ]
	viv-budget set world none
	viv-budget -s set world none
	viv-budget set resident-day 0.001
	ledger reserve -r ann 1000
	run -0 viv-budget check
	run -0 viv-budget check ben
	run -76 viv-budget check ann
}

@test "budget: at a soft limit residents go on with local tasks and take no llm task" {
	viv-budget -s set world 0.001
	ledger settle "$(ledger reserve 1000)" 1000
	viv-add -q -m llm -i thought 'think' >/dev/null
	viv-add -q -m local -i work true >/dev/null
	viv-claim -e -r ann 2>talk | viv-log | viv-cycle | viv-log | viv-review | viv-log | jq -r .id >done
	[ "$(cat done)" = work ]
	grep -q "no llm tasks for now: the soft limit world is reached" talk
	run -1 viv-status -w thought
	[[ $output == *'NO  budget '*'the soft limit world is reached'* ]]
	viv-budget set world 9
	viv-budget -s set world none
	run -0 viv-status -w thought
	[[ $output == *'ok  budget '* ]]
	run -0 viv-claim -c 1 -r ann
	[[ $output == *'"id":"thought"'* ]]
}

@test "budget: the doctor names a damaged line of the ledger" {
	ledger reserve 100
	printf 'not json\n' >>"$(book)"
	run -78 viv-doctor
	[[ $output == *"'meta/audit/api_audit.log' is damaged at byte"* ]]
}
