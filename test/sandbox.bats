#!/usr/bin/env bats
# Every attempt of probe.c is made twice: in the sandbox, where it must fail as
# expected, and outside, where it must succeed, so that no test passes because the
# attempt itself is broken.

bats_require_minimum_version 1.5.0
load helper

# Built without the sanitizers, whose memory the limits would refuse; run through the
# dynamic linker, which may read it, because nothing outside the system may be executed.
setup_file() {
	export D=$BATS_FILE_TMPDIR
	mkdir "$D/bin"
	cc -O1 -D_GNU_SOURCE -o "$D/bin/probe" "$BATS_TEST_DIRNAME/probe.c" -pthread
	LDSO=$(ldd "$D/bin/probe" | grep -o "/[^ ]*ld-linux[^ ]*")
	export LDSO
	prepare
	"$D/bin/probe" -s "$D/out" >"$D/victim.pid" 3>&- &
	wait_until test -s "$D/victim.pid"
	export VICTIM=$(cat "$D/victim.pid")
	snapshot >"$D/before"
	boxed 9<"$D/out/secret" >"$D/boxed"
	snapshot >"$D/after"
	boxed -F -1 fork >"$D/boxed-nofork"
	boxed -F -1 thread >>"$D/boxed-nofork"
	rm -rf "$D/in"
	prepare
	(cd "$D" && bin/probe "$D/out" "$D/in" "$VICTIM") 9<"$D/out/secret" >"$D/bare"
}

teardown_file() {
	kill "$VICTIM"
}

setup() {
	export T=$BATS_TEST_TMPDIR
	cd "$T" || return 1
	unset VIV_ROOT
}

prepare() {
	mkdir -p "$D/out" "$D/in"
	for f in secret short gone moved; do
		echo canary >"$D/out/$f"
	done
	echo hello >"$D/in/given"
	echo bye >"$D/in/leaving"
	cp "$D/bin/probe" "$D/in/planted"
	cp "$D/bin/probe" "$D/out/planted"
}

snapshot() {
	find "$D/out" -printf '%p %m %u %g %s %T@ %n\n' | sort
	find "$D/out" -type f -exec sha256sum {} + | sort
}

# boxed [-F] [-1 NAME]: the probe inside
boxed() {
	local flags=()
	[ "$1" != -F ] || { flags=(-F); shift; }
	"$BIN/viv-sandbox" "${flags[@]}" -r "$D/bin" -w "$D/in" -- "$LDSO" "$D/bin/probe" "$@" \
		"$D/out" "$D/in" "$VICTIM"
}

# A kernel or a user may lack these without a sandbox as well.
optional() {
	case $1 in
	mptcp | vsock | userfaultfd | add_key | keyctl | bpf | perf | io_uring | fchmodat2 | setxattr | \
	    memfd | exec_memfd | mqueue | shm | sem | msg | int80 | clone_newuser | unshare_user | lease | \
	    inherited_fd)
		return 0 ;;
	chroot | mount | mknod_inside | icmp | packet | setgroups | capabilities | syslog | \
	    unshare_mount | file_handle | clone_newnet | read_passwd)
		[ "$(id -u)" -ne 0 ] ;;
	*)
		return 1 ;;
	esac
}

result() {
	sed -n "s/^$2 //p" "$D/$1"
}

# refused ERROR NAME...: ERROR inside, success outside
refused() {
	local want=$1 name bad=0
	shift
	for name; do
		[ "$(result boxed "$name")" = "$want" ] ||
			{ echo "$name: '$(result boxed "$name")' inside, not $want"; bad=1; }
		[ "$(result bare "$name")" = open ] || optional "$name" ||
			{ echo "$name: '$(result bare "$name")' outside, not open"; bad=1; }
	done
	return $bad
}

@test "sandbox: the system call filter answers each call as its table says" {
	run "$BUILD/test/filter_test"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = ok ]
}

@test "sandbox: what is granted works" {
	for name in read_inside write_inside fork thread signal_self stream_pair; do
		[ "$(result boxed $name)" = open ] || { echo "$name"; false; }
	done
}

@test "sandbox: every attempt that was made inside was made outside" {
	[ "$(cut -d' ' -f1 "$D/boxed")" = "$(cut -d' ' -f1 "$D/bare")" ]
	[ "$(wc -l <"$D/boxed")" -ge 100 ]
}

@test "sandbox: nothing outside has changed, not even a time" {
	diff "$D/before" "$D/after"
	[ -s "$D/before" ]
}

@test "sandbox: files outside cannot be read by any name" {
	refused EACCES read_secret read_dotdot read_passwd read_symlink read_proc_root read_proc_self \
		list_outside list_root open_tty
	refused EXDEV hardlink_in
	refused EPERM file_handle
	refused EBADF inherited_fd
}

@test "sandbox: files outside cannot be written, renamed or removed" {
	refused EACCES write_outside append_outside tmpfile_outside truncate_outside unlink_outside \
		mkdir_outside rename_in rename_out
}

@test "sandbox: modes, owners, times and attributes stay, also of own files" {
	refused EPERM chmod chmod_inside chown utimes setxattr
	refused ENOSYS fchmodat2
}

@test "sandbox: no watches, leases, nodes or huge files" {
	refused EPERM inotify mkfifo_inside mknod_inside
	refused ENOSYS lease
	refused EFBIG huge_file
}

@test "sandbox: only programs of the system are executed" {
	refused EACCES exec_planted exec_outside
	refused EPERM exec_memfd execveat memfd
}

@test "sandbox: other processes cannot be read, traced, signalled or slowed" {
	refused EACCES victim_environ victim_mem victim_maps
	refused EPERM signal_victim tgkill_victim ptrace pidfd process_vm prlimit setpriority affinity
}

@test "sandbox: the process group, the timer and the parent's death cannot be shaken off" {
	refused EPERM setsid setpgid alarm setitimer clone_parent
	refused ENOSYS pdeathsig subreaper
}

@test "sandbox: no internet socket of any kind" {
	refused EPERM tcp tcp6 mptcp udp dns icmp
}

@test "sandbox: no netlink, packet, vsock or unix socket outside, named or abstract" {
	refused EPERM netlink packet vsock unix_path unix_abstract
	refused ENOSYS unix_dgram_pair unix_raw_pair
}

@test "sandbox: the rest of the kernel is closed" {
	refused EPERM userfaultfd add_key keyctl unshare_user unshare_mount clone_newuser clone_newnet \
		chroot mount shm sem msg mqueue personality io_uring bpf perf adjtimex syslog
	refused ENOSYS clone3
	[ "$(result boxed unknown_call)" = ENOSYS ]
}

@test "sandbox: root is nobody special: no capabilities, no new privileges, no other user" {
	refused EPERM setuid setgroups new_privs capabilities raise_limit
}

@test "sandbox: terminal input cannot be faked, whatever the upper bits say" {
	[ "$(result boxed tiocsti)" = EPERM ]
	[ "$(result boxed tiocsti_high)" = EPERM ]
	[ "$(result bare tiocsti)" = ENOTTY ]
	[ "$(result bare tiocsti_high)" = ENOTTY ]
}

@test "sandbox: system calls of another architecture kill" {
	[ "$(uname -m)" = x86_64 ] || skip "x86-64 only"
	refused SIGSYS int80
	[ "$(result boxed x32)" = SIGSYS ]
	[ "$(result bare x32)" = ENOSYS ]
}

@test "sandbox: without processes there are still threads" {
	[ "$(cat "$D/boxed-nofork")" = "fork EPERM
thread open" ]
}

@test "sandbox: the environment is clean" {
	SECRET=x LD_PRELOAD= GIT_DIR=/ IFS=x PATH="/tmp:$PATH" run viv-sandbox -w "$T" env
	[ "$status" -eq 0 ]
	[[ $output == *"PATH=/usr/local/bin:/usr/bin:/bin"* ]]
	[[ $output == *"HOME=$T"* ]]
	! grep -E '^(SECRET|LD_|GIT_DIR|IFS|SHLVL|USER|BATS)' <<<"$output"
}

@test "sandbox: a preloaded library of the caller is not loaded inside" {
	echo 'int getpid(void); __attribute__((constructor)) void hi(void) { __builtin_puts("preloaded"); }' >p.c
	cc -shared -fPIC -o p.so p.c
	LD_PRELOAD=$PWD/p.so run /bin/true
	[ "$output" = preloaded ]
	run viv-sandbox -r "$T" -- /bin/true
	[ -z "$output" ]
	run env LD_PRELOAD="$PWD/p.so" "$BIN/viv-sandbox" -r "$T" -- /bin/true
	[ "$output" = preloaded ]	# once, by viv-sandbox itself
}

@test "sandbox: a planted program earlier in PATH is not found" {
	printf '#!/bin/sh\necho planted\n' >uname
	chmod +x uname
	PATH=$T:.:$PATH run viv-sandbox -w "$T" uname
	[ "$status" -eq 0 ]
	[ "$output" = Linux ]
}

@test "sandbox: standard input is null unless asked for" {
	run viv-sandbox cat <<<hello
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	run viv-sandbox -i cat <<<hello
	[ "$output" = hello ]
}

@test "sandbox: output and exit status pass through" {
	viv-sandbox sh -c 'echo out; echo err >&2; exit 7' >o 2>e && false
	[ "$(cat o)" = out ]
	[ "$(cat e)" = err ]
	run viv-sandbox sh -c 'exit 7'
	[ "$status" -eq 7 ]
	run viv-sandbox sh -c 'kill -TERM $$'
	[ "$status" -eq 143 ]
}

@test "sandbox: a program that is missing is 127, one that may not run 126" {
	run -127 viv-sandbox no-such-program
	printf '#!/bin/sh\n' >mine
	chmod +x mine
	run viv-sandbox -r "$T" "$T/mine"
	[ "$status" -eq 126 ]
}

@test "sandbox: a write directory is written, a read directory is not" {
	mkdir r w
	echo a >r/f
	run viv-sandbox -r r -w w sh -c "cat $T/r/f >$T/w/g && cat $T/w/g"
	[ "$output" = a ]
	run viv-sandbox -r r -w w sh -c "echo b >$T/r/f"
	[ "$status" -ne 0 ]
	[ "$(cat r/f)" = a ]
}

@test "sandbox: the working directory can be given and gives no right" {
	mkdir r
	echo a >r/f
	run viv-sandbox -d r cat f
	[ "$status" -eq 1 ]
	run viv-sandbox -r r -d r cat f
	[ "$output" = a ]
}

@test "sandbox: a root that is the world or contains it is refused with 77" {
	mkdir -p c/world/world/mutable/work/t c/world/meta
	echo '[]' >c/world/world/mutable/queue.json
	for flag in -r -w; do
		for root in c/world c . /; do
			run viv-sandbox -C c/world $flag $root true
			[ "$status" -eq 77 ]
			[[ $output == *"contains the world"* ]]
		done
	done
	run viv-sandbox -C c/world -w c/world/world/mutable/work/t true
	[ "$status" -eq 0 ]
	VIV_ROOT=$T/c/world run viv-sandbox -r c true
	[ "$status" -eq 77 ]
	cd c/world/meta
	run viv-sandbox -r "$T" true
	[ "$status" -eq 77 ]
}

@test "sandbox: meta and journals stay closed to a command with a scratch directory" {
	mkdir -p c/world/mutable/work/t c/world/mutable/.swarm/journals c/meta
	echo private >c/world/mutable/.swarm/journals/j
	run viv-sandbox -C c -w c/world/mutable/work/t cat "$T/c/world/mutable/.swarm/journals/j"
	[ "$status" -eq 1 ]
	[[ $output != *private* ]]
	run viv-sandbox -C c -w c/world/mutable/work/t sh -c "echo x >$T/c/meta/x"
	[ "$status" -ne 0 ]
	[ ! -e c/meta/x ]
}

@test "sandbox: a root that cannot be opened is refused" {
	run viv-sandbox -r nowhere true
	[ "$status" -eq 77 ]
	echo >file
	run viv-sandbox -w file true
	[ "$status" -eq 77 ]
}

@test "sandbox: a layer below the floor and nothing runs" {
	run viv-sandbox -f 999 -w "$T" touch "$T/ran"
	[ "$status" -eq 77 ]
	[[ $output == *"floor is 999"* ]]
	run viv-sandbox -f 999 -p
	[ "$status" -eq 77 ]
	run viv-sandbox -w "$T" sh -c ": >$T/ran"
	[ -e ran ]
}

@test "sandbox: where the layers are missing nothing runs: a sandbox inside a sandbox" {
	! grep -q __asan_init "$BIN/viv-sandbox" || skip "the sanitizer does not start inside"
	run viv-sandbox -r "$BIN" -- "$LDSO" "$BIN/viv-sandbox" true
	[ "$status" -eq 77 ]
	[[ $output == *"no sandbox: "* ]]
}

@test "sandbox: time that runs out is 124, also for who ignores SIGTERM" {
	run viv-sandbox -t 0.2 sleep 1000
	[ "$status" -eq 124 ]
	run viv-sandbox -t 0.2 sh -c 'trap "" TERM; sleep 1000'
	[ "$status" -eq 124 ]
}

@test "sandbox: endless output is cut off" {
	viv-sandbox -o 100k yes >o 2>e && false
	[ "$(wc -c <o)" -ge 102400 ]
	[ "$(wc -c <o)" -lt 4000000 ]
	grep -q 'too much output' e
}

@test "sandbox: a written file has a largest size and memory an end" {
	run viv-sandbox -w "$T" truncate -s 2G "$T/f"
	[ "$status" -ne 0 ]
	[ ! -s f ]
	run viv-sandbox -m 64M sort -S 1G --parallel=1 /dev/zero
	[ "$status" -ne 0 ]
}

all_gone() {
	while read -r pid; do
		[ "$pid" = all ] || ! kill -0 "$pid" 2>/dev/null || return 1
	done <"$1"
}

@test "sandbox: a daemon left behind is killed when the command ends" {
	viv-sandbox -r "$D/bin" -- "$LDSO" "$D/bin/probe" -l >pids
	[ "$(wc -l <pids)" -eq 2 ]
	wait_until all_gone pids
}

@test "sandbox: a swarm of processes that ignore SIGTERM ends with the time" {
	run viv-sandbox -t 2 -r "$D/bin" -- "$LDSO" "$D/bin/probe" -b 60
	[ "$status" -eq 124 ]
	printf '%s\n' "$output" | grep -E '^[0-9]+$' >pids
	[ "$(wc -l <pids)" -eq 60 ]
	wait_until all_gone pids
}

@test "sandbox: when viv-sandbox is killed by SIGKILL its command is gone, children too" {
	viv-sandbox -r "$D/bin" -- "$LDSO" "$D/bin/probe" -b 5 >pids 3>&- &
	wait_until grep -q all pids
	[ "$(wc -l <pids)" -eq 6 ]
	kill -KILL $!
	wait_until all_gone pids
}

@test "sandbox: git, rg, jq, find, sort and du work inside" {
	mkdir repo
	cd repo
	git init -q .
	echo 'needle one' >f
	git add f
	git -c user.name=x -c user.email=x@x commit -qm first
	cd ..
	box() { viv-sandbox -r repo -d repo "$@"; }
	[ "$(box git log --format=%s)" = first ]
	[ -z "$(box git status --short)" ]
	[ "$(box git grep -c needle)" = f:1 ]
	[ "$(box rg -c needle .)" = ./f:1 ]
	[ "$(box find . -name f)" = ./f ]
	[ "$(box jq -n '1 + 1')" = 2 ]
	[ "$(printf 'b\na\n' | box -i sort | paste -sd' ' -)" = 'a b' ]
	[ "$(box wc -l f)" = '1 f' ]
	box du -s . >/dev/null
	box -F rg -q needle .
	box -F git log -1 >/dev/null
}

@test "sandbox: a repository's settings do not make git run programs" {
	mkdir repo
	cd repo
	git init -q .
	echo a >f
	git add f
	git -c user.name=x -c user.email=x@x commit -qm first
	printf '#!/bin/sh\necho ran >>%s/w/ran\n' "$T" >../hook
	chmod +x ../hook
	mkdir ../w
	git config core.fsmonitor "sh $T/hook"
	git config core.pager "sh $T/hook"
	echo b >f
	git status --short >/dev/null 2>&1
	[ -s ../w/ran ]
	rm ../w/ran
	run viv-sandbox -w ../w -r .. -d . git status --short
	[ "$output" = ' M f' ]
	run viv-sandbox -w ../w -r .. -d . git --no-pager diff
	[ "$status" -eq 0 ]
	[[ $output == *+b* ]]
	[ ! -e ../w/ran ]
}

@test "sandbox: --net opens internet sockets and nothing else" {
	net() { viv-sandbox -N -r "$D/bin" -w "$D/in" -- "$LDSO" "$D/bin/probe" -1 "$1" "$D/out" "$D/in" "$VICTIM"; }
	[ "$(net tcp)" = 'tcp open' ]
	[ "$(net udp)" = 'udp open' ]
	[ "$(net tcp6)" = 'tcp6 open' ]
	[ "$(net netlink)" = 'netlink ENOSYS' ]
	[ "$(net unix_path)" = 'unix_path ENOSYS' ]
	[ "$(net unix_abstract)" = 'unix_abstract ENOSYS' ]
}

@test "sandbox: -p has a line a layer, -x a line a guarantee, -J both" {
	run viv-sandbox -p
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 8 ]
	[[ ${lines[6]} == "seccomp "*present* ]]
	run viv-sandbox -x -w "$T"
	[[ $output == *"holds: may read and write below '$T'"* ]]
	[ -z "$(viv-sandbox -x | grep -Ev '^(holds|open): ')" ]
	[ "$(viv-sandbox -x -J | jq '.guarantees | length')" -eq "$(viv-sandbox -x | wc -l)" ]
	[ "$(viv-sandbox -p -J | jq -c '[.enough, (.layers | length)]')" = '[true,8]' ]
	viv-sandbox -xN | grep -q '^open: internet'
}

@test "sandbox: wrong usage is 2" {
	for args in '' '-f x true' '-m -1 true' '-t x true' '-J true' '-Q true'; do
		run viv-sandbox $args
		[ "$status" -eq 2 ]
	done
	run viv-sandbox -h
	[ "$status" -eq 0 ]
	[[ $output == usage:* ]]
}

@test "sandbox: lost output is 74" {
	run sh -c 'viv-sandbox echo hello >/dev/full'
	[ "$status" -eq 74 ]
	run sh -c 'viv-sandbox -p >/dev/full'
	[ "$status" -eq 74 ]
}
