/*
 * attempt: one attempt at a task line that this process works on.
 *
 * Whoever executes holds a shared flock on the claim's slot, so that nobody on this host
 * takes it over, and renews the claim itself at a third of the lease: viv-claim upstream
 * may be gone, and a pipeline without one is a pipeline too. A claim that cannot be
 * renewed is lost for good. What was produced goes to results/<id>.<generation>.json
 * whole, before anybody hears of it; the events carry that file's hash.
 */
#include "attempt.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "file.h"
#include "json.h"
#include "stage.h"
#include "utf8.h"

enum { SUMMARY_CHARS = 200 };

void
attempt_init(struct attempt *a, const struct world *w, cJSON *line)
{
	*a = (struct attempt){.w = w, .line = line, .hold = {.fd = -1}};
}

int
attempt_hold(struct attempt *a)
{
	const cJSON *claim = json_obj(a->line, "claim");
	const char *id = json_str(a->line, "id"), *token = json_str(claim, "token");
	struct err e = {0};

	if (a->w == NULL || claim == NULL || id == NULL || token == NULL)
		return 0;
	if (slot_hold(&a->hold, a->w, id, json_int(claim, "generation", 0), token, true,
		&e) != 0 ||
	    slot_renew(&a->hold, a->w, &e) != 0) {
		err_warn("%s", e.msg);
		attempt_lost(a);
		return 1;
	}
	a->renew_ns = clock_boot_ns() + a->hold.lease_ns / 3;
	return 0;
}

bool
attempt_tend(struct attempt *a)
{
	struct err e;

	if (a->hold.fd < 0 || a->lost || clock_boot_ns() < a->renew_ns)
		return !a->lost;
	if (slot_renew(&a->hold, a->w, &e) != 0) {
		err_warn("%s", e.msg);
		a->lost = true;
	}
	a->renew_ns = clock_boot_ns() + a->hold.lease_ns / 3;
	return !a->lost;
}

void
attempt_due(const struct attempt *a, int *timeout_ms)
{
	int64_t ms = (a->renew_ns - clock_boot_ns()) / 1000000;

	if (a->hold.fd >= 0 && !a->lost && (*timeout_ms < 0 || ms < *timeout_ms))
		*timeout_ms = ms < 0 ? 0 : (int)ms + 1;
}

void
attempt_lost(struct attempt *a)
{
	a->lost = true;
	json_set_str(a->line, "status", "lost");
	json_del(a->line, "events");
}

int
attempt_refuse(struct attempt *a, const char *reason, const char *detail)
{
	char *text = detail != NULL ? mem_fmt("%s: %s", reason, detail) : mem_dup(reason);

	stage_final(a->line, "failed", text);
	free(text);
	return 1;
}

/* The text of the evidence; the caller frees. The token proves ownership while the claim
 * lives, and a result is readable. */
static char *
evidence(const struct attempt *a, const cJSON *res)
{
	cJSON *file = json_new(), *task = cJSON_Duplicate(a->line, true);
	char *text;

	for (const char *const *m = (const char *const[]){"claim", "safety", "events", "committed",
		 "status", "context", "previous", "result", NULL};
	     *m != NULL; m++)
		json_del(task, *m);
	json_set(file, "task", task);
	json_set(file, "claim", cJSON_Duplicate(json_obj(a->line, "claim"), true));
	json_set(file, "result", cJSON_Duplicate(res, true));
	json_del(json_obj(file, "claim"), "token");
	text = json_text(file);
	cJSON_Delete(file);
	return text;
}

int
attempt_store(const struct attempt *a, cJSON *res, struct err *e)
{
	char hash[FILE_SHA256], *name, *text;
	int rc;

	if (a->hold.fd < 0)
		return 0;
	text = evidence(a, res);
	name = mem_fmt(
	    "%s/%s.%lld.json", WORLD_RESULTS, a->hold.id, (long long)a->hold.number);
	file_sha256(text, strlen(text), hash);
	rc = file_create(a->w->fd, name, text, strlen(text), 0600, e);
	if (rc == -VIV_NO)	/* this very attempt was run before, by a stage that died */
		rc = file_replace(a->w->fd, name, text, strlen(text), 0600, e);
	if (rc == 0) {
		json_set_str(res, "file", name);
		json_set_str(res, "sha256", hash);
	}
	free(name);
	free(text);
	return rc;
}

void
attempt_summary(cJSON *event, const char *text)
{
	char *s = mem_ndup(text, utf8_prefix(text, strlen(text), SUMMARY_CHARS));

	for (char *p = s; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	json_set_str(event, "result_summary", s);
	free(s);
}

cJSON *
attempt_end(struct attempt *a)
{
	cJSON *line = a->line;

	slot_hold_free(&a->hold);
	a->line = NULL;
	return line;
}
