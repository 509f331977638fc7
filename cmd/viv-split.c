/*
 * viv-split: a prompt that is many tasks in one becomes several.
 *
 * As a stage it looks at the open lines of claimed tasks: a complex prompt for a model is
 * divided on the board (divide.h), and the line ends its attempt; the line of a task that was
 * divided before gets the results of its steps. All other lines pass unchanged, and so does
 * one that cannot be divided: it is done whole.
 *
 * With -g nothing is divided, only gathered.
 *
 * Lines without a claim, or a text as argument, are not on any board yet: the tasks to post
 * are printed for viv-add, the steps first, the task that waits for them last.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "divide.h"
#include "json.h"
#include "jsonl.h"
#include "opt.h"
#include "post.h"
#include "rand.h"
#include "split.h"
#include "stage.h"
#include "world.h"

#define USAGE "viv-split [-g] [-C DIR] [-i ID] [TEXT]"

enum { PROMPT_CHARS = 4000 };		/* of a task, outside of any world */

struct splitter {
	struct world *w;		/* NULL: none */
	struct post post;
	bool open;			/* post is */
	bool gather;			/* divide nothing any more */
};

/* Print the steps of a task that is not posted yet, and make it one that waits. */
static int
print_steps(const struct splitter *s, cJSON *task, bool force, struct err *e)
{
	struct world_limits lim = {.max_instruction_chars = PROMPT_CHARS};
	const cJSON *child;
	struct split_plan plan;
	int rc = s->w != NULL ? world_limits(s->w, &lim, e) : 0;

	if (rc == 0)
		rc = split_plan(task, force, (size_t)lim.max_instruction_chars, &plan, e);
	if (rc <= 0)
		return rc;
	rc = 0;
	cJSON_ArrayForEach(child, plan.children)
		if (rc == 0)
			rc = jsonl_write(1, child, e);
	split_parent(task, &plan);
	split_plan_free(&plan);
	return rc;
}

static int
need_post(struct splitter *s, struct err *e)
{
	int rc = s->open ? 0 : post_open(&s->post, s->w, true, e);

	s->open |= rc == 0;
	return rc;
}

static int
split_line(cJSON *line, void *arg, struct err *e)
{
	struct splitter *s = arg;
	bool planned = json_bool(line, "phase4_planned", false);
	int rc;

	if (!stage_open(line) || json_str(line, "id") == NULL)
		return 0;
	if (s->gather && !planned)
		return 0;
	if (json_obj(line, "claim") == NULL) {
		rc = print_steps(s, line, false, e);
		if (rc == -VIV_CONFIG)
			err_warn("%s", e->msg);
		return rc == -VIV_CONFIG ? 0 : rc;
	}
	if (s->w == NULL || !(planned || (split_candidate(line) && split_wanted(line))))
		return 0;
	rc = need_post(s, e);
	if (rc == 0)
		rc = planned ? divide_gather(&s->post, line, e) : divide_task(&s->post, line, e);
	if (rc == -VIV_NO) {
		err_warn("%s: it is done whole", e->msg);
		rc = 0;
	}
	return rc;
}

/* A task with that text, and an id like those of viv-add when none is given. */
static cJSON *
task_of(const char *text, const char *id)
{
	time_t now = (time_t)clock_wall();
	char date[24], tail[9];
	struct tm tm = {0};
	cJSON *t = json_new();
	char *made;

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%Y%m%d-%H%M%S", &tm);
	rand_hex(tail, 4);
	made = mem_fmt("t%s-%s", date, tail);
	json_set_str(t, "id", id != NULL ? id : made);
	json_set_str(t, "prompt", text);
	free(made);
	return t;
}

static int
split_text(const struct splitter *s, const char *text, const char *id)
{
	cJSON *t = task_of(text, id);
	struct err e = {0};
	int rc = task_id_check(json_str(t, "id"), &e);

	if (rc == 0)
		rc = print_steps(s, t, true, &e);
	if (rc == 0)
		rc = jsonl_write(1, t, &e);
	if (rc != 0)
		err_warn("%s", e.msg);
	cJSON_Delete(t);
	return -rc;
}

/* The named world, or the one we stand in; standing in none is fine. */
static struct world *
find_world(struct world *w)
{
	const char *env = getenv("VIV_ROOT");
	struct err e = {0};

	if (world_open(w, opt_world, &e) == 0)
		return w;
	if (opt_world != NULL || (env != NULL && *env != '\0'))
		err_die(&e);
	return NULL;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"gather", no_argument, NULL, 'g'}, {"id", required_argument, NULL, 'i'},
		{NULL, 0, NULL, 0}};
	struct splitter s = {0};
	const char *id = NULL;
	struct world world;
	int c, rc;

	opt_init(argc, argv, USAGE);
	while ((c = opt_next(argc, argv, "gi:", longs)) != -1) {
		if (c == 'i')
			id = optarg;
		s.gather |= c == 'g';
	}
	if (argc - optind > 1)
		opt_usage("one text at a time: quote it");
	if (optind == argc && id != NULL)
		opt_usage("-i names the task that TEXT becomes");
	if (optind < argc && s.gather)
		opt_usage("-g divides no text");
	s.w = find_world(&world);
	rc = optind < argc ? split_text(&s, argv[optind], id) : stage_run(split_line, &s);
	if (s.open)
		post_close(&s.post);
	if (s.w != NULL)
		world_close(s.w);
	return opt_end(rc);
}
