/*
 * viv-release: gives back what is still claimed, as an attempt that does not count.
 *
 * As the last stage of a pipeline it sees each line once its fate is recorded: a line
 * that reached a recorded end has no claim any more, all others are given back. As a
 * verb it takes ids, or all claims of a resident, from the slots themselves; what a live
 * viv-cycle executes right now (the flock on the slot says so) only by force, because the
 * next resident would run it a second time beside the first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commit.h"
#include "json.h"
#include "opt.h"
#include "slot.h"
#include "stage.h"
#include "task.h"

#define USAGE "viv-release [-afhn] [-r RESIDENT] [-M REASON] [-C WORLD] [ID ...]"

struct releaser {
	struct world w;
	struct log log;
	const char *resident, *reason;
	bool dry, force;
	int refused, released;
};

/* Give back the line's claim and record it. */
/* What was executed and comes without a verdict has used its attempt up: otherwise a
 * pipeline without a reviewer would execute it for ever. */
static int
release(struct releaser *r, cJSON *line, struct err *e)
{
	int rc;

	if (r->dry) {
		r->released++;
		return printf("%s\n", json_str(line, "id")) < 0 ? -VIV_IO : 0;
	}
	json_del(line, "events");
	if (strcmp(stage_status(line), "completed") == 0)
		stage_final(line, "requeue", "released without a verdict");
	else
		stage_requeue(line, r->reason);
	rc = commit_line(&r->log, line, e);
	if (rc == 0)
		rc = log_sync(&r->log, e);
	if (rc == 0)
		r->released++;
	return rc;
}

static int
release_line(cJSON *line, void *arg, struct err *e)
{
	struct releaser *r = arg;
	const char *status = stage_status(line);
	bool ended = json_bool(line, "committed", false) && !stage_open(line) &&
	    strcmp(status, "completed") != 0;
	int rc;

	if (json_obj(line, "claim") == NULL || ended || strcmp(status, "lost") == 0)
		return 0;
	if (r->dry) {
		err_warn("would release '%s'", json_str(line, "id"));
		return 0;
	}
	rc = release(r, line, e);
	return rc == -VIV_REFUSED ? 0 : rc;	/* lost: the line says so */
}

/* Give back what the slot of id says somebody holds. */
static int
release_slot(struct releaser *r, const char *id, const struct slot *s, struct err *e)
{
	cJSON *line, *claim;
	int guard, rc;

	if (r->resident == NULL || strcmp(s->resident, r->resident) != 0) {
		err_warn("'%s' is claimed by '%s', not by '%s'", id, s->resident,
		    r->resident != NULL ? r->resident : "you: name the resident with -r");
		r->refused++;
		return 0;
	}
	if (!slot_idle(&r->w, id, s->number, &guard) && !r->force) {
		err_warn("'%s' is being executed: -f gives it back all the same", id);
		r->refused++;
		return 0;
	}
	line = json_new();
	claim = json_new();
	json_set_str(line, "id", id);
	json_set_str(claim, "resident_id", s->resident);
	if (s->identity[0] != '\0')
		json_set_str(claim, "identity_id", s->identity);
	json_set_str(claim, "token", s->token);
	json_set_num(claim, "generation", (double)s->number);
	json_set(line, "claim", claim);
	rc = release(r, line, e);
	if (rc == -VIV_REFUSED) {
		r->refused++;
		rc = 0;
	}
	if (guard >= 0)
		close(guard);
	cJSON_Delete(line);
	return rc;
}

static int
release_id(struct releaser *r, const char *id, struct err *e)
{
	struct slot s;
	int rc = task_id_check(id, e);

	if (rc == 0)
		rc = slot_scan(&r->w, id, &s, e);
	if (rc != 0)
		return rc;
	if (s.kind != SLOT_CLAIM) {
		err_warn("'%s' is not claimed", id);
		r->refused++;
		return 0;
	}
	return release_slot(r, id, &s, e);
}

struct found {
	char **id;
	size_t n;
};

static int
collect(const char *id, int64_t number, void *arg)
{
	struct found *f = arg;

	(void)number;
	if (id[0] == '_')
		return 0;
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->id[i], id) == 0)
			return 0;
	f->id = mem_grow(f->id, f->n + 1, sizeof(*f->id));
	f->id[f->n++] = mem_dup(id);
	return 0;
}

static int
release_all(struct releaser *r, struct err *e)
{
	struct found f = {NULL, 0};
	int rc = slot_each(&r->w, collect, &f, e);

	for (size_t i = 0; i < f.n; i++) {
		struct slot s;

		if (rc == 0 && slot_scan(&r->w, f.id[i], &s, e) == 0 && s.kind == SLOT_CLAIM &&
		    strcmp(s.resident, r->resident) == 0)
			rc = release_slot(r, f.id[i], &s, e);
		free(f.id[i]);
	}
	free(f.id);
	return rc;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"all", no_argument, NULL, 'a'}, {"force", no_argument, NULL, 'f'},
		{"resident", required_argument, NULL, 'r'},
		{"reason", required_argument, NULL, 'M'}, {"dry-run", no_argument, NULL, 'n'},
		{NULL, 0, NULL, 0}};
	struct releaser r = {.resident = getenv("VIV_RESIDENT"), .reason = "released"};
	struct err e = {0};
	bool all = false;
	int c, rc = 0, code = -1;

	opt_init(argc, argv, USAGE);
	while ((c = opt_next(argc, argv, "afr:M:n", longs)) != -1) {
		if (c == 'a')
			all = true;
		r.force |= c == 'f';
		if (c == 'r')
			r.resident = optarg;
		if (c == 'M')
			r.reason = optarg;
		if (c == 'n')
			r.dry = true;
	}
	if (all && (r.resident == NULL || optind < argc))
		opt_usage(r.resident == NULL ? "-a needs -r RESIDENT" : "-a takes no ids");
	if (world_open(&r.w, opt_world, &e) != 0 || log_open(&r.log, &r.w, &e) != 0)
		err_die(&e);
	if (all)
		rc = release_all(&r, &e);
	else if (optind < argc)
		for (; rc == 0 && optind < argc; optind++)
			rc = release_id(&r, argv[optind], &e);
	else
		code = stage_run(release_line, &r);
	if (rc != 0)
		err_die(&e);
	log_close(&r.log);
	world_close(&r.w);
	if (code < 0)
		code = r.refused > 0 ? VIV_REFUSED : r.released > 0 ? 0 : VIV_NO;
	return opt_end(code);
}
