/*
 * viv-share: publishes what was approved, as markdown.
 *
 * In docs-only mode each approved line that viv-log has committed leaves an entry in its
 * identity's journal and a document, once (lib/publish.c); every line is passed on. With
 * ids it does so for tasks that were approved, from their stored results: what a crash
 * kept from being published, or a decision that nobody piped on; with -a for all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "decide.h"
#include "docs.h"
#include "fold.h"
#include "json.h"
#include "jsonl.h"
#include "log.h"
#include "opt.h"
#include "publish.h"
#include "stage.h"
#include "task.h"

#define USAGE "viv-share [-ahq] [-C WORLD] [ID ...]"

struct share {
	struct world w;
	bool have_world, quiet, all;
	struct publish publish;
	int worst;		/* of lines that could not be published */
};

/* The path that a task asked for and did not get is no secret. */
static void
warn_refused(const cJSON *line)
{
	const cJSON *refused = json_obj(json_obj(line, "share"), "refused");
	const char *path = json_str(refused, "path");

	if (refused != NULL)
		err_warn("'%s': not written to '%.200s': %s; it is in '%s'", json_str(line, "id"),
		    path != NULL ? path : "(no path)", json_str(refused, "why"),
		    json_str(json_obj(line, "share"), "doc"));
}

/* The claim has ended already: a line that cannot be published says so and goes on. */
static int
share_line(cJSON *line, void *arg, struct err *e)
{
	struct share *s = arg;
	int rc;

	if (!s->have_world || !docs_only() || !publish_wanted(line))
		return 0;
	rc = publish_line(&s->publish, line, e);
	if (rc != 0) {
		cJSON *share = json_new();

		json_set_str(share, "error", e->msg);
		json_set(line, "share", share);
		err_warn("'%s' is not published: %s", json_str(line, "id"), e->msg);
		s->worst = -rc > s->worst ? -rc : s->worst;
	} else if (!json_bool(json_obj(line, "share"), "repeated", false)) {
		warn_refused(line);
	}
	return 0;
}

static int
share_id(struct share *s, const struct fold *f, const struct log *l, const char *id, struct err *e)
{
	const struct fold_task *t = fold_get(f, id);
	cJSON *ev, *line = NULL;
	int rc = task_id_check(id, e);

	if (rc != 0)
		return rc;
	if (!fold_done(t))
		return err_set(e, VIV_NO, "'%s' is not approved", id);
	if (!docs_only())
		return err_set(e, VIV_REFUSED, "nothing is published: docs-only mode is off");
	ev = fold_event(f, l, t);
	rc = decide_rebuild(&s->w, id, ev, &line, e);
	cJSON_Delete(ev);
	if (rc == 0 && !publish_wanted(line))
		rc = err_set(e, VIV_NO, "'%s' has nothing to publish", id);
	if (rc == 0) {
		share_line(line, s, e);
		if (!s->quiet &&
		    !(s->all && json_bool(json_obj(line, "share"), "repeated", false)))
			rc = jsonl_write(STDOUT_FILENO, line, e);
	}
	cJSON_Delete(line);
	return rc;
}

static void
share_named(struct share *s, const struct fold *f, const struct log *l, const char *id)
{
	struct err e = {0};
	int rc = share_id(s, f, l, id, &e);

	if (s->all && rc == -VIV_NO)
		return;
	if (rc != 0)
		err_warn("%s", e.msg);
	s->worst = -rc > s->worst ? -rc : s->worst;
}

static void
share_all(struct share *s, const struct fold *f, const struct log *l)
{
	for (size_t i = 0; i < f->cap; i++)
		if (fold_done(f->table[i]))
			share_named(s, f, l, f->table[i]->id);
}

static int
share_ids(struct share *s, int argc, char **argv)
{
	struct fold fold = {0};
	struct log log;
	struct err e = {0};

	if (log_open(&log, &s->w, &e) != 0 || fold_read(&fold, &log, true, &e) != 0)
		err_die(&e);
	if (s->all)
		share_all(s, &fold, &log);
	for (int i = 0; i < argc; i++)
		share_named(s, &fold, &log, argv[i]);
	fold_free(&fold);
	log_close(&log);
	return s->worst;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"all", no_argument, NULL, 'a'}, {"quiet", no_argument, NULL, 'q'},
		{NULL, 0, NULL, 0}};
	struct share s = {.have_world = false};
	struct err e = {0};
	int c, rc;
	bool named;

	opt_init(argc, argv, USAGE);
	while ((c = opt_next(argc, argv, "aq", longs)) != -1) {
		s.quiet |= c == 'q';
		s.all |= c == 'a';
	}
	if (s.all && optind < argc)
		opt_usage("-a names all there are: no '%s'", argv[optind]);
	named = s.all || optind < argc;
	rc = named ? world_open(&s.w, opt_world, &e) : world_find(&s.w, opt_world, &e);
	if (rc < 0)
		err_die(&e);
	s.have_world = named || rc > 0;
	if (s.have_world)
		publish_open(&s.publish, &s.w);
	rc = named ? share_ids(&s, argc - optind, argv + optind) :
	    stage_run(share_line, &s);
	if (s.have_world) {
		publish_close(&s.publish);
		world_close(&s.w);
	}
	return opt_end(rc != 0 ? rc : s.worst);
}
