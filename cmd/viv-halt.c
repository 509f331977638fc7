/*
 * viv-halt: the kill switch, the pause and the pace.
 *
 * What lib/halt.c reads, this writes. Stopping must not fail: when the switch cannot
 * be written as it should be, for want of space or of a lock, it is emptied, which
 * halts as well. And starting again must not fail either, so a switch that cannot be
 * understood is not in the way of `off`: good and bad file are exchanged in one
 * step, which leaves no moment without a switch, and the bad one stays beside it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "halt.h"
#include "json.h"
#include "lock.h"
#include "num.h"
#include "opt.h"
#include "utf8.h"

#define USAGE "viv-halt [-hJnq] [-m REASON] [-C WORLD] on|off|status|pause|resume|pace [SECONDS]"
#define HALT_LOCK "world/mutable/.swarm/.kill_switch.lock"
#define PACE_LOCK "world/mutable/.swarm/.runtime_speed.lock"
#define DAMAGED WORLD_HALT ".damaged"

enum { FILE_MAX_BYTES = 65536, WAIT_MS = 2000, REASON_CHARS = 500, PACE_MAX_S = 300 };

struct asked {
	struct world w;
	const char *reason;
	bool dry, json, quiet;
};

/* The file's object, or an empty one when there is none: 0, or why it is no object. */
static int
load(const struct world *w, const char *name, cJSON **out, struct err *e)
{
	struct buf b = {0};
	int rc = file_read(w->fd, name, FILE_MAX_BYTES, &b, e);

	*out = NULL;
	if (rc == -VIV_NO) {
		*out = json_new();
		rc = 0;
	} else if (rc == 0) {
		*out = json_parse(b.p != NULL ? b.p : "", b.len, e);
		if (*out == NULL)
			rc = err_prefix(e, "'%s'", name);
		else if (!cJSON_IsObject(*out))
			rc = err_set(e, VIV_CONFIG, "'%s': not a JSON object", name);
	}
	buf_free(&b);
	if (rc != 0) {
		cJSON_Delete(*out);
		*out = NULL;
	}
	return rc;
}

/* Put the good switch where a bad one is, and the bad one beside it. */
static int
exchange(const struct asked *a, const char *text, struct err *e)
{
	int fd = a->w.fd, rc = file_remove_tree(fd, DAMAGED, e);

	if (rc == 0)
		rc = file_replace(fd, DAMAGED, text, strlen(text), 0644, e);
	if (rc != 0)
		return rc;
	if (renameat2(fd, DAMAGED, fd, WORLD_HALT, RENAME_EXCHANGE) != 0) {
		/* Some file systems cannot: then bad aside first. */
		unlinkat(fd, DAMAGED, 0);
		if (renameat(fd, WORLD_HALT, fd, DAMAGED) != 0)
			return err_sys(e, VIV_IO, "cannot set '%s' aside", WORLD_HALT);
		rc = file_replace(fd, WORLD_HALT, text, strlen(text), 0644, e);
	} else {
		rc = file_sync_dir(fd, WORLD_HALT, e);
	}
	if (rc == 0 && !a->quiet)
		err_warn("the damaged kill switch is kept as '%s'", DAMAGED);
	return rc;
}

/* No room for a switch that says why: an empty one halts too. */
static int
halt_bluntly(const struct asked *a, struct err *e)
{
	int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
	int fd = openat(a->w.fd, WORLD_HALT, flags, 0644);

	if (fd >= 0)
		close(fd);
	if (!halt_on(&a->w, NULL, 0))
		return -e->code;
	err_warn("halted, but not as it should be: %s", e->msg);
	return 0;
}

static int
write_object(const struct asked *a, const char *name, cJSON *v, bool damaged, struct err *e)
{
	char *text = json_text(v), *line = mem_fmt("%s\n", text);
	int rc = 0;

	if (a->dry)
		fputs(line, stdout);
	else if (damaged)
		rc = exchange(a, line, e);
	else
		rc = file_replace(a->w.fd, name, line, strlen(line), 0644, e);
	free(line);
	free(text);
	return rc;
}

static int
set_switch(const struct asked *a, bool on, struct err *e)
{
	struct lock l = {.fd = -1};
	char now[CLOCK_TEXT];
	struct err why;
	cJSON *v;
	bool damaged;
	int rc = 0;

	if (!a->dry && (rc = lock_open(&l, a->w.fd, HALT_LOCK, e)) == 0)
		rc = lock_take(&l, WAIT_MS, e);
	if (rc == 0 || on) {	/* the lock only keeps two people's changes apart */
		damaged = load(&a->w, WORLD_HALT, &v, &why) != 0;
		if (damaged)
			v = json_new();
		clock_local(clock_wall(), now);
		json_set_bool(v, "halt", on);
		json_set_str(v, "reason", on ? a->reason : NULL);
		json_set_str(v, "timestamp", now);
		rc = write_object(a, WORLD_HALT, v, damaged, e);
		cJSON_Delete(v);
	}
	if (rc != 0 && on && !a->dry)
		rc = halt_bluntly(a, e);
	lock_close(&l);
	return rc;
}

static int
set_pause(const struct asked *a, bool on, struct err *e)
{
	int rc;

	if (a->dry)
		return printf("%s '%s'\n", on ? "create" : "remove", WORLD_PAUSE) < 0 ? -VIV_IO : 0;
	if (!on) {
		rc = file_remove_tree(a->w.fd, WORLD_PAUSE, e);
	} else {
		const char *text = a->reason != NULL ? a->reason : "";

		rc = file_create(a->w.fd, WORLD_PAUSE, text, strlen(text), 0644, e);
		if (rc == -VIV_NO)
			return 0;	/* it is there, whatever it holds */
	}
	return rc == 0 ? file_sync_dir(a->w.fd, WORLD_PAUSE, e) : rc;
}

static int
set_pace(const struct asked *a, const char *arg, struct err *e)
{
	struct lock l = {.fd = -1};
	char now[CLOCK_TEXT];
	double seconds;
	cJSON *v;
	int rc = 0;

	if (arg == NULL || !num_seconds(arg, 0, PACE_MAX_S, &seconds))
		opt_usage("pace wants seconds from 0 to %d, not '%s'", PACE_MAX_S,
		    arg != NULL ? arg : "");
	if (!a->dry && (rc = lock_open(&l, a->w.fd, PACE_LOCK, e)) == 0)
		rc = lock_take(&l, LOCK_WAIT_MS, e);
	if (rc == 0 && (rc = load(&a->w, WORLD_PACE, &v, e)) == 0) {
		clock_local(clock_wall(), now);
		json_set_num(v, "wait_seconds", seconds);
		json_set_str(v, "updated_at", now);
		rc = write_object(a, WORLD_PACE, v, false, e);
		cJSON_Delete(v);
	}
	lock_close(&l);
	return rc;
}

static int
print_status(const struct asked *a, struct err *e)
{
	char reason[1024] = "", shown[1024] = "";
	bool on = halt_on(&a->w, reason, sizeof(reason)), paused = halt_paused(&a->w);
	double pace = halt_pace(&a->w, e);

	if (a->json) {
		cJSON *v = json_new();

		json_set_bool(v, "halt", on);
		json_set_str(v, "reason", on ? reason : NULL);
		json_set_bool(v, "paused", paused);
		json_set_num(v, "wait_seconds", pace);
		if (pace < 0)
			json_set_str(v, "wait_seconds", NULL);
		json_puts(v);
		cJSON_Delete(v);
	} else {
		utf8_printable(shown, sizeof(shown), reason, strlen(reason));
		printf("halt   %s%s%s\n", on ? "on" : "off", on ? ": " : "", shown);
		printf("pause  %s\n", paused ? "on" : "off");
		if (pace < 0)
			printf("pace   damaged\n");
		else
			printf("pace   %g s\n", pace);
	}
	return pace < 0 ? (int)pace : on || paused ? 1 : 0;
}

static int
run(const struct asked *a, const char *verb, const char *arg)
{
	struct err e = {0};
	int rc;

	if (strcmp(verb, "on") == 0 || strcmp(verb, "off") == 0)
		rc = set_switch(a, strcmp(verb, "on") == 0, &e);
	else if (strcmp(verb, "pause") == 0 || strcmp(verb, "resume") == 0)
		rc = set_pause(a, strcmp(verb, "pause") == 0, &e);
	else if (strcmp(verb, "pace") == 0)
		rc = set_pace(a, arg, &e);
	else
		rc = print_status(a, &e);
	if (rc < 0)
		err_warn("%s", e.msg);
	return rc < 0 ? -rc : rc;
}

static bool
is_verb(const char *s)
{
	static const char *const verb[] = {"on", "off", "status", "pause", "resume", "pace"};

	for (size_t i = 0; i < sizeof(verb) / sizeof(verb[0]); i++)
		if (strcmp(s, verb[i]) == 0)
			return true;
	return false;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"reason", required_argument, NULL, 'm'}, {"json", no_argument, NULL, 'J'},
		{"dry-run", no_argument, NULL, 'n'}, {"quiet", no_argument, NULL, 'q'},
		{NULL, 0, NULL, 0}};
	struct asked a = {.reason = NULL};
	struct err e = {0};
	const char *verb;
	int c, rc;

	opt_init(argc, argv, USAGE);
	while ((c = opt_next(argc, argv, "m:Jnq", longs)) != -1) {
		if (c == 'm')
			a.reason = optarg;
		a.json |= c == 'J';
		a.dry |= c == 'n';
		a.quiet |= c == 'q';
	}
	if (optind >= argc)
		opt_usage("on, off, status, pause, resume or pace?");
	verb = argv[optind];
	if (!is_verb(verb))
		opt_usage("'%s' is not on, off, status, pause, resume or pace", verb);
	if (argc - optind > (strcmp(verb, "pace") == 0 ? 2 : 1))
		opt_usage("unexpected argument '%s'", argv[argc - 1]);
	if (a.reason != NULL && (utf8_invalid(a.reason, strlen(a.reason)) < strlen(a.reason) ||
	    utf8_count(a.reason, strlen(a.reason)) > REASON_CHARS))
		opt_usage("-m wants UTF-8 text of at most %d characters", REASON_CHARS);
	if (world_open(&a.w, opt_world, &e) != 0)
		err_die(&e);
	rc = run(&a, verb, argv[optind + 1]);
	world_close(&a.w);
	return opt_end(rc);
}
