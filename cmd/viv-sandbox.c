/*
 * viv-sandbox: run one command inside the kernel sandbox.
 *
 * The command's output goes through a pipe and us, so that it never holds a
 * descriptor of the caller's files or terminal. Standard input is null unless -i.
 * Nothing of the world is needed; when one is found, no root may contain it.
 */
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"
#include "num.h"
#include "opt.h"
#include "proc.h"
#include "sandbox.h"
#include "world.h"

static const char usage[] = "viv-sandbox [-FiJNpx] [-C DIR] [-d DIR] [-f ABI] [-m BYTES] "
    "[-o BYTES] [-r DIR]... [-t SECONDS] [-w DIR]... [--] COMMAND [ARG]...";

enum { ROOTS = 64 };

struct options {
	struct sandbox_spec spec;
	const char *read[ROOTS + 1], *write[ROOTS + 1];
	size_t reads, writes;
	const char *cwd;
	double timeout_s;
	long long max_output;
	bool stdin_too, probe, explain, json;
};

static const struct {
	const char *name;
	int abi;
	const char *what;
} landlock_part[] = {
	{"landlock-files", 1, "reading, writing, executing by path"},
	{"landlock-refer", 2, "links and renames between directories"},
	{"landlock-truncate", 3, "truncation"},
	{"landlock-tcp", 4, "TCP connect and bind"},
	{"landlock-ioctl", 5, "ioctl on devices"},
	{"landlock-scope", 6, "signals and abstract sockets"},
};

static void
layer(cJSON *list, const char *name, bool present, const char *detail)
{
	cJSON *o = json_new();

	json_set_str(o, "name", name);
	json_set_bool(o, "present", present);
	json_set_str(o, "detail", detail);
	json_push(list, o);
}

static cJSON *
layers(const struct sandbox_layers *l)
{
	cJSON *list = json_list();

	for (size_t i = 0; i < sizeof(landlock_part) / sizeof(landlock_part[0]); i++) {
		char *detail = mem_fmt("ABI %d (kernel: %d): %s", landlock_part[i].abi,
		    l->landlock_abi, landlock_part[i].what);

		layer(list, landlock_part[i].name, l->landlock_abi >= landlock_part[i].abi, detail);
		free(detail);
	}
	layer(list, "seccomp", l->seccomp, "system calls by allow list");
	layer(list, "no-new-privs", l->no_new_privs, "no rights from set-user-ID programs");
	return list;
}

/* "holds: text" and "open: text" lines as [{"holds":true,"text":...}]. */
static cJSON *
guarantees(const char *text)
{
	cJSON *list = json_list();

	for (const char *p = text; *p != '\0';) {
		size_t n = strcspn(p, "\n"), at = strcspn(p, ":") + 2;
		char *words = mem_ndup(p + at, n - at);
		cJSON *o = json_new();

		json_set_bool(o, "holds", *p == 'h');
		json_set_str(o, "text", words);
		json_push(list, o);
		free(words);
		p += n + (p[n] == '\n');
	}
	return list;
}

static void
tell_text(const struct options *o, const cJSON *list, const char *explained)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, list) if (o->probe) printf("%-18s %-8s %s\n", json_str(v, "name"),
	    json_bool(v, "present", false) ? "present" : "missing", json_str(v, "detail"));
	if (o->explain)
		fputs(explained, stdout);
}

/* -p, -x, -J: what is there and what follows; 77 when it is not enough to run. */
static int
tell(const struct options *o)
{
	struct sandbox_layers l;
	struct buf text = {0};
	struct err e;
	cJSON *out = json_new();
	int rc;

	sandbox_probe(&l);
	rc = -sandbox_check(&l, o->spec.floor, &e);
	json_set_num(out, "landlock_abi", l.landlock_abi);
	json_set_bool(out, "enough", rc == 0);
	json_set(out, "layers", layers(&l));
	sandbox_explain(&text, &o->spec, &l);
	if (o->explain)
		json_set(out, "guarantees", guarantees(text.p));
	if (o->json) {
		json_puts(out);
	} else {
		tell_text(o, json_arr(out, "layers"), text.p);
	}
	buf_free(&text);
	cJSON_Delete(out);
	if (rc != 0)
		err_warn("%s", e.msg);
	return rc;
}

/* A name is looked for in the sandbox's own PATH; the caller frees. */
static char *
find_program(const char *name)
{
	const char *p = SANDBOX_PATH;
	struct stat st;

	if (strchr(name, '/') != NULL)
		return realpath(name, NULL);
	for (;;) {
		size_t n = strcspn(p, ":");
		char *path = mem_fmt("%.*s/%s", (int)n, p, name);

		if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0)
			return path;
		free(path);
		if (p[n] == '\0')
			return NULL;
		p += n + 1;
	}
}

/* Exit code of a command that has ended. */
static int
outcome(const struct proc *p, const char *name)
{
	if (p->lost) {
		err_warn("'%s' was stopped: cannot write its output", name);
		return VIV_IO;
	}
	switch (p->why) {
	case PROC_NOT_STARTED:
		err_warn("cannot run '%s': %s", name, p->problem);
		return p->exit_code;
	case PROC_TIMED_OUT:
		err_warn("'%s' was stopped: it ran out of time", name);
		return VIV_TIMEOUT;
	case PROC_TOO_MUCH_OUTPUT:
		err_warn("'%s' was stopped: too much output", name);
		return 128 + SIGKILL;
	case PROC_CANCELLED:
		return VIV_IO;
	default:
		return p->term_signal != 0 ? 128 + p->term_signal : p->exit_code;
	}
}

/* Run it in the box; returns the command's exit code or dies. */
static int
run(const struct options *o, const struct sandbox *box, char *const *argv)
{
	struct proc_spec spec = {.box = box, .argv = argv, .cwd = o->cwd, .timeout_s = o->timeout_s,
		.max_total = (size_t)o->max_output, .echo = true, .keep_stdin = o->stdin_too};
	char *path = find_program(argv[0]), **env = sandbox_env(&o->spec);
	struct proc p = {0};
	struct err e;
	int code;

	if (path == NULL)
		err_exit(VIV_NOTFOUND, "'%s': no such program", argv[0]);
	spec.path = path;
	spec.env = env;
	if (proc_reaper_start(&e) != 0 || proc_run(&p, &spec, &e) != 0)
		err_die(&e);
	code = outcome(&p, argv[0]);
	proc_free(&p);
	sandbox_env_free(env);
	free(path);
	return code;
}

/* Roots as absolute paths, since the command may start elsewhere. */
static char *
absolute(const char *dir)
{
	char *real = realpath(dir, NULL);

	if (real == NULL)
		err_exit(VIV_REFUSED, "'%s' cannot be opened", dir);
	return real;
}

static void
add_root(const char **list, size_t *n, const char *dir)
{
	if (*n == ROOTS)
		opt_usage("more than %d directories", ROOTS);
	list[(*n)++] = absolute(dir);
}

static void
parse_number(struct options *o, int c, const char *arg)
{
	long long n;
	bool ok = false;

	if (c == 'f' && (ok = num_int(arg, 1, 1000, &n)))
		o->spec.floor = (int)n;
	if (c == 'm')
		ok = num_size(arg, 1, LLONG_MAX, &o->spec.max_memory);
	if (c == 'o')
		ok = num_size(arg, 1, LLONG_MAX, &o->max_output);
	if (c == 't')
		ok = num_seconds(arg, 0.001, 1e8, &o->timeout_s);
	if (!ok)
		opt_usage("bad argument '%s' for '-%c'", arg, c);
}

static void
parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{"chdir", required_argument, NULL, 'd'}, {"floor", required_argument, NULL, 'f'},
		{"no-fork", no_argument, NULL, 'F'}, {"stdin", no_argument, NULL, 'i'},
		{"json", no_argument, NULL, 'J'}, {"memory", required_argument, NULL, 'm'},
		{"net", no_argument, NULL, 'N'}, {"max-output", required_argument, NULL, 'o'},
		{"probe", no_argument, NULL, 'p'}, {"read", required_argument, NULL, 'r'},
		{"timeout", required_argument, NULL, 't'}, {"write", required_argument, NULL, 'w'},
		{"explain", no_argument, NULL, 'x'}, {0}};
	int c;

	while ((c = opt_next(argc, argv, "+d:f:FiJm:No:pr:t:w:x", longs)) != -1) {
		switch (c) {
		case 'd': o->cwd = absolute(optarg); break;
		case 'F': o->spec.fork = false; break;
		case 'i': o->stdin_too = true; break;
		case 'J': o->json = true; break;
		case 'N': o->spec.net = true; break;
		case 'p': o->probe = true; break;
		case 'r': add_root(o->read, &o->reads, optarg); break;
		case 'w': add_root(o->write, &o->writes, optarg); break;
		case 'x': o->explain = true; break;
		default: parse_number(o, c, optarg); break;
		}
	}
}

int
main(int argc, char **argv)
{
	static struct options o = {.spec = {.fork = true, .floor = 1}, .max_output = LLONG_MAX};
	struct sandbox *box = NULL;
	struct world w;
	struct err e;
	int code;

	opt_init(argc, argv, usage);
	parse(&o, argc, argv);
	o.spec.read = o.read;
	o.spec.write = o.write;
	o.spec.scratch = o.write[0];
	if (o.probe || o.explain)
		return opt_end(tell(&o));
	if (optind == argc || o.json)
		opt_usage(o.json ? "-J goes with -p or -x" : "no command");
	if (o.stdin_too && isatty(STDIN_FILENO))
		opt_usage("-i: standard input is a terminal");
	if (world_open(&w, opt_world, &e) == 0)
		o.spec.forbid = w.root;
	else if (opt_world != NULL)
		err_die(&e);
	if (sandbox_prepare(&box, &o.spec, &e) != 0)
		err_die(&e);
	code = run(&o, box, argv + optind);
	sandbox_free(box);
	world_close(&w);
	return code;
}
