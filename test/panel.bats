load helper
bats_require_minimum_version 1.5.0

setup() {
	mkdir -p "$BATS_TEST_TMPDIR/tree" "$BATS_TEST_TMPDIR/tmp" "$BATS_TEST_TMPDIR/bin"
	cd "$BATS_TEST_TMPDIR/tree" || return 1
	make_world
	echo hello >f.txt
	TOKEN=$(cat "$W/meta/security/internal_execution_token.txt")
	PATH=$PATH:/usr/sbin
	command -v lighttpd >/dev/null || skip 'lighttpd is not installed'
	unset VIVARIUM_MVP_DOCS_ONLY VIVARIUM_INTERNAL_EXECUTION_TOKEN SWARM_ENFORCE_INTERNAL_TOKEN
	panel=''
}

teardown() {
	[ ! -e "$BATS_TEST_TMPDIR/running" ] || xargs kill <"$BATS_TEST_TMPDIR/running" 2>/dev/null || :
	[ -z "$panel" ] || { kill "$panel" 2>/dev/null; wait "$panel" || :; }
}

answers() { curl -sf -o /dev/null "http://127.0.0.1:$port/health" || ! kill -0 "$panel" 2>/dev/null; }

# Start it on a port that nobody has; sets $port, $panel, $url.
start() {
	local try
	for try in 1 2 3 4 5 6 7 8 9; do
		port=$((20000 + RANDOM % 20000))
		TMPDIR=$BATS_TEST_TMPDIR/tmp "${PANEL:-$BIN/viv-panel}" --api -p $port \
		    >"$BATS_TEST_TMPDIR/panel.out" 2>"$BATS_TEST_TMPDIR/panel.err" 3>&- &
		panel=$!
		wait_until answers
		! kill -0 "$panel" 2>/dev/null || break
		wait "$panel" || :
		panel=''
	done
	url=http://127.0.0.1:$port
	[ -n "$panel" ] || { cat "$BATS_TEST_TMPDIR/panel.err" >&2; return 1; }
}

# call CODE CURL-ARGUMENTS ...: with that status; the body, which must be JSON, in $body.
call() {
	local status=$1
	shift
	code=$(curl -s -o "$BATS_TEST_TMPDIR/body" -w '%{http_code}' --max-time 60 "$@") || :
	body=$(cat "$BATS_TEST_TMPDIR/body")
	if [ "$code" != "$status" ] || ! jq -e . <<<"$body" >/dev/null; then
		printf 'wanted %s, got %s from: %s\n%s\n' "$status" "$code" "$*" "$body"
		return 1
	fi
}
post() { call "$1" -H "X-Vivarium-Internal-Token: $TOKEN" -H 'Content-Type: application/json' "${@:2}"; }

# Bytes as they are on stdin; prints what comes back until the server closes.
raw() { timeout 30 bash -c 'exec 3<>/dev/tcp/127.0.0.1/$0; cat >&3; cat <&3' "$port"; }

# Commands of ours in a directory where each viv-cycle waits until it is let go.
slow_cycle() {
	mkdir -p "$BATS_TEST_TMPDIR/contrib"
	ln -s "$REPO/contrib/httpd" "$BATS_TEST_TMPDIR/contrib/httpd"
	cp "$BIN/viv-panel" "$BIN/viv-api-cgi" "$BATS_TEST_TMPDIR/bin/"
	ln -s "$BIN/viv-guard" "$BIN/viv-status" "$BATS_TEST_TMPDIR/bin/"
	cat >"$BATS_TEST_TMPDIR/bin/viv-cycle" <<-END
		#!/bin/sh
		read -r line
		mkfifo "$BATS_TEST_TMPDIR/hold.\$\$"
		echo \$\$ >>"$BATS_TEST_TMPDIR/running"
		read -r x <"$BATS_TEST_TMPDIR/hold.\$\$"
		printf '%s\n' "\$line" | exec "$BIN/viv-cycle"
	END
	chmod +x "$BATS_TEST_TMPDIR/bin/viv-cycle"
	PANEL=$BATS_TEST_TMPDIR/bin/viv-panel
}
running() { [ -e "$BATS_TEST_TMPDIR/running" ] && [ "$(wc -l <"$BATS_TEST_TMPDIR/running")" = "$1" ]; }
let_go() { echo >"$BATS_TEST_TMPDIR/hold.$(sed -n "${1}p" "$BATS_TEST_TMPDIR/running")"; }

@test "panel: the API answers on the loopback address, and on no other" {
	start
	grep -q "the API is at $url" "$BATS_TEST_TMPDIR/panel.err"
	call 200 "$url/status"
	[ "$(jq .tasks <<<"$body")" = 0 ]
	post 200 -d '{"task":"cat f.txt"}' "$url/cycle"
	[ "$(jq -r .output <<<"$body")" = hello ]
	[ "$(ss -Hltn 2>/dev/null "sport = :$port" | grep -cv '127\.0\.0\.1:')" = 0 ]
	run awk -v p="$(printf ':%04X$' "$port")" '$2 ~ p && $4 == "0A" { print $2 }' /proc/net/tcp /proc/net/tcp6
	[ "$output" = "$(printf '0100007F:%04X' "$port")" ]
}

@test "panel: a request the way the reference's worker makes it gets a working answer" {
	command -v python3 >/dev/null || skip 'no python3'
	start
	python3 - "$url" "$TOKEN" <<-'END'
		import json, sys, urllib.error, urllib.request
		base, token = sys.argv[1:]
		opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
		def post(path, payload, token=token):
		    req = urllib.request.Request(base + path, json.dumps(payload).encode(), {
		        "Content-Type": "application/json", "X-Vivarium-Internal-Token": token,
		        "User-Agent": "python-httpx/0.27.0", "Accept": "*/*"})
		    try:
		        with opener.open(req, timeout=120) as r:
		            return r.status, json.load(r)
		    except urllib.error.HTTPError as e:
		        return e.code, json.load(e)
		code, got = post("/cycle", {"prompt": None, "model": None, "min_budget": 0.05,
		    "max_budget": 0.1, "intensity": "medium", "task_id": "task_001",
		    "resident_id": "resident_1", "identity_id": "identity_0001",
		    "task": "cat f.txt", "mode": "local"})
		assert code == 200, (code, got)
		assert set(got) == {"status", "result", "model", "task_id", "usage", "output",
		    "budget_used", "exit_code", "safety_report"}, got
		assert got["status"] == "completed" and got["output"] == "hello\n", got
		assert got["task_id"] == "task_001" and got["exit_code"] == 0, got
		assert got["budget_used"] == 0.05 and isinstance(got["result"], str), got
		code, got = post("/cycle", {"task": "ls"}, token="x")
		assert code == 403 and "internal execution token" in got["detail"], (code, got)
		code, got = post("/cycle", {"prompt": "x", "max_tokens": "many"})
		assert code == 422 and got["detail"][0]["loc"] == ["body", "max_tokens"], (code, got)
		code, got = post("/plan", {})
		assert code == 410 and "disabled in MVP docs-only mode" in got["detail"], (code, got)
		with opener.open(base + "/status", timeout=5) as r:
		    got = json.load(r)
		assert {"tasks", "completed", "failed"} <= set(got), got
	END
}

@test "panel: two slow calls hold up neither the status nor each other" {
	slow_cycle
	start
	for i in 1 2; do
		curl -s -H "X-Vivarium-Internal-Token: $TOKEN" -H 'Content-Type: application/json' \
		    -d "{\"task\":\"echo $i\"}" "$url/cycle" >"$BATS_TEST_TMPDIR/slow.$i" 3>&- &
		slow[i]=$!
	done
	wait_until running 2
	call 200 "$url/status"
	call 403 -d '{}' "$url/cycle"
	[ ! -s "$BATS_TEST_TMPDIR/slow.1" ] && [ ! -s "$BATS_TEST_TMPDIR/slow.2" ]
	let_go 1
	wait -n "${slow[@]}"
	[ "$(cat "$BATS_TEST_TMPDIR"/slow.* | jq -s length)" = 1 ]
	let_go 2
	wait "${slow[@]}" || :
	[ "$(cat "$BATS_TEST_TMPDIR"/slow.* | jq -sr 'map(.output) | sort | add')" = $'1\n2' ]
}

@test "panel: during a call the token is in no argument, no child's environment, no log and no other file" {
	slow_cycle
	export VIVARIUM_INTERNAL_EXECUTION_TOKEN=$TOKEN
	start
	curl -s -H @- -H 'Content-Type: application/json' -d '{"task":"ls","task_id":"t1"}' \
	    "$url/cycle" >"$BATS_TEST_TMPDIR/slow" 3>&- <<<"X-Vivarium-Internal-Token: $TOKEN" &
	wait_until running 1
	run bash -c 'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\0" "\n" | grep -cFf "$1"' _ \
	    "$W/meta/security/internal_execution_token.txt"
	[ "$output" = 0 ]
	run grep -cF "$TOKEN" "/proc/$(cat "$BATS_TEST_TMPDIR/running")/environ"
	[ "$output" = 0 ]
	let_go 1
	wait_until test -s "$BATS_TEST_TMPDIR/slow"
	post 403 -d '{"task":"ls"}' -H 'Host: evil.example' "$url/cycle"
	run grep -rlF "$TOKEN" "$W" "$BATS_TEST_TMPDIR/tmp" "$BATS_TEST_TMPDIR/panel.err" "$BATS_TEST_TMPDIR/panel.out"
	[ "$output" = "$W/meta/security/internal_execution_token.txt" ]
}

@test "panel: hostile requests get JSON and leave the world as it was" {
	start
	before=$(cd "$W" && find . -type f -exec sha256sum {} + | sort)
	good='{"task":"ls"}'
	call 403 -d "$good" "$url/cycle"
	call 403 -H 'X-Vivarium-Internal-Token: wrong' -d "$good" "$url/cycle"
	call 403 -H 'X-Forwarded-For: 127.0.0.1' -d "$good" "$url/cycle"
	call 403 -H 'Host: evil.example' "$url/status"
	call 403 -H 'Origin: http://evil.example' "$url/status"
	post 422 -d '{"task":' "$url/cycle"
	post 422 -d '{"task":"ls","task":"pwd"}' "$url/cycle"
	post 422 -H 'Transfer-Encoding: chunked' -d '{"task":[]}' "$url/cycle"
	post 404 --path-as-is "$url/cycle/x"
	for path in /a/../status /%2e%2e/status /status%2f /a%00 '/%0a' /..%2f..%2fetc/passwd; do
		call 400 --path-as-is "$url$path"
	done
	call 404 "$url/"
	call 404 "$url/env.conf"
	call 405 -X DELETE "$url/cycle"
	call 501 -X PURGE "$url/cycle"
	call 431 -H "X-Flood: $(head -c 9000 /dev/zero | tr '\0' a)" "$url/status"
	# 100 MB are refused by their announcement, and chunked when 1 MiB have come.
	head -c 100M /dev/zero >"$BATS_TEST_TMPDIR/big"
	post 413 --data-binary @"$BATS_TEST_TMPDIR/big" "$url/cycle"
	[[ $body = *'refused by the web server'* ]]
	post 413 -H 'Transfer-Encoding: chunked' --data-binary @"$BATS_TEST_TMPDIR/big" "$url/cycle"
	[[ $body = *'refused by the web server'* ]]
	[ "$(cd "$W" && find . -type f -exec sha256sum {} + | sort)" = "$before" ]
	call 200 "$url/status"
}

@test "panel: bytes that are no HTTP, and lengths that lie, do not pass" {
	start
	local auth="Host: 127.0.0.1\r\nX-Vivarium-Internal-Token: $TOKEN\r\nContent-Type: application/json\r\n"
	not_200() {
		printf '%b' "$1" | raw >"$BATS_TEST_TMPDIR/raw" || :
		must test "$(grep -c '^HTTP/1.. 200' "$BATS_TEST_TMPDIR/raw")" = "${2:-0}"
	}
	not_200 'GET /status\r\n\r\n'
	not_200 'GET /status HTTP/1.1\r\nConnection: close\r\n\r\n'
	not_200 'GET /status HTTP/1.1\r\nHost: a\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n'
	not_200 'GET /status HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n'
	not_200 'GET /sta\0tus HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'
	not_200 "POST /cycle HTTP/1.1\r\n${auth}Content-Length: 13\r\nContent-Length: 2\r\n\r\n{\"task\":\"ls\"}"
	not_200 "POST /cycle HTTP/1.1\r\n${auth}Content-Length: -1\r\n\r\n{\"task\":\"ls\"}"
	not_200 "POST /cycle HTTP/1.1\r\n${auth}Content-Length: 2\r\nConnection: close\r\n\r\n{\"task\":\"ls\"}"
	not_200 "POST /cycle HTTP/1.1\r\n${auth}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"
	not_200 "POST /cycle HTTP/1.1\r\n${auth}Transfer-Encoding: gzip\r\nConnection: close\r\n\r\n{}"
	not_200 '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'
	not_200 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
	[ ! -s "$W/meta/audit/safety_audit.log" ]
	# Two good ones on one connection, one after the other, are two answers.
	not_200 'GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' 2
	not_200 'GET /status HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' 1
}

@test "panel: a slow client is cut off, starts no process, and stops nobody else" {
	start
	httpd=$(pgrep -P "$panel" -f lighttpd)
	for i in $(seq 40); do
		exec {fd}<>"/dev/tcp/127.0.0.1/$port"
		printf 'POST /cycle HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Vivarium-Internal-Token: %s\r\nContent-Length: 13\r\n\r\n{"ta' "$TOKEN" >&"$fd"
		held+=("$fd")
	done
	exec {head}<>"/dev/tcp/127.0.0.1/$port"
	printf 'GET /status HTTP/1.1\r\nHo' >&"$head"
	call 200 "$url/status"
	[ "$(pgrep -c -P "$httpd" || :)" = 0 ]
	# The end of each connection is the event that is waited for.
	timeout 40 cat <&"$head" >"$BATS_TEST_TMPDIR/cut"
	for fd in "${held[@]}"; do
		timeout 40 cat <&"$fd" >>"$BATS_TEST_TMPDIR/cut"
	done
	run grep -c '^HTTP/1.. 200' "$BATS_TEST_TMPDIR/cut"
	[ "$output" = 0 ]
	call 200 "$url/status"
}

@test "panel: at the end nothing is left behind, and what runs is ended" {
	slow_cycle
	for signal in TERM HUP; do
		rm -f "$BATS_TEST_TMPDIR/running"
		start
		httpd=$(pgrep -P "$panel" -f lighttpd)
		curl -s -H "X-Vivarium-Internal-Token: $TOKEN" -H 'Content-Type: application/json' \
		    -d '{"task":"ls"}' "$url/cycle" >/dev/null 3>&- &
		wait_until running 1
		kill -$signal "$panel"
		wait "$panel" || ended=$?
		panel=''
		[ "$ended" = "$([ $signal = TERM ] && echo 143 || echo 129)" ]
		wait_until eval "! kill -0 $httpd 2>/dev/null"
		wait_until eval "! kill -0 $(cat "$BATS_TEST_TMPDIR/running") 2>/dev/null"
		[ -z "$(ls -A "$BATS_TEST_TMPDIR/tmp")" ]
	done
}

@test "panel: when the server is killed, what it ran ends, and so does the script" {
	slow_cycle
	start
	curl -s -H "X-Vivarium-Internal-Token: $TOKEN" -H 'Content-Type: application/json' \
	    -d '{"task":"ls"}' "$url/cycle" >/dev/null 3>&- &
	wait_until running 1
	kill -KILL "$(pgrep -P "$panel" -f lighttpd)"
	wait "$panel" || ended=$?
	panel=''
	[ "$ended" = 69 ]
	wait_until eval "! kill -0 $(cat "$BATS_TEST_TMPDIR/running") 2>/dev/null"
}

@test "panel: the server dies with its script, however that ends" {
	command -v setpriv >/dev/null || skip 'no setpriv'
	start
	httpd=$(pgrep -P "$panel" -f lighttpd)
	kill -KILL "$panel"
	wait "$panel" || :
	panel=''
	wait_until eval "! kill -0 $httpd 2>/dev/null"
}

@test "panel: keys reach the API by name and are in no file" {
	slow_cycle
	export GROQ_API_KEY=gsk_secret UNRELATED=1
	start
	curl -s -H "X-Vivarium-Internal-Token: $TOKEN" -H 'Content-Type: application/json' \
	    -d '{"task":"ls"}' "$url/cycle" >"$BATS_TEST_TMPDIR/slow" 3>&- &
	wait_until running 1
	tr '\0' '\n' <"/proc/$(cat "$BATS_TEST_TMPDIR/running")/environ" >env
	grep -q '^GROQ_API_KEY=gsk_secret$' env
	run grep -E '^(UNRELATED|VIV_HTTPD|BATS|HTTP_)' env
	[ "$output" = '' ]
	run grep -rl gsk_secret "$BATS_TEST_TMPDIR/tmp" "$W"
	[ "$output" = '' ]
	let_go 1
	wait_until test -s "$BATS_TEST_TMPDIR/slow"
}

@test "panel: usage errors, no world, a port that is taken, no server, no panel" {
	for args in '-x' word -p '-p 0' '-p 65536' '-p x' '-p -1'; do
		# shellcheck disable=SC2086
		run viv-panel --api $args
		[ "$status" -eq 2 ] || { echo "$args: $status"; return 1; }
	done
	run viv-panel --api -C "$BATS_TEST_TMPDIR/none"
	[ "$status" -eq 78 ]
	run env PATH="$BIN:/usr/bin:/bin" HTTPD=none viv-panel -h
	[ "$status" -eq 0 ]
	start
	run env TMPDIR="$BATS_TEST_TMPDIR" viv-panel --api -p "$port"
	[ "$status" -eq 69 ]
	[ -z "$(ls -d "$BATS_TEST_TMPDIR"/viv-panel.* 2>/dev/null)" ]
	[ -e "$BIN/viv-panel-cgi" ] || {
		run -127 viv-panel
		[[ $output = *"--api"* ]]
	}
}
