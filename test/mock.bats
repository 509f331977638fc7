# viv-llm against a server that none of us wrote, and our own faulty server against the
# client that OpenAI publishes. Both are of the npm registry: make deps-test.
bats_require_minimum_version 1.5.0

load helper
load llm

NPM=$REPO/test/npm/node_modules

setup() {
	command -v node >/dev/null && [ -e "$NPM/.bin/mock-llm" ] ||
	    skip "not installed: make deps-test"
	unset GROQ_API_KEY GROQ_API_URL OPENAI_API_KEY OPENAI_BASE_URL DEFAULT_GROQ_MODEL VIV_CASSETTE
	mkdir -p "$BATS_TEST_TMPDIR/tree"
	cd "$BATS_TEST_TMPDIR/tree"
	make_world
}

teardown() {
	fault_stop
	[ -z "${MOCK_PID-}" ] || kill "$MOCK_PID" 2>/dev/null || true
}

listening() { curl -s -o /dev/null "http://127.0.0.1:$1/v1/models" || ! kill -0 "$2" 2>/dev/null; }

# Start the mock with the rules in mock-llm.yaml on a free port.
mock_start() {
	local try port
	for try in 1 2 3 4 5; do
		port=$((20000 + RANDOM % 30000))
		HOST=127.0.0.1 PORT=$port node "$NPM/@dwmkerr/mock-llm/dist/main.js" >mock.log 2>&1 3>&- &
		MOCK_PID=$!
		wait_until listening "$port" "$MOCK_PID"
		! kill -0 "$MOCK_PID" 2>/dev/null || break
	done
	export OPENAI_BASE_URL=http://127.0.0.1:$port/v1
}

rules() {
	cat > mock-llm.yaml <<-'END'
	streaming:
	  chunkSize: 3
	  chunkIntervalMs: 1
	rules:
	  - path: "/v1/chat/completions"
	    match: "@"
	    response:
	      status: 200
	      content: |
	        {"id": "chatcmpl-{{timestamp}}", "object": "chat.completion", "model": "{{jmes request body.model}}",
	         "choices": [{"index": 0, "message": {"role": "assistant",
	           "content": "You said: {{jmes request body.messages[-1].content}}"}, "finish_reason": "stop"}],
	         "usage": {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}}
	  - path: "/v1/chat/completions"
	    match: "contains(body.messages[-1].content, 'error-401')"
	    response:
	      status: 401
	      content: '{"error": {"message": "Incorrect API key provided.", "type": "invalid_request_error", "code": "invalid_api_key"}}'
	  - path: "/v1/chat/completions"
	    match: "contains(body.messages[-1].content, 'error-429')"
	    response:
	      status: 429
	      content: '{"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}}'
	END
}

@test "mock: a person gets an answer, streamed and whole" {
	rules
	mock_start
	[ "$(viv-llm 'Hello, wörld')" = "You said: Hello, wörld" ]
	[ "$(viv-llm --no-stream 'Hello, wörld')" = "You said: Hello, wörld" ]
}

@test "mock: lines get results with usage and cost, errors their class" {
	rules
	mock_start
	printf '{"ref":"%s","prompt":"%s","model":"llama-3.3-70b-versatile","timeout":5}\n' a hello b error-401 c error-429 |
	    viv-llm -l -j 3 --no-stream | jq -s 'map({(.ref): .result}) | add' >out
	# 10 * 0.59 + 20 * 0.79 = 21.7 micro-dollars, rounded up.
	jq -e '(.a | .status == "completed" and (.text | startswith("You said: hello")) and .usage.total_tokens == 30 and
	    .cost_microusd == 22 and .model == "llama-3.3-70b-versatile") and
	    .b.error.code == "http_401" and .b.tries == 1 and .b.error.message == "Incorrect API key provided." and
	    .c.error.code == "http_429" and .c.error.class == "rate" and .c.tries > 1' out
}

@test "mock: twenty calls at once get twenty answers" {
	rules
	mock_start
	for i in $(seq 20); do
		printf '{"ref":%s,"prompt":"number %s"}\n' "$i" "$i"
	done | viv-llm -l -j 20 >out
	[ "$(jq -c 'select(.result.text == "You said: number \(.ref)") | .ref' out | sort -un | wc -l)" = 20 ]
}

@test "mock: the published client reads our faulty server as viv-llm does" {
	fault_start
	cat > client.js <<-'END'
	const OpenAI = require('openai');
	(async () => {
	  const [how, stream] = [process.argv[2], process.argv[3] === 'stream'];
	  const c = new OpenAI({apiKey: 'x', baseURL: `${process.env.FAULT}/${how}/v1`, maxRetries: 0});
	  const ask = {model: 'm', messages: [{role: 'user', content: 'hi'}], stream};
	  try {
	    const r = await c.chat.completions.create(ask);
	    let text = '';
	    if (stream) for await (const e of r) text += e.choices[0]?.delta?.content ?? '';
	    else text = r.choices[0].message.content;
	    console.log(text);
	  } catch (e) { console.log(`error ${e.status ?? e}`); }
	})();
	END
	export FAULT NODE_PATH=$NPM
	unset http_proxy https_proxy
	for how in good nousage; do
		must test "$(node client.js $how)" = "$(OPENAI_BASE_URL=$FAULT/$how/v1 viv-llm --no-stream hi)"
	done
	for how in stream chunks streamnousage; do
		must test "$(node client.js $how stream)" = "$(OPENAI_BASE_URL=$FAULT/$how/v1 viv-llm hi)"
	done
	for how in 400 401 429 503; do
		must test "$(node client.js $how)" = "error $how"
	done
}
