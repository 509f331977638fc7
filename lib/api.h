/*
 * api: the words of the execution API (reference core.md 3): what a request asks, the
 * task line that it becomes, and what that line's outcome is called. Pure.
 */
#ifndef VIV_API_H
#define VIV_API_H

#include <stdbool.h>
#include <stddef.h>
#include <cjson/cJSON.h>

#include "buf.h"

enum {
	API_OUTPUT_CHARS = 1000,	/* code points of a command's output in a response */
	API_TIMEOUT_S = 30,
	API_TOKENS = 2048
};

/* Strings are NULL when absent or null; api_free frees. */
struct api_request {
	char *prompt, *task, *mode, *model, *intensity, *task_id;
	char *resident_id, *identity_id; /* for the limits of a day; strings only */
	double max_tokens, temperature, timeout;
	double min_budget, max_budget;	/* USD, -1: none */
	bool local;			/* set by api_mode */
};

/*
 * From the body: 0, or 422 and in *detail_out a list of {"loc","msg","type"}. Numbers may
 * come as text ("2048") and texts as numbers (17), as clients of the reference send them.
 */
int api_parse(struct api_request *r, const char *body, size_t n, cJSON **detail_out);
void api_free(struct api_request *r);

/* Which of both it is: 0, or 400 and why. api_mode_first finds what stands against it
 * whatever the text says; api_mode_last, what is missing for its mode. */
int api_mode_first(struct api_request *r, const char **why_out);
int api_mode_last(const struct api_request *r, const char **why_out);

/* The class of what a command names although no task may see it ("physics", "security",
 * "private journal"), or NULL. A courtesy with the words of the reference: what keeps it
 * unseen is the sandbox. */
const char *api_forbidden(const char *command);

/* The task line to run; workdir may be NULL. The caller deletes. */
cJSON *api_line(const struct api_request *r, const char *workdir);

/* A line for the guard alone, about a text that api_line's does not carry. */
cJSON *api_text_line(const struct api_request *r, const char *text);

/*
 * The outcome, from the line as the last stage wrote it (NULL: none): the HTTP status, and
 * in *out the nine members of a response or {"detail"}, which the caller deletes.
 * *retry_out: seconds after which it may be tried again, or -1.
 */
int api_outcome(const struct api_request *r, const cJSON *line, cJSON **out, double *retry_out);

/* Did the guard pass it? 0, or 403 with *out as above. */
int api_screened(const cJSON *line, cJSON **out);

/* {"detail":text} */
cJSON *api_detail(const char *text);

#endif
