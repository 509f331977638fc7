/*
 * review: the stage that judges what viv-cycle has completed.
 *
 * Fixed rules (lib/critic.c) come first, and what they reject is rejected. What they
 * accept ends there, or, when the task asks for a person, a jury or a second model, ends
 * its attempt in a final event that waits for them: nobody holds a claim while somebody
 * thinks, and no line behind this one waits.
 */
#include "review.h"

#include <string.h>

#include "buf.h"
#include "critic.h"
#include "json.h"
#include "jury.h"
#include "outcome.h"
#include "stage.h"
#include "votes.h"

/* Who is asked after the rules have found nothing: a final event waits for somebody. */
static cJSON *
ask_jury(const struct world *w, cJSON *line)
{
	struct buf why = {0};
	cJSON *jury = NULL, *ev;
	const cJSON *juror;
	size_t found = 0;
	struct err e = {0};

	if (w == NULL || jury_summon(w, line, &jury, &found, &e) != 0)
		buf_fmt(&why, "waits for a person: no jury: %s",
		    w != NULL ? e.msg : "there is no world");
	else if (jury == NULL)
		buf_fmt(&why, "waits for a person: a jury needs %d without a part in it, not %zu",
		    VOTES_JURY, found);
	cJSON_ArrayForEach(juror, jury) {
		buf_fmt(&why, "%s %s", why.len == 0 ? "waits for a jury:" : ",",
		    juror->valuestring);
	}
	ev = stage_final(line, "pending_review", why.p);
	json_set_str(ev, "review_by", jury != NULL ? "jury" : "human");
	if (jury != NULL)
		json_set(ev, "jury", jury);
	buf_free(&why);
	return ev;
}

/* "review" is what the task asks for; an object there is a verdict of before. What the
 * rules reject is for no model and no jury to judge. */
static cJSON *
begin(const struct world *w, cJSON *line, const struct critic *v)
{
	const char *how = json_str(line, "review");
	cJSON *ev;

	if (how == NULL || (strcmp(how, "human") != 0 && !v->accepted) ||
	    strcmp(how, "critic") == 0)
		return stage_event(line, "pending_review");
	if (strcmp(how, "jury") == 0)
		return ask_jury(w, line);
	if (strcmp(how, "model") == 0) {
		ev = stage_final(
		    line, "pending_review", "waits for a second model, or a person");
		json_set_str(ev, "review_by", "model");
		return ev;
	}
	ev = stage_final(line, "pending_review", "waits for a person");
	json_set_str(ev, "review_by", "human");
	return ev;
}

int
review_line(cJSON *line, void *arg, struct err *e)
{
	const struct world *w = arg;
	int attempt = (int)json_int(json_obj(line, "claim"), "attempt", 1);
	struct critic v;
	cJSON *ev;

	(void)e;
	if (strcmp(stage_status(line), "completed") != 0)
		return 0;
	critic_review(w, line, &v);
	ev = begin(w, line, &v);
	outcome_verdict(ev, &v);
	json_set(ev, "review_suggestions", cJSON_Duplicate(v.suggestions, true));
	json_set_num(ev, "review_attempt", attempt);
	if (!json_bool(ev, "final", false))
		ev = outcome_end(line, &v, attempt, "review");
	outcome_result(ev, line);
	outcome_note(line, &v, attempt, NULL);
	critic_free(&v);
	return 0;
}
