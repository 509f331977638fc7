/*
 * viv-status: the board: all of it, one task, its result, why it does not run, and
 * waiting for it. It only reads; what it says is worked out in lib/standing.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clock.h"
#include "detail.h"
#include "file.h"
#include "follow.h"
#include "gates.h"
#include "json.h"
#include "num.h"
#include "opt.h"
#include "standing.h"
#include "table.h"
#include "watch.h"

#define USAGE "viv-status [-afhJowW] [-t TIMEOUT] [-C WORLD] [ID ...]"

enum { COLS = 80, TIMEOUT_MAX_S = 365 * 86400 };

struct asked {
	struct world w;
	struct standing s;
	struct table_look look;
	int mode;		/* 0, or f, o, w, W */
	bool json;
	double timeout_s;	/* -1: none */
	int watch;
};

static int
put(const struct buf *b, int fd, struct err *e)
{
	const char *name = fd == STDOUT_FILENO ? "output" : "errors";

	return b->len == 0 ? 0 : file_write(fd, b->p, b->len, name, e);
}

static int
put_json(cJSON *v, struct err *e)
{
	struct buf b = {0};
	int rc;

	json_print(&b, v);
	buf_char(&b, '\n');
	rc = put(&b, STDOUT_FILENO, e);
	buf_free(&b);
	cJSON_Delete(v);
	return rc;
}

static int
show_board(struct asked *a, struct err *e)
{
	struct buf b = {0};
	int rc;

	if (a->json)
		return put_json(table_json(&a->s), e);
	table_print(&a->s, &a->look, &b);
	rc = put(&b, STDOUT_FILENO, e);
	buf_free(&b);
	return rc;
}

/* --- one task --- */

static int
show_task(struct asked *a, const char *id, struct err *e)
{
	struct buf b = {0};
	cJSON *v;
	int rc;

	if (a->json) {
		rc = detail_json(&a->s, id, &v, e);
		return rc != 0 ? rc : put_json(v, e);
	}
	rc = detail_print(&a->s, id, &b, e);
	if (rc == 0)
		rc = put(&b, STDOUT_FILENO, e);
	buf_free(&b);
	return rc;
}

static int
show_result(struct asked *a, const char *id, struct err *e)
{
	struct buf out = {0}, errors = {0};
	int rc = detail_result(&a->s, id, &out, &errors, e);

	if (rc == 0)
		rc = put(&out, STDOUT_FILENO, e);
	if (rc == 0)
		rc = put(&errors, STDERR_FILENO, e);
	buf_free(&out);
	buf_free(&errors);
	return rc;
}

/* 1: it would not run now. */
static int
show_gates(struct asked *a, const char *id, struct err *e)
{
	long at = board_find(&a->s.board, id);
	struct buf b = {0};
	bool open;
	int rc;

	if (at < 0)
		return err_set(e, VIV_NO, "'%.200s' is not on the board", id);
	open = gates_print(&a->s, (size_t)at, &b);
	rc = put(&b, STDOUT_FILENO, e);
	buf_free(&b);
	return rc != 0 ? rc : open ? 0 : 1;
}

static int
each(struct asked *a, int argc, char **argv)
{
	int worst = 0;

	for (int i = 0; i < argc; i++) {
		struct err e = {0};
		int rc = a->mode == 'o' ? show_result(a, argv[i], &e) :
		    a->mode == 'w' ? show_gates(a, argv[i], &e) : show_task(a, argv[i], &e);

		if (rc < 0)
			err_warn("%s", e.msg);
		rc = rc < 0 ? -rc : rc;
		worst = rc > worst ? rc : worst;
	}
	return worst;
}

/* --- waiting --- */

/* Are all settled? *failed_out counts those that are not done; tell: name them. */
static int
settled(struct asked *a, int argc, char **argv, bool tell, int *failed_out, struct err *e)
{
	int open = 0;

	*failed_out = 0;
	for (int i = 0; i < argc; i++) {
		enum standing_state st;
		long at = board_find(&a->s.board, argv[i]);
		char *why;

		if (!standing_of(&a->s, argv[i], &st))
			return err_set(e, VIV_NO, "'%.200s' is neither on the board nor in the log",
			    argv[i]);
		if (st == STANDING_APPROVED)
			continue;
		if (st != STANDING_FAILED && st != STANDING_BLOCKED) {
			open++;
			continue;
		}
		++*failed_out;
		why = tell && at >= 0 ? standing_reason(&a->s, (size_t)at) : NULL;
		if (tell)
			err_warn("'%s' %s%s%s", argv[i],
			    st == STANDING_FAILED ? "has failed" : "is blocked",
			    why != NULL ? ": " : "", why != NULL ? why : "");
		free(why);
	}
	return open == 0;
}

static int
wait_for(struct asked *a, int argc, char **argv, struct err *e)
{
	int64_t end = clock_boot_ns() + (int64_t)(a->timeout_s * 1e9);
	int failed, rc;

	while ((rc = settled(a, argc, argv, false, &failed, e)) == 0) {
		long ms = WATCH_TICK_MS;

		if (a->timeout_s >= 0) {
			int64_t left = (end - clock_boot_ns()) / 1000000;

			if (left <= 0)
				return err_set(e, VIV_TIMEOUT, "not settled in time");
			ms = left < ms ? (long)left : ms;
		}
		watch_wait(a->watch, ms, false);
		rc = standing_look(&a->s, e);
		if (rc < 0 && rc != -VIV_TEMPFAIL)
			return rc;
	}
	if (rc < 0 || failed == 0)
		return rc < 0 ? rc : 0;
	settled(a, argc, argv, true, &failed, e);
	return VIV_NO;
}

/* --- options --- */

static void
options(int argc, char **argv, struct asked *a)
{
	static const struct option longs[] = {
		{"all", no_argument, NULL, 'a'}, {"follow", no_argument, NULL, 'f'},
		{"json", no_argument, NULL, 'J'}, {"output", no_argument, NULL, 'o'},
		{"why", no_argument, NULL, 'w'}, {"wait", no_argument, NULL, 'W'},
		{"timeout", required_argument, NULL, 't'}, {NULL, 0, NULL, 0}};
	int c;

	while ((c = opt_next(argc, argv, "afJowWt:", longs)) != -1) {
		a->look.all |= c == 'a';
		a->json |= c == 'J';
		if (c == 't' && !num_seconds(optarg, 0, TIMEOUT_MAX_S, &a->timeout_s))
			opt_usage("-t wants a time such as 30s or 5m, not '%s'", optarg);
		if (strchr("fowW", c) == NULL)
			continue;
		if (a->mode != 0 && a->mode != c)
			opt_usage("-%c and -%c cannot be combined", a->mode, c);
		a->mode = c;
	}
	if (a->json && a->mode != 0)
		opt_usage("-J and -%c cannot be combined", a->mode);
	if (a->timeout_s >= 0 && a->mode != 'W')
		opt_usage("-t is for -W");
	if (a->mode == 'f' && optind < argc)
		opt_usage("-f takes no id");
	if (a->mode != 0 && a->mode != 'f' && optind == argc)
		opt_usage("-%c wants an id", a->mode);
}

static void
look_of(struct table_look *look)
{
	const char *plain = getenv("NO_COLOR"), *term = getenv("TERM");
	struct winsize size;

	look->cols = COLS;
	if (!isatty(STDOUT_FILENO))
		return;
	look->color = (plain == NULL || *plain == '\0') && term != NULL &&
	    strcmp(term, "dumb") != 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		look->cols = size.ws_col;
}

int
main(int argc, char **argv)
{
	struct asked a = {.timeout_s = -1, .watch = -1};
	struct err e = {0};
	int rc;

	opt_init(argc, argv, USAGE);
	options(argc, argv, &a);
	look_of(&a.look);
	if (world_open(&a.w, opt_world, &e) != 0)
		err_die(&e);
	if (a.mode == 'f' || a.mode == 'W')
		a.watch = watch_open(&a.w);
	if (standing_open(&a.s, &a.w, true, &e) != 0)
		err_die(&e);
	if (a.mode == 'f')
		rc = follow_run(&a.s, &a.look, a.watch, &e);
	else if (a.mode == 'W')
		rc = wait_for(&a, argc - optind, argv + optind, &e);
	else if (optind < argc)
		rc = each(&a, argc - optind, argv + optind);
	else
		rc = show_board(&a, &e);
	if (rc < 0)
		err_warn("%s", e.msg);
	standing_close(&a.s);
	world_close(&a.w);
	return opt_end(rc < 0 ? -rc : rc);
}
