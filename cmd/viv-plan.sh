#!/bin/sh
# viv-plan GOAL: asks a model to divide a goal into tasks, and prints them for viv-add.
#
# The goal passes viv-guard like any task. Of the answer only prompts and who waits for whom
# are taken (share/plan.jq), never a command, another member or an id of the model's; what
# cannot be understood as tasks is an error, and nothing is made up in its place.
set -u
usage='viv-plan [-b MAX_BUDGET] [-C WORLD] [-M MODEL] GOAL'
model='' budget='' goal=''

die() {
	code=$1
	shift
	printf 'viv-plan: %s\n' "$(printf '%s' "$*" | tr '\000-\037\177' '?')" >&2
	[ "$code" -ne 2 ] || printf 'usage: %s\n' "$usage" >&2
	exit "$code"
}
need() { [ "$1" -ge 2 ] || die 2 "option '$2' needs an argument"; }
while [ $# -gt 0 ]; do
	case $1 in
	-h | --help) printf 'usage: %s\n' "$usage"; exit 0 ;;
	--version) viv-guard --version | sed 's/viv-guard/viv-plan/'; exit 0 ;;
	-b | --max-budget) need $# "$1"; budget=$2; shift ;;
	-C | --world) need $# "$1"; VIV_ROOT=$2; export VIV_ROOT; shift ;;
	-M | --model) need $# "$1"; model=$2; shift ;;
	-?*) die 2 "unknown option '$1'" ;;
	*) [ -z "$goal" ] || die 2 'one goal at a time: quote it'; goal=$1 ;;
	esac
	shift
done
[ -n "$goal" ] || die 2 'what is the goal?'
case $budget in *[!0-9.]* | *.*.* | .) die 2 "-b wants an amount in US dollars, not '$budget'" ;; esac
case $(printf %s "${VIVARIUM_MVP_DOCS_ONLY-1}" | tr '[:upper:]' '[:lower:]' | tr -s ' \t\r\n' ' ' | sed 's/^ //; s/ $//') in
0 | false | no) ;;
*) die 77 'documentation mode plans nothing: it is on unless VIVARIUM_MVP_DOCS_ONLY is 0' ;;
esac
share=$(dirname "$(readlink -f "$0")")/../share
[ -r "$share/plan.jq" ] || share=$share/vivarium
for file in plan.jq prompts/plan.txt; do
	[ -r "$share/$file" ] || die 78 "'share/$file' is missing"
done
llm=${VIV_LLM:-viv-llm}
command -v "$llm" >/dev/null 2>&1 || die 78 "cannot find '$llm'"

line=$(jq -nc --arg goal "$goal" --arg model "$model" --arg budget "$budget" --rawfile system "$share/prompts/plan.txt" \
	'{id: "plan", prompt: $goal, mode: "llm", $system, response_format: {type: "json_object"}}
	+ if $model == "" then {} else {$model} end
	+ if $budget == "" then {} else {max_budget: ($budget | tonumber)} end' | viv-guard) || exit
[ -z "$(printf '%s\n' "$line" | jq -r '.status // empty')" ] || die 77 "$(printf '%s\n' "$line" | jq -r .reason)"

# Structured output first; a server that does not have it says 400.
for answer in structured free; do
	[ $answer = structured ] || line=$(printf '%s\n' "$line" | jq -c 'del(.response_format)')
	result=$(printf '%s\n' "$line" | "$llm" -j 1 -l | jq -c '.result | objects')
	[ "$(printf '%s\n' "$result" | jq -r '.error.code?')" = http_400 ] || break
done
set -- "$(printf '%s\n' "$result" | jq -r 'select(.status != "completed") | .error.class? // "transient"' | head -n 1)" \
	"$(printf '%s\n' "$result" | jq -r '.error.message? // "no reason is given"' | head -n 1)"
case $1 in
'') [ -n "$result" ] || die 69 "'$llm' gave no answer" ;;
budget) die 76 "$2" ;;
rate) die 75 "$2" ;;
halted) die 77 "$2" ;;
config) die 78 "$2" ;;
*) die 69 "no answer: $2" ;;
esac
stem=plan-$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
tasks=$(printf '%s\n' "$result" | jq -r '.text | strings' | jq -Rsc --arg stem "$stem" -f "$share/plan.jq" 2>&1) ||
	die 1 "the answer is no plan: $(printf '%s' "$tasks" | sed 's/^jq: error (at [^)]*): //; q')"
printf '%s\n' "$tasks"
