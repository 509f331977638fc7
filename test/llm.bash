# A server that misbehaves on request, for the tests that ask one (test/faultd.c).

# Start it; $FAULT is its address, $F its directory.
fault_start() {
	F=$BATS_TEST_TMPDIR/fault
	mkdir -p "$F"
	"$BUILD/test/faultd" "$F" "${1-120}" 3>&- &
	FAULT_PID=$!
	wait_until test -e "$F/port"
	FAULT=http://127.0.0.1:$(cat "$F/port")
}

fault_stop() {
	[ -z "${FAULT_PID-}" ] || kill "$FAULT_PID" 2>/dev/null || true
}

# The world asks one server, at $FAULT_URL, which may be silent for so many seconds (1).
one_provider() {
	cat > "$W/meta/security/providers.json" <<-END
	{"version":1,"providers":[{"name":"fault","url_env":"FAULT_URL",
	  "stall_timeout":${1-1},"connect_timeout":5}]}
	END
}

MODEL=llama-3.3-70b-versatile	# 0.59 and 0.79 USD per million tokens

# ask FAULT [OPTION ...]: one line that is answered so; prints its result.
ask() {
	local how=$1
	shift
	printf '{"prompt":"Say hello","model":"%s","max_tokens":10}\n' "$MODEL" |
	    FAULT_URL=$FAULT/$how/v1 viv-llm -l "$@" | jq -c .result
}

# The body of a request as it was sent, of the first to a path of that fault.
sent() {
	sed -n "s/^{\"how\":\"$1\",\"body\":\(.*\)}\$/\1/p" "$F/requests" | head -n 1
}

# Micro-dollars, rounded up, of $1 input and $2 output tokens of $MODEL.
price() {
	echo $((($1 * 590 + $2 * 790 + 999) / 1000))
}

# Micro-dollars that a request of that fault may have cost: a token has at least one byte,
# 512 for what the server adds (price.h), and ten more come back (max_tokens).
worst() {
	local body
	body=$(sent "$1")
	price $((${#body} + 512)) 10
}
