/* model: the program that asks language models, kept running beside this one. */
#include "model.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "env.h"
#include "halt.h"
#include "json.h"

enum { TICK_MS = 1000, JOBS_MAX = 256 };

void
model_open(struct model *m, const struct world *w, size_t jobs)
{
	const char *program = getenv("VIV_LLM");

	m->argv[0] = mem_dup(program != NULL && *program != '\0' ? program : "viv-llm");
	m->argv[1] = mem_dup("-j");
	/* More lines than it works on at once wait in it. */
	m->argv[2] = mem_fmt("%zu", jobs < JOBS_MAX ? jobs : JOBS_MAX);
	m->argv[3] = mem_dup("-l");
	m->argv[4] = NULL;
	m->env = env_make(w != NULL ? w->root : NULL, NULL, ENV_KEYS | ENV_HTTP);
	m->co = (struct coproc){.argv = m->argv, .env = m->env};
}

void
model_close(struct model *m)
{
	coproc_close(&m->co);
	for (size_t i = 0; i < 4; i++)
		free(m->argv[i]);
	env_free(m->env);
}

struct reply_to {
	const char *ref;
	cJSON *line;
};

static void
take(cJSON *line, void *arg)
{
	struct reply_to *r = arg;
	const char *ref = json_str(line, "ref");

	if (r->line == NULL && ref != NULL && strcmp(ref, r->ref) == 0)
		r->line = line;
	else
		cJSON_Delete(line);
}

/* It will not answer any more: what it was asked is forgotten with it. */
static int
give_up(struct model *m, struct err *e, int code, const char *why)
{
	struct reply_to none = {"", NULL};
	struct err end;

	coproc_kill(&m->co);
	while (m->co.pid != 0 && coproc_step(&m->co, take, &none, &end) == 0)
		clock_sleep_ms(1);
	coproc_forget(&m->co);
	return err_set(e, code, "%s", why);
}

static int
call(struct model *m, const struct world *w, const cJSON *request, int seconds, cJSON **out,
    struct err *e)
{
	struct reply_to r = {json_str(request, "ref"), NULL};
	int64_t until = clock_boot_ns() + (int64_t)seconds * 1000000000;
	char why[300] = "halted: ";
	int rc = 0;

	*out = NULL;
	coproc_send(&m->co, request);
	while (r.line == NULL) {
		struct pollfd p[COPROC_POLLFDS];
		int ms = TICK_MS, n = coproc_poll(&m->co, p, &ms);

		poll(p, (nfds_t)n, ms);
		rc = coproc_step(&m->co, take, &r, e);
		if (r.line != NULL)
			break;
		if (rc != 0) {
			coproc_forget(&m->co);
			return rc == 1 ? -VIV_UNAVAILABLE : rc;
		}
		if (w != NULL && halt_on(w, why + 8, sizeof(why) - 8))
			return give_up(m, e, VIV_REFUSED, why);
		if (clock_boot_ns() > until)
			return give_up(m, e, VIV_UNAVAILABLE, "the model did not answer in time");
	}
	if (rc == 1)
		coproc_forget(&m->co);
	coproc_good(&m->co);
	*out = r.line;
	return 0;
}

int
model_call(struct model *m, const struct world *w, const cJSON *request, int seconds,
    cJSON **out, struct err *e)
{
	void (*old)(int) = signal(SIGPIPE, SIG_IGN);	/* it may be gone already */
	int rc = call(m, w, request, seconds, out, e);

	signal(SIGPIPE, old);
	return rc;
}
