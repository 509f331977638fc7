#!/bin/sh
# viv-panel: an installed web server in the foreground, for this host, before one CGI
# program of ours. All settings are in contrib/httpd/lighttpd.conf; here are only the
# private directory that it needs, the environment of the program, and the end of both.
set -u
usage='viv-panel [-ah] [-p PORT] [-C WORLD]'
here=$(dirname "$(readlink -f "$0")")
port='' cgi=viv-panel-cgi what='the panel'

die() { code=$1; shift; printf 'viv-panel: %s\n' "$*" >&2; exit "$code"; }
misuse() { printf 'viv-panel: %s\nusage: %s\n' "$1" "$usage" >&2; exit 2; }
need() { [ "$1" -ge 2 ] || misuse "option '$2' needs an argument"; }
while [ $# -gt 0 ]; do
	case $1 in
	-h | --help) printf 'usage: %s\n' "$usage"; exit 0 ;;
	--version) "$here/viv-status" --version | sed 's/viv-status/viv-panel/'; exit 0 ;;
	-a | --api) cgi=viv-api-cgi what='the API' ;;
	-p | --port) need $# "$1"; port=$2; shift ;;
	-C | --world) need $# "$1"; VIV_ROOT=$2; shift ;;
	-*) misuse "unknown option '$1'" ;;
	*) misuse "unexpected argument '$1'" ;;
	esac
	shift
done
[ -n "$port" ] || case $cgi in viv-api-cgi) port=8420 ;; *) port=8421 ;; esac
case $port in 0* | *[!0-9]* | ??????*) port=0 ;; esac
if [ "$port" -lt 1 ] || [ "$port" -gt 65535 ]; then
	misuse "-p wants a port from 1 to 65535"
fi

# The world, as an absolute path, when it is one.
"$here/viv-status" ${VIV_ROOT:+-C "$VIV_ROOT"} >/dev/null || exit
root=${VIV_ROOT:-$(pwd)}
until [ -e "$root/world/mutable/queue.json" ]; do root=$(dirname "$root"); done
VIV_ROOT=$(readlink -f "$root")
export VIV_ROOT
[ -x "$here/$cgi" ] || die 127 "'$cgi' is not installed; 'viv-panel --api' serves the API"
for conf in "$here/../contrib" "$here/../share/vivarium/contrib"; do
	[ ! -r "$conf/httpd/lighttpd.conf" ] || break
done
httpd=$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v lighttpd) ||
	die 69 "no web server: please install lighttpd"

dir=$(mktemp -d "${TMPDIR:-/tmp}/viv-panel.XXXXXX") || exit 73
mkdir "$dir/empty" "$dir/errors" "$dir/upload" || exit 73
for code in 400 403 404 405 408 411 413 414 417 431 500 501 502 503 504 505; do
	printf '{"detail":"refused by the web server: HTTP %s"}\n' $code >"$dir/errors/$code.html"
done
# Names only: a key's value is in no file.
awk 'BEGIN { print "setenv.set-environment = ("
	for (k in ENVIRON)
		if (k ~ /^(HOME|PATH|TZ|LANG|LC_ALL|LC_CTYPE|TMPDIR|USER|LOGNAME|DEFAULT_GROQ_MODEL|SSL_CERT_(FILE|DIR)|(https?|all|no)_proxy|(HTTPS|ALL|NO)_PROXY|(VIV|VIVARIUM|SWARM|GROQ|OPENAI|ASAN|UBSAN|LSAN)_[A-Z0-9_]+|[A-Z0-9_]+_API_KEY)$/)
			printf "\t\"%s\" => env.%s,\n", k, k
	print ")" }' >"$dir/env.conf"
VIV_HTTPD_PORT=$port VIV_HTTPD_CGI=$here/$cgi VIV_HTTPD_DIR=$dir
export VIV_HTTPD_PORT VIV_HTTPD_CGI VIV_HTTPD_DIR

# The server dies with this script, its programs with the server.
dies=$(command -v setpriv) && dies="$dies --pdeathsig TERM"
ended='' pid=''
# shellcheck disable=SC2317 # called by the traps
stop() { ended=$1; [ -z "$pid" ] || kill -TERM "$pid" 2>/dev/null; }
trap 'rm -rf "$dir"' EXIT
trap 'stop 130' INT
trap 'stop 143' TERM
trap 'stop 129' HUP
# shellcheck disable=SC2086 # a command and its options, or nothing
$dies "$httpd" -D -f "$conf/httpd/lighttpd.conf" &
pid=$!
printf 'viv-panel: %s is at http://127.0.0.1:%s\n' "$what" "$port" >&2
while :; do
	wait "$pid"
	code=$?
	kill -0 "$pid" 2>/dev/null || break
done
[ -z "$ended" ] || exit "$ended"
die 69 "the web server has ended ($code)"
