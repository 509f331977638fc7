/*
 * viv-add: post tasks; revive and withdraw them.
 *
 * All input is read before the lock is taken, so that a slow producer keeps nobody
 * waiting; then one lock, one check of everything against everything, one rewrite of
 * the board and one run of `queued` events serve the whole stream. A task that is
 * refused refuses the stream, or with --keep-going itself and whatever depends on it.
 * An editor that saved the board meanwhile costs another try.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "commit.h"
#include "json.h"
#include "jsonl.h"
#include "num.h"
#include "opt.h"
#include "policy.h"
#include "post.h"
#include "world.h"

#define USAGE "viv-add [-nqJ] [-C DIR] [-m local|llm] [-i ID] [-d ID,...] [-p PRIORITY] " \
	"[-b MAX_BUDGET] [-M MODEL] [-t TIMEOUT] [-T TAG]... [-w DIR] [-I IDENTITY] " \
	"[--not-before TIME] [--deadline TIME] [--max-attempts N] [--ok-exit N,...] " \
	"[--review critic|human|model|jury] [--serial] [--keep-going] [TEXT | -] | " \
	"viv-add -k|-x [-nq] [-C DIR] ID..."

enum { TRIES = 8, PAUSE_MS = 100, REPORTS = 50 };

struct add {
	struct post_fill fill;	/* what the flags and this place give every task */
	const char *id;
	bool kick, withdraw, dry, quiet, json, keep_going;
	struct world w;
	struct post_item *v;
	size_t n;
	size_t nbad;
	bool posted;		/* the board has them */
	int rc;			/* 1 when some input was bad */
};

/* --- options --- */

static void
set_workdir(struct add *a, const char *dir)
{
	free(a->fill.workdir);
	a->fill.workdir = realpath(dir, NULL);
	a->fill.workdir_given = true;
	if (a->fill.workdir == NULL)
		err_exit(VIV_CONFIG, "cannot open '%s': %s", dir, strerror(errno));
}

enum { KEEP_GOING = 0x200 };

static const struct option longs[] = {{"mode", required_argument, NULL, 'm'},
    {"id", required_argument, NULL, 'i'}, {"depends-on", required_argument, NULL, 'd'},
    {"priority", required_argument, NULL, 'p'}, {"max-budget", required_argument, NULL, 'b'},
    {"model", required_argument, NULL, 'M'}, {"timeout", required_argument, NULL, 't'},
    {"tag", required_argument, NULL, 'T'}, {"workdir", required_argument, NULL, 'w'},
    {"identity", required_argument, NULL, 'I'}, {"kick", no_argument, NULL, 'k'},
    {"withdraw", no_argument, NULL, 'x'}, {"dry-run", no_argument, NULL, 'n'},
    {"quiet", no_argument, NULL, 'q'}, {"json", no_argument, NULL, 'J'},
    {"not-before", required_argument, NULL, POST_NOT_BEFORE},
    {"deadline", required_argument, NULL, POST_DEADLINE},
    {"max-attempts", required_argument, NULL, POST_MAX_ATTEMPTS},
    {"ok-exit", required_argument, NULL, POST_OK_EXIT},
    {"review", required_argument, NULL, POST_REVIEW}, {"serial", no_argument, NULL, POST_SERIAL},
    {"keep-going", no_argument, NULL, KEEP_GOING}, {0}};

static void
parse(struct add *a, int argc, char **argv)
{
	int c;

	while ((c = opt_next(argc, argv, "m:i:d:p:b:M:t:T:w:I:kxnqJ", longs)) != -1) {
		if (c == 'm')
			a->fill.mode = optarg;
		else if (c == 'i')
			a->id = optarg;
		else if (c == 'w')
			set_workdir(a, optarg);
		else
			post_flag(a->fill.defaults, c, optarg);
		a->kick |= c == 'k';
		a->withdraw |= c == 'x';
		a->dry |= c == 'n';
		a->quiet |= c == 'q';
		a->json |= c == 'J';
		a->keep_going |= c == KEEP_GOING;
	}
	if (a->fill.mode != NULL && strcmp(a->fill.mode, "local") != 0 &&
	    strcmp(a->fill.mode, "llm") != 0)
		opt_usage("-m is 'local' (a command) or 'llm' (a prompt)");
	if (a->kick && a->withdraw)
		opt_usage("-k and -x exclude each other");
	if ((a->kick || a->withdraw) && optind == argc)
		opt_usage("%s needs the ids of tasks", a->kick ? "-k" : "-x");
}

/* --- input --- */

static void
item_add(struct add *a, cJSON *task, unsigned long line)
{
	a->v = mem_grow(a->v, a->n + 1, sizeof(*a->v));
	a->v[a->n++] = (struct post_item){task, line, json_get(task, "id") != NULL, false};
}

static void
read_text(struct add *a, int argc, char **argv)
{
	const char *text = argv[optind];
	bool local = a->fill.mode != NULL && strcmp(a->fill.mode, "local") == 0;
	cJSON *t = json_new();
	struct err e;

	if (argc - optind == 2 && strpbrk(text, " \t\n") == NULL && task_id_check(text, &e) == 0)
		opt_usage(
		    "one text at a time: quote it; is '%s' the id? then: viv-add -i '%s' 'TEXT'",
		    text, text);
	if (argc - optind > 1)
		opt_usage("one text at a time: quote it");
	if (a->id != NULL)
		json_set_str(t, "id", a->id);
	json_set_str(t, local ? "command" : "prompt", text);
	item_add(a, t, 0);
}

static int
read_stdin(struct add *a, struct err *e)
{
	struct jsonl in = {.fd = STDIN_FILENO};
	cJSON *t;
	int rc = 0;

	if (a->id != NULL)
		opt_usage("-i names one task: give it a text, or an \"id\" in each line");
	while (!in.eof && rc >= 0) {
		rc = jsonl_fill(&in, e);
		while (rc >= 0 && (t = jsonl_next(&in)) != NULL)
			item_add(a, t, in.line);
	}
	if (in.bad > 0)
		a->rc = VIV_NO;
	jsonl_free(&in);
	return rc < 0 ? rc : 0;
}

/* --- checking and posting --- */

static void
refuse(struct post_item *it, const char *why, void *arg)
{
	struct add *a = arg;

	if (it->line == 0)
		err_warn("%s", why);
	else if (a->nbad < REPORTS)
		err_warn("line %lu: %s", it->line, why);
	a->nbad++;
	it->bad = true;
	a->rc = VIV_NO;
}

static void
complete_all(struct add *a)
{
	struct err e;

	for (size_t i = 0; i < a->n; i++) {
		int rc = post_fill(&a->fill, &a->v[i].task, &e);

		if (rc == -VIV_REFUSED && (a->fill.workdir_given || a->v[i].line > 0)) {
			refuse(&a->v[i], e.msg, a);
			if (a->v[i].line == 0)
				a->rc = VIV_REFUSED;
		} else if (rc != 0) {
			err_die(&e);
		}
	}
	if (a->fill.scratch && !a->quiet)
		err_warn("this directory is no read root: local commands will run in their scratch "
		         "directory");
}

static int
post_good(struct post *p, struct add *a, cJSON **good, size_t *n_out, struct err *e)
{
	size_t n = 0;
	int rc;

	post_check_all(p, a->v, a->n, a->keep_going, refuse, a);
	for (size_t i = 0; i < a->n; i++)
		if (!a->v[i].bad)
			good[n++] = a->v[i].task;
	if (a->rc != 0 && !a->keep_going)
		n = 0;
	*n_out = n;
	rc = n > 0 ? post_limit(p, n, e) : 0;
	if (rc != 0 || n == 0 || a->dry)
		return rc;
	rc = board_append(&p->board, &a->w, good, n, e);
	a->posted = rc == 0;
	if (rc == 0 && (rc = post_record(p, "viv-add", good, n, e)) != 0) {
		err_warn("%s", e->msg);
		rc = err_set(e, VIV_IO, "the tasks are on the board, but not in the log");
	}
	return rc;
}

static void
print(const struct add *a, cJSON *const *good, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (a->json)
			json_puts(good[i]);
		else
			puts(json_str(good[i], "id"));
	}
}

static int
add(struct add *a, struct err *e)
{
	cJSON **good = mem_zero(a->n, sizeof(*good));
	struct post p;
	size_t n = 0;
	int rc = post_open(&p, &a->w, !a->dry, e);

	for (int try = 0; rc == 0; try++) {
		rc = post_begin(&p, e);
		if (rc != 0)
			break;
		rc = post_good(&p, a, good, &n, e);
		post_end(&p);
		if (rc != -VIV_TEMPFAIL || a->posted || try == TRIES)
			break;
		clock_sleep_ms(PAUSE_MS);
		rc = 0;
	}
	if (a->posted || (rc == 0 && a->dry))
		print(a, good, n);
	post_close(&p);
	free(good);
	return rc;
}

/* --- reviving and withdrawing --- */

static int
decide_all(struct add *a, char **ids, struct err *e)
{
	struct post p;
	int rc = post_open(&p, &a->w, !a->dry, e), worst = 0;

	if (rc == 0)
		rc = board_load(&p.board, &a->w, e);
	for (; rc >= 0 && *ids != NULL; ids++) {
		int one = a->kick ? post_kick(&p, *ids, a->dry, e) :
				    post_withdraw(&p, *ids, a->dry, e);

		if (one == -VIV_IO) {
			rc = one;
		} else if (one != 0) {
			err_warn("%s", e->msg);
			worst = -one > worst ? -one : worst;
		} else {
			puts(*ids);
		}
	}
	post_close(&p);
	a->rc = worst;
	return rc < 0 ? rc : 0;
}

static void
run(struct add *a, int argc, char **argv, struct err *e)
{
	bool text = optind < argc && (strcmp(argv[optind], "-") != 0 || argc - optind > 1);
	int rc = 0;

	if (a->kick || a->withdraw) {
		if (decide_all(a, argv + optind, e) != 0)
			err_die(e);
		return;
	}
	if (text)
		read_text(a, argc, argv);
	else if (optind == argc && isatty(STDIN_FILENO))
		opt_usage("what is to be done?");
	else
		rc = read_stdin(a, e);
	if (rc == 0 && (a->rc == 0 || a->keep_going) && a->n > 0) {
		complete_all(a);
		rc = add(a, e);
	}
	if (rc != 0) {
		opt_end(0);
		err_die(e);
	}
	if (a->nbad > REPORTS)
		err_warn("and %zu more lines", a->nbad - REPORTS);
	if (a->n > 1 && a->rc != 0 && !a->quiet)
		err_warn(a->keep_going ? "the other tasks were posted" : "nothing was posted");
}

int
main(int argc, char **argv)
{
	struct add a = {.fill = {.w = &a.w, .defaults = json_new()}};
	struct err e = {0};

	opt_init(argc, argv, USAGE);
	parse(&a, argc, argv);
	if (a.fill.workdir == NULL)
		a.fill.workdir = realpath(".", NULL);
	if (world_open(&a.w, opt_world, &e) != 0)
		err_die(&e);
	run(&a, argc, argv, &e);
	for (size_t i = 0; i < a.n; i++)
		cJSON_Delete(a.v[i].task);
	free(a.v);
	free(a.fill.workdir);
	cJSON_Delete(a.fill.defaults);
	policy_free(a.fill.policy);
	world_close(&a.w);
	return opt_end(a.rc);
}
