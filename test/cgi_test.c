/*
 * cgi_test: the pure parts of cgi.c and api.c. Expected values are literal: which
 * addresses are loopback says RFC 6890 (127/8, ::1) and RFC 4291 (mapped), the coercions
 * are those of the page viv-api-cgi(1).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "cgi.h"
#include "check.h"
#include "json.h"


static void
test_peers(void)
{
	static const char *const yes[] = {"127.0.0.1", "127.0.0.0", "127.255.255.255", "::1",
	    "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::ffff:127.9.9.9"};
	static const char *const no[] = {"", "localhost", "testclient", "0.0.0.0", "10.0.0.1",
	    "128.0.0.1", "126.255.255.255", "127.1", "127.0.0.1 ", " 127.0.0.1", "127.0.0.1:80",
	    "127.0.0.1, 10.0.0.1", "::", "::2", "[::1]", "::ffff:10.0.0.1", "::127.0.0.1",
	    "0177.0.0.1", "2130706433", "0x7f.0.0.1", "fe80::1", "::1%lo"};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		CHECK(cgi_loopback(yes[i]), "%s", yes[i]);
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		CHECK(!cgi_loopback(no[i]), "%s", no[i]);
}

static void
test_hosts(void)
{
	static const char *const yes[] = {"localhost", "LocalHost:8420", "127.0.0.1",
	    "127.0.0.1:1", "127.1.2.3:65535", "[::1]", "[::1]:8420"};
	static const char *const no[] = {"", ":8420", "localhost.", "localhost.evil.example",
	    "evil.example", "127.0.0.1.evil.example", "127.0.0.1:", "127.0.0.1:0",
	    "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:80:80", "127.0.0.1:x", "127.0.0.1/",
	    "user@127.0.0.1", "::1", "[::1", "[::1]x", "[127.0.0.1]", "[localhost]", "0.0.0.0",
	    "127.0.0.1,evil.example", "192.168.1.1", "127.0.0.1 ", "[::2]:8420"};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		CHECK(cgi_host_loopback(yes[i]), "%s", yes[i]);
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		CHECK(!cgi_host_loopback(no[i]), "%s", no[i]);
}

static void
test_equal(void)
{
	CHECK_TRUE(cgi_equal("abc", "abc"));
	CHECK_TRUE(!cgi_equal("", ""));
	CHECK_TRUE(!cgi_equal("abc", ""));
	CHECK_TRUE(!cgi_equal("", "abc"));
	CHECK_TRUE(!cgi_equal("ab", "abc"));
	CHECK_TRUE(!cgi_equal("abcabc", "abc"));
	CHECK_TRUE(!cgi_equal("abcd", "abc"));
	CHECK_TRUE(!cgi_equal("abd", "abc"));
	CHECK_TRUE(!cgi_equal("Abc", "abc"));
}

static bool
param_is(const char *form, const char *name, const char *want)
{
	char *got = cgi_param(form, strlen(form), name);
	bool same = want == NULL ? got == NULL : got != NULL && strcmp(got, want) == 0;

	free(got);
	return same;
}

static void
test_params(void)
{
	CHECK_TRUE(param_is("a=1&b=2", "b", "2"));
	CHECK_TRUE(param_is("a=1&a=2", "a", "1"));
	CHECK_TRUE(param_is("a=x+y%21", "a", "x y!"));
	CHECK_TRUE(param_is("%61=1", "a", "1"));
	CHECK_TRUE(param_is("a=%C3%A9", "a", "\xc3\xa9"));
	CHECK_TRUE(param_is("a&b=1", "a", ""));
	CHECK_TRUE(param_is("a=", "a", ""));
	CHECK_TRUE(param_is("", "a", NULL));
	CHECK_TRUE(param_is("ab=1", "a", NULL));
	CHECK_TRUE(param_is("a=%00", "a", NULL));
	CHECK_TRUE(param_is("a=%C3", "a", NULL));
	CHECK_TRUE(param_is("a=%zz", "a", NULL));
	CHECK_TRUE(param_is("a=%4", "a", NULL));
}

/* 0, or 422; *r must be freed. */
static int
parse(struct api_request *r, const char *body)
{
	cJSON *detail = NULL;
	int status = api_parse(r, body, strlen(body), &detail);

	cJSON_Delete(detail);
	return status;
}

static bool
same(double a, double b)
{
	return fabs(a - b) < 1e-12;
}

static void
test_coercion(void)
{
	struct api_request r;

	CHECK_TRUE(parse(&r, "{\"prompt\":\"p\"}") == 0 && same(r.max_tokens, 2048) &&
	    same(r.temperature, 0.2) && same(r.timeout, 30) && r.max_budget < 0 && r.min_budget < 0);
	api_free(&r);
	CHECK_TRUE(parse(&r, "{\"max_tokens\":\" 65536 \",\"temperature\":\"2\",\"timeout\":\"1\","
			"\"max_budget\":\"0.25\",\"min_budget\":\"1e-3\"}") == 0 &&
	    same(r.max_tokens, 65536) && same(r.temperature, 2) && same(r.timeout, 1) &&
	    same(r.max_budget, 0.25) && same(r.min_budget, 0.001));
	api_free(&r);
	CHECK_TRUE(parse(&r, "{\"max_tokens\":5.0,\"task_id\":17,\"prompt\":1.50,\"task\":null}") == 0 &&
	    same(r.max_tokens, 5) && strcmp(r.task_id, "17") == 0 && strcmp(r.prompt, "1.50") == 0 &&
	    r.task == NULL);
	api_free(&r);
}

static void
test_violations(void)
{
	static const char *const wrong[] = {"{\"max_tokens\":0}", "{\"max_tokens\":65537}",
	    "{\"max_tokens\":1.5}", "{\"max_tokens\":true}", "{\"max_tokens\":null}",
	    "{\"max_tokens\":\"\"}", "{\"max_tokens\":\"1 2\"}", "{\"max_tokens\":\"0x10\"}",
	    "{\"max_tokens\":99999999999999999999999}", "{\"max_tokens\":1e999}",
	    "{\"max_tokens\":[1]}", "{\"temperature\":-0.1}", "{\"temperature\":2.1}",
	    "{\"temperature\":\"nan\"}", "{\"temperature\":\"inf\"}", "{\"temperature\":null}",
	    "{\"timeout\":0}", "{\"timeout\":3601}", "{\"max_budget\":-1}", "{\"max_budget\":{}}",
	    "{\"prompt\":true}", "{\"prompt\":[\"a\"]}", "{\"task\":{}}", "{\"mode\":false}",
	    "{\"task_id\":\"../x\"}", "{\"task_id\":\"a/b\"}", "{\"task_id\":\"\"}", "[]", "\"x\"",
	    "1", "null", "", "{", "{\"a\":1,\"a\":2}", "{\"prompt\":\"\\u0000\"}",
	    "{\"prompt\":\"\xff\"}", "{\"prompt\":\"\\ud800\"}", "{} {}", "{'prompt':1}"};
	struct api_request r;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		CHECK(parse(&r, wrong[i]) == 422, "%s", wrong[i]);
		api_free(&r);
	}
}

static void
test_modes(void)
{
	static const struct {
		const char *body;
		int first, last;
		bool local;
	} rows[] = {{"{\"prompt\":\"p\"}", 0, 0, false}, {"{\"task\":\"t\"}", 0, 0, true},
	    {"{\"prompt\":\"p\",\"task\":\"t\"}", 0, 0, false},
	    {"{\"prompt\":\"p\",\"task\":\"t\",\"mode\":\"LOCAL\"}", 0, 0, true},
	    {"{\"prompt\":\"p\",\"mode\":\" Llm \"}", 0, 0, false},
	    {"{\"prompt\":\"p\",\"mode\":\"\"}", 0, 0, false},
	    {"{\"prompt\":\"p\",\"mode\":\"local\"}", 0, 400, true},
	    {"{\"task\":\"t\",\"mode\":\"llm\"}", 0, 400, false}, {"{}", 400, 400, false},
	    {"{\"prompt\":\"\",\"task\":\"\"}", 400, 400, false},
	    {"{\"prompt\":\"p\",\"mode\":\"shell\"}", 400, 0, false},
	    {"{\"prompt\":\"p\",\"mode\":\"llm x\"}", 400, 0, false}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct api_request r;
		const char *why;

		CHECK_TRUE(parse(&r, rows[i].body) == 0);
		CHECK(api_mode_first(&r, &why) == rows[i].first, "%s", rows[i].body);
		if (rows[i].first == 0) {
			CHECK(r.local == rows[i].local, "%s", rows[i].body);
			CHECK(api_mode_last(&r, &why) == rows[i].last, "%s", rows[i].body);
		}
		api_free(&r);
	}
}

static void
test_forbidden(void)
{
	CHECK_TRUE(strcmp(api_forbidden("cat world/physics/limits.json"), "physics") == 0);
	CHECK_TRUE(strcmp(api_forbidden("ls -R /w/./world//physics"), "physics") == 0);
	CHECK_TRUE(strcmp(api_forbidden("cat a/../meta/x/../security/y"), "security") == 0);
	CHECK_TRUE(strcmp(api_forbidden("rg --file=meta/security/t x"), "security") == 0);
	CHECK_TRUE(strstr(api_forbidden("cat 'world/mutable/.swarm/journals/a.md'"), "journal") != NULL);
	CHECK_TRUE(api_forbidden("cat SECURITY.md physics.txt meta/security2") == NULL);
	CHECK_TRUE(api_forbidden("echo 'unclosed") == NULL);
}

int
main(void)
{
	test_peers();
	test_hosts();
	test_equal();
	test_params();
	test_coercion();
	test_violations();
	test_modes();
	test_forbidden();
	if (failures == 0)
		puts("ok");
	return failures == 0 ? 0 : 1;
}
