/*
 * ask: what a task line asks of a model.
 *
 * Members that are absent or null take the default; members that are out of bounds make
 * the task a bad one, because a model that is asked for something else than the task says
 * costs money and answers another question. After an answer that was cut off, viv-cycle
 * allows the next attempt more.
 */
#include "ask.h"

#include <math.h>

#include "buf.h"
#include "clock.h"
#include "json.h"
#include "task.h"

struct bound {
	const cJSON *line;
	struct err *e;
	int rc;
};

static double
bounded(struct bound *b, const char *name, double min, double max, double dflt)
{
	const cJSON *v = json_get(b->line, name);

	if (v == NULL || cJSON_IsNull(v))
		return dflt;
	if (cJSON_IsNumber(v) && v->valuedouble >= min && v->valuedouble <= max)
		return v->valuedouble;
	if (b->rc == 0)
		b->rc = err_set(
		    b->e, VIV_CONFIG, "'%s' is not a number from %g to %g", name, min, max);
	return dflt;
}

/* What differs in every request: at the very end, so that the rest can be cached. */
static char *
note_of(const cJSON *line)
{
	const char *id = json_str(line, "id");
	char now[CLOCK_TEXT];

	if (id == NULL)
		return mem_dup("");
	clock_utc(clock_wall(), now);
	return mem_fmt("(This is task %s; it is now %.19s UTC.)", id, now);
}

static int
grown(const cJSON *line, int max_tokens)
{
	double n = json_num(json_obj(line, "previous"), "max_tokens", 0);

	return n > max_tokens ? (int)fmin(n, CHAT_MAX_TOKENS_MAX) : max_tokens;
}

int
ask_read(struct ask *a, const cJSON *line, const struct ask_defaults *d, struct err *e)
{
	const char *prompt = task_prompt(line), *model = json_str(line, "model");
	const cJSON *format = json_obj(line, "response_format");
	struct bound b = {line, e, 0};
	double tokens = bounded(&b, "max_tokens", 1, CHAT_MAX_TOKENS_MAX, d->max_tokens);

	*a = (struct ask){.model = model != NULL && *model != '\0' ? model : d->model};
	a->chat.max_tokens = grown(line, (int)tokens);
	a->chat.temperature = bounded(&b, "temperature", 0, 2, d->temperature);
	a->timeout_s = bounded(&b, "timeout", 0.001, ASK_TIMEOUT_MAX_S, d->timeout_s);
	a->max_budget = llround(bounded(&b, "max_budget", 0, 1e6, -1e-6) * 1e6);
	if (format != NULL)
		a->chat.response_format = cJSON_Duplicate(format, true);
	chat_texts(&a->chat, d->base, prompt != NULL ? prompt : "", line);
	a->chat.note = note_of(line);
	if (b.rc == 0 && prompt == NULL)
		b.rc = err_set(e, VIV_NO, "the task has no prompt");
	return b.rc;
}

void
ask_free(struct ask *a)
{
	chat_ask_free(&a->chat);
}
