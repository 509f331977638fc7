/*
 * retry_test: classes, back-off, and what servers say about when to come back.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "retry.h"

static const struct {
	enum retry_net net;
	int status;
	const char *class, *code;
	bool again, fallback, paid;
} verdicts[] = {
    {RETRY_ANSWERED, 200, NULL, NULL, false, false, false},
    {RETRY_ANSWERED, 204, "transient", "malformed", true, false, true},
    {RETRY_ANSWERED, 301, "permanent", "redirect", false, false, false},
    {RETRY_ANSWERED, 307, "permanent", "redirect", false, false, false},
    {RETRY_ANSWERED, 400, "permanent", "http_400", false, false, false},
    {RETRY_ANSWERED, 401, "permanent", "http_401", false, false, false},
    {RETRY_ANSWERED, 402, "permanent", "http_402", false, false, false},
    {RETRY_ANSWERED, 403, "permanent", "http_403", false, false, false},
    {RETRY_ANSWERED, 404, "permanent", "http_404", false, false, false},
    {RETRY_ANSWERED, 408, "transient", "http_408", true, true, false},
    {RETRY_ANSWERED, 413, "permanent", "http_413", false, false, false},
    {RETRY_ANSWERED, 429, "rate", "http_429", true, true, false},
    {RETRY_ANSWERED, 500, "transient", "http_500", true, true, false},
    {RETRY_ANSWERED, 503, "transient", "http_503", true, true, false},
    {RETRY_ANSWERED, 599, "transient", "http_599", true, true, false},
    {RETRY_CONNECT, 0, "transient", "connect", true, true, false},
    {RETRY_TLS, 0, "permanent", "tls", false, false, false},
    {RETRY_TIMEOUT, 0, "transient", "timeout", true, false, true},
    {RETRY_TIMEOUT, 200, "transient", "timeout", true, false, true},
    {RETRY_TIMEOUT, 503, "transient", "http_503", true, true, false},
    {RETRY_CLOSED, 0, "transient", "truncated", true, false, true},
    {RETRY_CLOSED, 401, "permanent", "http_401", false, false, false},
    {RETRY_ABORTED, 200, "permanent", "too_large", false, false, true},
    {RETRY_GARBAGE, 0, "transient", "malformed", true, false, true},
};

static bool
same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void
classes(void)
{
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		struct retry_verdict v = retry_judge(verdicts[i].net, verdicts[i].status);

		CHECK(same(v.class, verdicts[i].class) && same(v.code, verdicts[i].code) &&
			v.again == verdicts[i].again && v.fallback == verdicts[i].fallback &&
			v.paid == verdicts[i].paid,
		    "net %d, status %d: %s %s %d %d %d", (int)verdicts[i].net, verdicts[i].status,
		    v.class, v.code, v.again, v.fallback, v.paid);
	}
}

/* Full jitter: uniform in 0 to 500 ms, 1 s, 2 s, ... 20 s. */
static void
backoff(void)
{
	static const long bound[] = {500, 1000, 2000, 4000, 8000, 16000, 20000, 20000, 20000};

	for (int i = 0; i < 9; i++) {
		CHECK(retry_backoff_ms(i + 2, 0) == 0, "try %d", i + 2);
		CHECK(retry_backoff_ms(i + 2, 0.5) == bound[i] / 2, "try %d: %ld", i + 2,
		    retry_backoff_ms(i + 2, 0.5));
		CHECK(retry_backoff_ms(i + 2, 0.9999999) == bound[i] - 1, "try %d: %ld", i + 2,
		    retry_backoff_ms(i + 2, 0.9999999));
	}
	CHECK(retry_wait_ms(2, -1, 0.5, 1000) == 250, "without Retry-After");
	CHECK(retry_wait_ms(2, 3, 0.5, 10000) == 3250, "with Retry-After");
	CHECK(retry_wait_ms(2, 3, 0.5, 3250) == -1, "just past the deadline");
	CHECK(retry_wait_ms(2, 3, 0.5, 3251) == 3250, "just before it");
	CHECK(retry_wait_ms(2, 0, 0, 0) == -1, "no time left");
}

/* 1994-11-06 08:49:37 GMT is 784111777 (RFC 9110 has the three forms of it). */
static void
after(void)
{
	static const char *const date[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
	    "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"};
	static const char *const bad[] = {"", "soon", "-1", "5 s", "0x10", "inf", "nan",
	    "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT x"};

	for (size_t i = 0; i < 3; i++) {
		CHECK(retry_after(date[i], 784111777 - 30) == 30, "'%s'", date[i]);
		CHECK(retry_after(date[i], 784111777 + 30) == 0, "'%s' in the past", date[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(retry_after(bad[i], 0) == -1, "'%s' was understood", bad[i]);
	CHECK(retry_after(NULL, 0) == -1, "absent");
	CHECK(retry_after("120", 5) == 120, "seconds");
	CHECK(retry_after("0", 5) == 0, "none");
	CHECK(retry_after("1.5", 5) == 1.5, "a fraction");
	CHECK(retry_after("999999999", 5) == RETRY_AFTER_MAX_S, "more than a day");
	CHECK(retry_after("Fri, 31 Dec 2100 23:59:59 GMT", 5) == RETRY_AFTER_MAX_S, "a century");
}

static void
limits(void)
{
	static const struct {
		const char *text;
		double s;
	} row[] = {{"20ms", 0.02}, {"7.66s", 7.66}, {"2m59.56s", 179.56}, {"1m0s", 60},
	    {"1h", 3600}, {"1h2m3s", 3723}, {"1d", 86400}, {"2d", RETRY_AFTER_MAX_S},
	    {"6", 6}, {"0s", 0}, {"", -1}, {"s", -1}, {"5x", -1}, {"5m3", -1}, {"-5s", -1},
	    {"1m 2s", -1}, {"infs", -1}};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		CHECK(fabs(retry_duration(row[i].text) - row[i].s) < 1e-9, "'%s': %f", row[i].text,
		    retry_duration(row[i].text));
	CHECK(retry_exhausted("0", "1m30s", "500", "10s") == 90, "requests are used up");
	CHECK(retry_exhausted("12", "1m30s", "0", "10s") == 10, "tokens are used up");
	CHECK(retry_exhausted("0", "5s", "0", "10s") == 10, "both are");
	CHECK(retry_exhausted("1", "1m30s", "1", "10s") == 0, "something is left");
	CHECK(retry_exhausted("", "1m30s", "x", "10s") == 0, "nothing is said");
	CHECK(retry_exhausted(NULL, NULL, NULL, NULL) == 0, "absent");
}

int
main(void)
{
	classes();
	backoff();
	after();
	limits();
	return failures > 0;
}
