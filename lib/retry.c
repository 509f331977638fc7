/*
 * retry: what an answer, or the lack of one, means for the next try.
 *
 * Three questions are kept apart. May the same request work later (again)? May another
 * provider be asked at once (fallback): only where this one has not judged the request
 * itself: no connection, 408, 429, 5xx; never 400 to 403, which another account would
 * answer in the same way, or worse, differently. And may the provider have done the work
 * (paid)? Whatever happens after the request has left and before a whole answer is there is
 * paid until the provider says otherwise; a status outside 200 is its word that it did
 * nothing. What was paid is tried again only once.
 *
 * Waiting is back-off with full jitter (a uniform part of a doubling bound), and never less
 * than what the server asked for, and never past the deadline.
 */
#include "retry.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "num.h"

/* "http_NNN", for every status there can be. */
static const char *
status_code(int status)
{
	static char name[500][9];
	char *s;

	if (status < 100 || status > 599)
		return "malformed";
	s = name[status - 100];
	memcpy(s, "http_", 5);
	s[5] = (char)('0' + status / 100);
	s[6] = (char)('0' + status / 10 % 10);
	s[7] = (char)('0' + status % 10);
	return s;
}

static struct retry_verdict
judge_status(int status)
{
	struct retry_verdict v = {.class = "permanent", .code = status_code(status)};

	if (status == 200)
		return (struct retry_verdict){0};
	if (status >= 300 && status < 400) {
		v.code = "redirect";
	} else if (status == 429) {
		v.class = "rate";
		v.again = v.fallback = true;
	} else if (status == 408 || status == 425 || status >= 500) {
		v.class = "transient";
		v.again = v.fallback = true;
	} else if (status < 300) {
		return retry_answer("malformed");	/* 2xx without an answer: 204 */
	}
	return v;
}

struct retry_verdict
retry_judge(enum retry_net net, int status)
{
	struct retry_verdict v = {.class = "transient", .again = true, .paid = true};

	switch (net) {
	case RETRY_ANSWERED:
		return judge_status(status);
	case RETRY_CONNECT:
		v.code = "connect";
		v.fallback = true;
		v.paid = false;
		return v;
	case RETRY_TLS:
		return (struct retry_verdict){.class = "permanent", .code = "tls"};
	case RETRY_TIMEOUT:
		v.code = "timeout";
		break;
	case RETRY_CLOSED:
		v.code = "truncated";
		break;
	case RETRY_ABORTED:
		v.class = "permanent";
		v.code = "too_large";
		v.again = false;
		break;
	case RETRY_GARBAGE:
		v.code = "malformed";
		break;
	}
	/* A refusal is one, however much of its text arrived. */
	if (status != 0 && status != 200)
		return judge_status(status);
	return v;
}

struct retry_verdict
retry_answer(const char *code)
{
	struct retry_verdict v = {.class = "transient", .code = code, .again = true, .paid = true};

	if (strcmp(code, "too_large") == 0 || strcmp(code, "content_filter") == 0) {
		v.class = "permanent";
		v.again = false;
	}
	return v;
}

long
retry_backoff_ms(int next, double chance)
{
	double bound = RETRY_BASE_MS;

	for (int i = 2; i < next && bound < RETRY_CAP_MS; i++)
		bound *= 2;
	return (long)(chance * fmin(bound, RETRY_CAP_MS));
}

long
retry_wait_ms(int next, double after_s, double chance, long left_ms)
{
	double ms = (double)retry_backoff_ms(next, chance);

	/* Not all who were told "in 5 s" come back at once: the jitter goes on top. */
	if (after_s >= 0)
		ms += after_s * 1000;
	return ms < (double)left_ms ? (long)ms : -1;
}

/* One of the three forms of a date in HTTP (RFC 9110 5.6.7), always GMT. */
static bool
http_date(const char *s, double *out)
{
	static const char *const form[] = {
	    "%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"};

	for (size_t i = 0; i < sizeof(form) / sizeof(form[0]); i++) {
		struct tm tm = {0};
		const char *end = strptime(s, form[i], &tm);

		if (end != NULL && *end == '\0') {
			*out = (double)timegm(&tm);
			return true;
		}
	}
	return false;
}

double
retry_after(const char *value, double now)
{
	double v;

	if (value == NULL)
		return -1;
	if (!num_real(value, 0, 1e9, &v)) {
		if (!http_date(value, &v))
			return -1;
		v -= now;
	}
	return fmin(fmax(v, 0), RETRY_AFTER_MAX_S);
}

/* One part of a duration, such as "59.56s"; *s moves behind it. */
static double
duration_part(const char **s)
{
	char *end;
	double v;

	if (!isdigit((unsigned char)**s))
		return -1;
	v = strtod(*s, &end);
	if (strncmp(end, "ms", 2) == 0) {
		*s = end + 2;
		return v / 1000;
	}
	*s = end + 1;
	switch (*end) {
	case 'd':
		return v * 86400;
	case 'h':
		return v * 3600;
	case 'm':
		return v * 60;
	case 's':
		return v;
	}
	return -1;
}

double
retry_duration(const char *value)
{
	double sum = 0, v;

	if (value == NULL || *value == '\0')
		return -1;
	if (num_real(value, 0, 1e9, &v))
		return fmin(v, RETRY_AFTER_MAX_S);
	while (*value != '\0') {
		v = duration_part(&value);
		if (!(v >= 0))
			return -1;
		sum += v;
	}
	return fmin(sum, RETRY_AFTER_MAX_S);
}

static double
used_up(const char *left, const char *reset)
{
	double n, s = retry_duration(reset);

	return left != NULL && num_real(left, -1e12, 1e12, &n) && n < 1 && s > 0 ? s : 0;
}

double
retry_exhausted(const char *left_requests, const char *reset_requests, const char *left_tokens,
    const char *reset_tokens)
{
	return fmax(used_up(left_requests, reset_requests), used_up(left_tokens, reset_tokens));
}
