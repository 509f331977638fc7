#!/bin/sh
# Install what is missing: deps.sh run|build|test|bench|npm ... (Debian and its kin).
# Looks first, and calls apt-get only when something is not there.
set -eu

have() {
	case $1 in
	ripgrep) set -- rg ;;
	task-spooler) set -- tsp ;;
	procps) set -- ps ;;
	lighttpd) [ -x /usr/sbin/lighttpd ] || command -v lighttpd >/dev/null 2>&1; return ;;
	lighttpd-mod-openssl) [ -e /usr/lib/lighttpd/mod_openssl.so ]; return ;;
	nodejs) set -- node ;;
	libc6-dev) [ -e /usr/include/stdio.h ]; return ;;
	libcjson-dev) pkg-config --exists libcjson 2>/dev/null; return ;;
	libseccomp-dev) pkg-config --exists libseccomp 2>/dev/null; return ;;
	libcurl4-openssl-dev) pkg-config --exists libcurl 2>/dev/null; return ;;
	libmd-dev) pkg-config --exists libmd 2>/dev/null; return ;;
	libclang-rt-*) ls "$(clang -print-resource-dir)"/lib/*/libclang_rt.asan* >/dev/null 2>&1; return ;;
	esac
	command -v "$1" >/dev/null 2>&1
}

install_missing() {
	missing=
	for package do
		have "$package" || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	if ! command -v apt-get >/dev/null 2>&1; then
		echo "deps: please install (by their names in Debian):$missing" >&2
		exit 1
	fi
	sudo=
	if [ "$(id -u)" -ne 0 ]; then
		sudo=sudo
		if ! command -v sudo >/dev/null 2>&1; then
			echo "deps: as root, run: apt-get install$missing" >&2
			exit 1
		fi
	fi
	echo "deps: installing$missing" >&2
	[ -n "${updated-}" ] || $sudo apt-get -qq update >&2
	updated=1
	# shellcheck disable=SC2086 # a list of names
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install \
	    $missing >&2
}

for set in "$@"; do
	case $set in
	run)
		install_missing jq ;;
	build)
		install_missing gcc libc6-dev make pkg-config libcjson-dev libseccomp-dev libmd-dev \
		    libcurl4-openssl-dev ;;
	test)
		install_missing bats curl parallel strace ripgrep git procps shellcheck mandoc tmux clang \
		    clang-format lighttpd lighttpd-mod-openssl openssl python3
		# The sanitizers' run time is a package of its own, named after the compiler.
		install_missing "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev" ;;
	npm)
		install_missing nodejs npm curl
		# With it come the client that OpenAI publishes, and nothing of either is run here.
		[ -e test/npm/node_modules/.bin/mock-llm ] || npm install --prefix test/npm \
		    --ignore-scripts --no-save --no-audit --no-fund --loglevel=error \
		    @dwmkerr/mock-llm@0.1.29 ;;
	bench)
		install_missing nq task-spooler parallel lighttpd curl ;;
	*)
		echo "usage: deps.sh run|build|test|bench|npm ..." >&2
		exit 2 ;;
	esac
done
