/*
 * speak: an answer for a person.
 *
 * A model's answer is a stranger's text: on a terminal its control characters, which could
 * steer it, are shown as '?'; into a file or a pipe it goes as it is.
 */
#include "speak.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "err.h"
#include "file.h"
#include "json.h"

static void
note(struct speak *s, const char *text)
{
	if (s->waiting == (*text != '\0') || !isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r%s\033[K", text);
	fflush(stderr);
	s->waiting = *text != '\0';
}

void
speak_wait(struct speak *s)
{
	if (s->last == '\0')
		note(s, "waiting for the model");
}

static void
tame(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++) {
		if ((*p < ' ' && *p != '\n' && *p != '\t') || *p == 0x7f)
			*p = '?';
		if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)	/* U+0080 to U+009F */
			p[0] = p[1] = '?';
	}
}

void
speak_text(const char *text, size_t n, void *arg)
{
	struct speak *s = arg;
	char *copy;
	struct err e;

	note(s, "");
	if (n == 0 || s->gone)
		return;
	copy = mem_ndup(text, n);
	if (s->tty)
		tame(copy);
	s->last = copy[n - 1];
	if (file_write(STDOUT_FILENO, copy, n, "output", &e) != 0) {
		s->gone = true;
		if (errno != EPIPE) {
			err_warn("%s", e.msg);
			s->rc = VIV_IO;
		}
	}
	free(copy);
}

void
speak_end(struct speak *s, const char *text)
{
	note(s, "");
	if (s->last == '\0')
		speak_text(text, strlen(text), s);
	if (s->last != '\0' && s->last != '\n')
		speak_text("\n", 1, s);
}

void
speak_usage(const cJSON *r)
{
	const cJSON *u = json_obj(r, "usage");
	const char *model = json_str(r, "model"), *by = json_str(r, "provider");
	double tries = json_num(r, "tries", 0);
	char cost[40] = "price unknown";

	if (cJSON_IsNumber(json_get(r, "cost_microusd")))
		snprintf(cost, sizeof(cost), "%.6f USD", json_num(r, "cost_microusd", 0) / 1e6);
	err_warn("%s by %s: %.0f + %.0f tokens (%.0f cached), %s, %.0f ms, %.0f %s",
	    model != NULL ? model : json_str(r, "requested_model"), by != NULL ? by : "nobody",
	    json_num(u, "prompt_tokens", 0), json_num(u, "completion_tokens", 0),
	    json_num(u, "cached_tokens", 0), cost, json_num(r, "latency_ms", 0), tries,
	    tries == 1 ? "try" : "tries");
}

int
speak_fault(const cJSON *r)
{
	static const struct {
		const char *word;	/* class or code */
		int rc;
	} table[] = {{"timeout", VIV_TIMEOUT}, {"transient", VIV_UNAVAILABLE},
	    {"rate", VIV_TEMPFAIL}, {"budget", VIV_BUDGET}, {"halted", VIV_REFUSED},
	    {"config", VIV_CONFIG}};
	const cJSON *error = json_obj(r, "error");
	const char *class = json_str(error, "class"), *code = json_str(error, "code");

	if (error == NULL)
		return 0;
	err_warn("%s (%s)", json_str(error, "message"), code);
	if (strcmp(code, "truncated") == 0 && json_str(r, "finish_reason") != NULL)
		return VIV_NO;		/* an answer, but not all of it */
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].word, code) == 0 || strcmp(table[i].word, class) == 0)
			return table[i].rc;
	return VIV_NO;
}
