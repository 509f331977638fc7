/*
 * sandbox: the kernel boundary round one command (design: layers, outermost last
 * to be trusted). Everything is prepared in the parent; sandbox_enter does only
 * system calls, so that it may run between vfork and exec.
 */
#ifndef VIV_SANDBOX_H
#define VIV_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "err.h"

/* What this kernel offers; viv-sandbox -p prints it. */
struct sandbox_layers {
	int landlock_abi;	/* 0: none */
	bool seccomp;
	bool no_new_privs;
};

/* Where commands are looked for, and PATH inside. */
#define SANDBOX_PATH "/usr/local/bin:/usr/bin:/bin"

/* Rules for one command. Strings are the caller's and must outlive sandbox_prepare. */
struct sandbox_spec {
	const char *const *read; /* NULL or NULL-terminated directories or files readable below */
	const char *const *write;	/* NULL or NULL-terminated directories writable below */
	const char *scratch; /* NULL or the private directory: HOME and TMPDIR, writable */
	const char *forbid; /* NULL or a directory that no root may contain (the world) */
	bool net;			/* sockets allowed (viv-sandbox --net only) */
	bool fork;			/* may start processes; otherwise only threads */
	int floor;			/* least Landlock ABI to run at all; 0 means 1 */
	long long max_memory;		/* bytes of address space, 0: default 4 GiB */
	long long max_file;		/* bytes of one written file, 0: default 1 GiB */
	long max_cpu_s;			/* CPU seconds of one process, 0: default 3600 */
	long max_procs; /* processes and threads of this uid (root: unlimited), 0: default 4096 */
	long max_files;			/* descriptors, 0: default 256 */
};

struct sandbox;				/* opaque: ruleset descriptor, filter, limits */

void sandbox_probe(struct sandbox_layers *out);

/* 0, or -VIV_REFUSED naming the layer below the floor that is missing. */
int sandbox_check(const struct sandbox_layers *l, int floor, struct err *e);

/* 0 and *out (sandbox_free), or -VIV_REFUSED when sandbox_check says so, a root
 * cannot be opened, or a root contains spec->forbid; -VIV_IO otherwise. */
int sandbox_prepare(struct sandbox **out, const struct sandbox_spec *spec, struct err *e);
void sandbox_free(struct sandbox *s);

/* In the child, last thing before execve: umask, rlimits, no_new_privs, no
 * capabilities, Landlock, closing of descriptors from 3 on except keep_fd (-1:
 * none), seccomp. Async-signal-safe. Returns 0 or an errno value and the name of
 * the step in *step_out. */
int sandbox_enter(const struct sandbox *s, int keep_fd, const char **step_out);

/* The clean environment of a sandboxed command: PATH, HOME, TMPDIR, LANG, LC_ALL,
 * TZ and the pins that keep git from running programs. NULL-terminated; the caller
 * frees it with sandbox_env_free. */
char **sandbox_env(const struct sandbox_spec *spec);
void sandbox_env_free(char **env);

/* Append a line a guarantee, "holds: ..." or "open: ..." (what is not prevented). */
void sandbox_explain(
    struct buf *out, const struct sandbox_spec *spec, const struct sandbox_layers *l);

#endif
