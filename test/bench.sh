#!/bin/bash
# What it costs here, beside what others cost here: test/bench.sh [start|claim|drain|memory|llm|api ...]
# Medians of rounds in which the candidates take turns, so that a slow minute of the
# machine hits all of them. BENCH_TASKS, BENCH_ROUNDS change the sizes. A peer that is
# not installed is named and left out.
set -u
cd "$(dirname "$0")/.." || exit 1
BIN=${VIV_BIN:-$PWD/bin}
BUILD=${VIV_BUILD:-$PWD/build}
PATH=$BIN:$PATH
tasks=${BENCH_TASKS:-2000} rounds=${BENCH_ROUNDS:-5}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
export TZ=UTC LC_ALL=C
unset VIV_ROOT

have() { command -v "$1" >/dev/null; }

# Microseconds of: COMMAND ..., appended to the file $1.
took() {
	local out=$1 start=${EPOCHREALTIME/./} end
	shift
	"$@"
	end=${EPOCHREALTIME/./}
	echo $((end - start)) >>"$out"
}

median() { sort -n "$1" | sed -n "$((($(wc -l <"$1") + 1) / 2))p"; }

# Ratio of $1 to $2 with two decimals.
ratio() { printf '%d.%02d' $(($1 / $2)) $(($1 * 100 / $2 % 100)); }

repeat() {
	local n=$1 i
	shift
	for ((i = 0; i < n; i++)); do
		"$@" >/dev/null 2>&1 </dev/null
	done
}

machine() {
	printf 'machine: %s, %s cores, %s MiB, Linux %s, %s on %s\n' \
	    "$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" \
	    "$(($(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo) / 1024))" "$(uname -r)" \
	    "$tmp" "$(df --output=fstype "$tmp" | tail -n 1)"
}

# A world with $2 tasks `true`.
world() {
	rm -rf "${tmp:?}/$1"
	viv-init -q "$tmp/$1" >/dev/null || exit 1
	for ((i = 1; i <= $2; i++)); do
		printf '{"id":"t%d","command":"true","mode":"local"}\n' "$i"
	done | viv-add -q -C "$tmp/$1" >/dev/null || exit 1
}

bench_start() {
	local c n=20 base
	for ((r = 0; r < rounds * 3; r++)); do
		took "$tmp/true.us" repeat $n /bin/true
		for c in "$BIN"/viv*; do
			took "$tmp/${c##*/}.us" repeat $n "$c" -h
		done
	done
	base=$(median "$tmp/true.us")
	printf '\n%-24s %10s %8s\n' 'start (-h)' us ratio
	printf '%-24s %10d %8s\n' /bin/true $((base / n)) 1.00
	for c in "$BIN"/viv*; do
		us=$(median "$tmp/${c##*/}.us")
		printf '%-24s %10d %8s\n' "${c##*/}" $((us / n)) "$(ratio "$us" "$base")"
	done
}

bench_claim() {
	local n=10 size us base
	printf '\n%-24s %10s %8s\n' 'one claim (-c 1)' us ratio
	for size in 100 10000; do
		world claim $size
		cp -a "$tmp/claim" "$tmp/fresh"
		rm -f "$tmp"/claim.*us
		for ((r = 0; r < rounds; r++)); do
			rm -rf "$tmp/claim"
			cp -a "$tmp/fresh" "$tmp/claim"
			VIV_ROOT=$tmp/claim repeat 1 viv-claim -c 1 -r bench
			took "$tmp/claim.true.us" repeat $n /bin/true
			VIV_ROOT=$tmp/claim took "$tmp/claim.us" repeat $n viv-claim -c 1 -r bench
		done
		rm -rf "$tmp/fresh"
		base=$(median "$tmp/claim.true.us") us=$(median "$tmp/claim.us")
		[ "$size" -gt 100 ] || printf '%-24s %10d %8s\n' /bin/true $((base / n)) 1.00
		printf '%-24s %10d %8s\n' "of $size tasks" $((us / n)) "$(ratio "$us" "$base")"
	done
}

drain_xargs() { seq "$tasks" | xargs -P 2 -n 1 true; }
drain_parallel() { seq "$tasks" | parallel -j 2 --joblog "$tmp/joblog" true >/dev/null 2>&1; }
drain_nq() {
	mkdir "$tmp/nq"
	for ((i = 0; i < tasks; i++)); do
		NQDIR=$tmp/nq nq -q true
	done
	NQDIR=$tmp/nq nq -qw
}
drain_tsp() {
	export TS_SOCKET=$tmp/tsp TMPDIR=$tmp TS_MAXFINISHED=10
	tsp -S 2
	for ((i = 0; i < tasks; i++)); do
		tsp -n true
	done >/dev/null
	tsp -N 1 true >/dev/null
	while tsp -l | grep -qE ' (running|queued) '; do
		sleep 0.01
	done
	tsp -K
}
drain_viv() {
	viv-resident -e -j 2 -r bench
}

# Each round has a world of its own, kept to the end: ext4 without a journal looks through
# recently deleted inodes for each new file, and whoever comes next would pay for that.
bench_drain() {
	local base who us
	for ((r = 0; r < rounds; r++)); do
		took "$tmp/drain.xargs" drain_xargs
		world "drain$r" "$tasks"
		VIV_ROOT=$tmp/drain$r took "$tmp/drain.viv" drain_viv
		done=$(grep -c '"status":"approved".*"final":true' "$tmp/drain$r/meta/audit/execution_log.jsonl")
		[ "$done" = "$tasks" ] || echo "bench: only $done of $tasks tasks were done" >&2
		! have parallel || took "$tmp/drain.parallel" drain_parallel
		! have tsp || took "$tmp/drain.tsp" drain_tsp
		! have nq || [ "$r" -gt 0 ] || took "$tmp/drain.nq" drain_nq
	done
	base=$(median "$tmp/drain.xargs")
	printf '\n%-24s %10s %8s\n' "$tasks times true, 2 jobs" ms ratio
	for who in xargs viv parallel tsp nq; do
		if [ -e "$tmp/drain.$who" ]; then
			us=$(median "$tmp/drain.$who")
			printf '%-24s %10d %8s\n' "$who" $((us / 1000)) "$(ratio "$us" "$base")"
		else
			printf '%-24s %10s\n' "$who" 'not installed'
		fi
	done
	echo '(viv: posted before; checked, confined, logged durably and reviewed. tsp and nq: with posting;'
	echo ' nq runs one job at a time, once. xargs and parallel: no queue.)'
}

bench_memory() {
	local size=10000 f=$tmp/peak
	world memory $size
	export VIV_ROOT=$tmp/memory
	p() { "$BUILD/test/peak" "$f" "$@"; }
	p viv-claim -e -w 8 -r bench | p viv-log | p viv-guard | p viv-cycle -j 2 | p viv-log | p viv-review |
	    p viv-log | p viv-release >/dev/null
	unset VIV_ROOT
	printf '\n%-24s %10s\n' "peak at $size tasks" KiB
	sort -k2nr "$f" | while read -r name kb; do
		printf '%-24s %10d\n' "$name" "$kb"
	done
}

# One completion of a local server, streamed, by viv-llm and by curl; then 200 of a server
# that takes 100 ms, 20 at a time: 1 s is the least.
bench_llm() {
	local url n=20 curl llm pid body=$tmp/body.json
	if ! have curl; then
		printf '\n%-24s %10s\n' 'one completion' 'no curl'
		return
	fi
	mkdir -p "$tmp/fault"
	"$BUILD/test/faultd" "$tmp/fault" 600 &
	pid=$!
	until [ -e "$tmp/fault/port" ]; do sleep 0.01; done
	url=http://127.0.0.1:$(cat "$tmp/fault/port")
	viv-init -q "$tmp/llm" >/dev/null
	printf '{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}' >"$body"
	export VIV_ROOT=$tmp/llm OPENAI_BASE_URL=$url/stream/v1 SWARM_RATE_LIMIT=1000000
	unset GROQ_API_KEY OPENAI_API_KEY http_proxy https_proxy all_proxy
	for ((r = 0; r < rounds; r++)); do
		took "$tmp/llm.curl" repeat $n curl -sN -H 'Content-Type: application/json' -d "@$body" \
		    "$url/stream/v1/chat/completions"
		took "$tmp/llm.viv" repeat $n viv-llm hi
		took "$tmp/llm.bare" repeat $n env -C / -u VIV_ROOT "$BIN/viv-llm" hi
	done
	curl=$(median "$tmp/llm.curl")
	printf '\n%-24s %10s %8s\n' 'one completion' us ratio
	printf '%-24s %10d %8s\n' curl $((curl / n)) 1.00
	for who in 'viv-llm, no world' viv-llm; do
		llm=$(median "$tmp/llm.$([ "$who" = viv-llm ] && echo viv || echo bare)")
		printf '%-24s %10d %8s\n' "$who" $((llm / n)) "$(ratio "$llm" "$curl")"
	done
	export OPENAI_BASE_URL=$url/slow100/v1
	for ((i = 0; i < 200; i++)); do
		printf '{"ref":%d,"prompt":"hi"}\n' "$i"
	done >"$tmp/lines"
	for ((r = 0; r < rounds; r++)); do
		took "$tmp/llm.many" viv-llm -l -j 20 <"$tmp/lines" >"$tmp/many.out"
		[ "$(grep -c '"status":"completed"' "$tmp/many.out")" = 200 ] || echo "bench: not all were answered" >&2
	done
	printf '\n%-24s %10s\n' '200 completions, -j 20' ms
	printf '%-24s %10d\n' 'least possible' 1000 viv-llm $(($(median "$tmp/llm.many") / 1000))
	unset VIV_ROOT OPENAI_BASE_URL SWARM_RATE_LIMIT
	kill "$pid"
}

# $1 requests, one after the other on one connection, or $2 at once, of the kind $3.
requests() {
	local n=$1 at_once=$2 url=http://127.0.0.1:$port/$3 i
	for ((i = 0; i < n; i++)); do
		printf 'url = %s\noutput = /dev/null\n' "$url"
	done >"$tmp/urls"
	set -- -s -S -f --no-progress-meter -K "$tmp/urls"
	[ "${url##*/}" != cycle ] || set -- "$@" -H @"$tmp/header" -d '{"task":"echo hello"}'
	[ "$at_once" -eq 1 ] || set -- "$@" -Z --parallel-max "$at_once"
	curl "$@" || echo "bench: requests of $url failed" >&2
}

# The figures of the older API are from its own description: 1 ms and 3 ms.
bench_api() {
	local n=200 us path reference pid at_once
	PATH=$PATH:/usr/sbin
	if ! have lighttpd || ! have curl; then
		printf '\n%-24s %10s\n' 'one request' 'lighttpd or curl not installed'
		return
	fi
	world api 100
	port=$((20000 + RANDOM % 20000))
	VIV_ROOT=$tmp/api viv-panel --api -p $port 2>"$tmp/panel.err" &
	pid=$!
	curl -sf -o /dev/null --retry 50 --retry-connrefused --retry-delay 1 "http://127.0.0.1:$port/health"
	{
		sed 's/^/X-Vivarium-Internal-Token: /' "$tmp/api/meta/security/internal_execution_token.txt"
		echo 'Content-Type: application/json'
	} >"$tmp/header"
	for ((r = 0; r < rounds; r++)); do
		took "$tmp/api.true" repeat 20 /bin/true
		for path in health status cycle; do
			for at_once in 1 4; do
				took "$tmp/api.$path.$at_once" requests $n $at_once $path
			done
		done
	done
	kill $pid
	wait $pid
	printf '\n%-24s %10s %8s %12s %12s\n' 'one request' us ratio 'a second' '4 at once'
	printf '%-24s %10d\n' '/bin/true, started' $(($(median "$tmp/api.true") / 20))
	for path in health status cycle; do
		case $path in cycle) reference=3000 ;; *) reference=1000 ;; esac
		us=$(($(median "$tmp/api.$path.1") / n))
		printf '%-24s %10d %8s %12d %12d\n' "/$path" $us "$(ratio $us $reference)" \
		    $((1000000 / us)) $((1000000 * n / $(median "$tmp/api.$path.4")))
	done
	echo '(ratio: to 1 ms, and 3 ms for /cycle, of the API that stays in memory. /cycle: checked, logged by'
	echo ' the guard, confined. A process a request: one that is slow holds up no other.)'
}

machine
[ $# -gt 0 ] || set -- start claim drain memory llm api
for part in "$@"; do
	"bench_$part"
done
