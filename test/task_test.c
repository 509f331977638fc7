/*
 * task_test: task.c, task_check.c and the pure parts of board.c.
 * Expected values: core-vectors.json (the reference's own answers) and literal text.
 * Usage: task_test [FIXTURE_DIR] (default $FIXTURE, else test/fixture).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "board.h"
#include "check.h"
#include "file.h"
#include "json.h"
#include "task.h"
#include "utf8.h"
#include "vectors.h"

static const struct world_limits lim = {1000000, 4000, 64, 16384, 64000};

static void
test_prompt(const cJSON *all)
{
	const cJSON *one;
	int n = 0;

	cJSON_ArrayForEach(one, json_arr(all, "resolve_prompt")) {
		const char *want = json_str(one, "out"), *got = task_prompt(json_obj(one, "in"));

		n++;
		CHECK_TRUE(want == NULL ? got == NULL : got != NULL && strcmp(want, got) == 0);
	}
	CHECK_TRUE(n == 4);
}

/* A world with that queue, loaded. */
static int
load(struct board *b, struct world *w, const char *dir, const char *queue)
{
	struct err e;
	int rc;

	*b = (struct board){0};
	*w = (struct world){.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	rc = file_mkdirs(w->fd, WORLD_MUTABLE, 0700, &e);
	if (rc == 0)
		rc = file_replace(w->fd, WORLD_QUEUE, queue, strlen(queue), 0600, &e);
	if (rc != 0)
		err_die(&e);
	return board_load(b, w, &e);
}

static void
test_normalize(const cJSON *all, const char *dir)
{
	const cJSON *one, *task;
	int n = 0;

	cJSON_ArrayForEach(one, json_arr(all, "normalize_queue")) {
		char *text = json_text(json_get(one, "in"));
		struct board b;
		struct world w;
		size_t i = 0;

		n++;
		CHECK_TRUE(load(&b, &w, dir, text) == 1);
		cJSON_ArrayForEach(task, json_arr(json_obj(one, "out"), "tasks")) {
			CHECK_TRUE(i < b.n && strcmp(b.v[i].id, json_str(task, "id")) == 0);
			CHECK_TRUE(i < b.n && b.v[i].serial == !json_bool(task, "parallel_safe", true));
			CHECK_TRUE(i < b.n && b.v[i].deps == NULL);
			i++;
		}
		CHECK_TRUE(i == b.n);
		board_free(&b);
		close(w.fd);
		free(text);
	}
	CHECK_TRUE(n >= 4);
}

/* The reference's validator names items without id and items that are no object;
 * here those and only those are passed over. */
static void
test_validate(const cJSON *all, const char *dir)
{
	const cJSON *one, *what;

	cJSON_ArrayForEach(one, json_arr(all, "validate_queue")) {
		int total = cJSON_GetArraySize(json_arr(json_get(one, "in"), "tasks"));
		char *text = json_text(json_get(one, "in"));
		struct board b;
		struct world w;

		cJSON_ArrayForEach(what, json_arr(one, "out"))
			if (strncmp(what->valuestring, "tasks[", 6) == 0)
				total--;
		CHECK_TRUE(load(&b, &w, dir, text) == 1);
		CHECK_TRUE((int)b.n == total);
		board_free(&b);
		close(w.fd);
		free(text);
	}
}

static void
test_damaged(const char *dir)
{
	static const char *const text[] = {"", "{", "[1]", "\"x\"", "{\"tasks\":5}",
	    "{\"tasks\":\"ab\"}", "{\"tasks\":[]} x", "{\"tasks\":[],\"tasks\":[]}"};
	struct board b;
	struct world w;

	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		CHECK_TRUE(load(&b, &w, dir, text[i]) == -VIV_CONFIG);
		CHECK_TRUE(b.n == 0 && b.v == NULL);
		board_free(&b);
		close(w.fd);
	}
}

static void
test_ids(void)
{
	static const char *const good[] = {"a", "task-001", "a.b", "0", "\xc3\xa4", "x y", "a:b"};
	static const char *const wrong[] = {"", ".", "..", ".a", "_serial", "a/b", "/", "a\nb",
	    "a\tb", "a\x7f", "\xff", "a\xc2\x85",
	    ("a\xe2\x80\xae"
	     "b"),
	    "\xed\xa0\x80"};
	char longest[TASK_ID_BYTES + 2];
	struct err e;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		CHECK_TRUE(task_id_check(good[i], &e) == 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		CHECK_TRUE(task_id_check(wrong[i], &e) == -VIV_CONFIG);
	memset(longest, 'a', sizeof(longest));
	longest[TASK_ID_BYTES] = '\0';
	CHECK_TRUE(task_id_check(longest, &e) == 0);
	longest[TASK_ID_BYTES] = 'a';
	longest[TASK_ID_BYTES + 1] = '\0';
	CHECK_TRUE(task_id_check(longest, &e) == -VIV_CONFIG);
}

static struct task
read_text(const char *text)
{
	struct task t;
	struct err e;

	if (task_read(&t, scan_text(text, strlen(text)), &e) != 0)
		err_die(&e);
	return t;
}

static bool
readable(const char *text)
{
	struct task t;
	struct err e;
	int rc = task_read(&t, scan_text(text, strlen(text)), &e);

	task_free(&t);
	return rc == 0;
}

static void
test_read(void)
{
	struct task t = read_text("{\"id\":7,\"command\":\"ls\",\"depends_on\":[\"a\",{\"b\":1}],"
				  "\"resident_identity\":\"bob\",\"identity_id\":\"ada\",\"tags\":["
	                          "\"x\",3,null],\"priority\":\"hi\","
				  "\"parallel_safe\":false,\"not_before\":\"1970-01-01T00:01:40Z\","
	                          "\"on_dependency_failure\":\"fail\"}");

	CHECK_TRUE(strcmp(t.id, "7") == 0);
	CHECK_TRUE(t.local && t.max_attempts == TASK_ATTEMPTS_LOCAL);
	CHECK_TRUE(t.deps != NULL && strcmp(t.deps[0], "a") == 0 && strcmp(t.deps[1], "{\"b\":1}") == 0);
	CHECK_TRUE(strcmp(t.identity, "ada") == 0);
	CHECK_TRUE(t.tags != NULL && strcmp(t.tags[0], "x") == 0 && strcmp(t.tags[1], "3") == 0 &&
	    t.tags[2] == NULL);
	CHECK_TRUE(t.priority == 0 && t.serial && t.fail_on_dependency);
	CHECK_TRUE(t.not_before > 99.9 && t.not_before < 100.1);
	task_free(&t);
	t = read_text("{\"id\":\"a\",\"prompt\":\"p\",\"depends_on\":\"b\",\"mode\":\" LLM "
	              "\",\"command\":\"ls\","
		      "\"max_attempts\":5,\"tags\":null,\"parallel_safe\":null}");
	CHECK_TRUE(!t.local && t.max_attempts == 5 && !t.serial);
	CHECK_TRUE(t.deps != NULL && strcmp(t.deps[0], "b") == 0 && t.deps[1] == NULL);
	task_free(&t);
	t = read_text("{\"id\":\"a\",\"mode\":\"Local\",\"task\":\"pwd\"}");
	CHECK_TRUE(t.local);
	task_free(&t);
	CHECK_TRUE(!readable("{\"prompt\":\"x\"}"));
	CHECK_TRUE(!readable("{\"id\":\"\"}"));
	CHECK_TRUE(!readable("{\"id\":{}}"));
	CHECK_TRUE(!readable("{\"id\":\"../x\"}"));
	CHECK_TRUE(!readable("{\"id\":\"a\",\"not_before\":\"tomorrow\"}"));
	CHECK_TRUE(!readable("{\"id\":\"a\",\"deadline\":[]}"));
	CHECK_TRUE(readable("{\"id\":\"a\",\"deadline\":null}"));
}

static bool
accepted(const char *text)
{
	struct err e;
	cJSON *t = json_parse(text, strlen(text), &e);
	bool ok;

	if (t == NULL)
		err_die(&e);
	ok = task_check(t, &lim, &e) == 0;
	cJSON_Delete(t);
	return ok;
}

static void
test_check(void)
{
	static const char *const wrong[] = {"\"id\":\"b c\"", "\"id\":\"-x\"", "\"id\":\"a,b\"",
	    "\"type\":1", "\"prompt\":[]", "\"mode\":\"shell\"", "\"mode\":\"local l\"",
	    "\"min_budget\":-1", "\"max_budget\":\"1\"", "\"min_budget\":2,\"max_budget\":1",
	    "\"intensity\":\"huge\"", "\"depends_on\":\"a\"", "\"depends_on\":[\"../a\"]",
	    "\"depends_on\":[1]", "\"parallel_safe\":0", "\"status\":\"approved\"",
	    "\"priority\":1.5", "\"not_before\":\"soon\"",
	    "\"not_before\":\"2030-01-02T00:00:00Z\",\"deadline\":\"2030-01-01T00:00:00Z\"",
	    "\"timeout\":0", "\"timeout\":3601", "\"max_attempts\":0", "\"ok_exit\":[]",
	    "\"ok_exit\":[256]", "\"ok_exit\":0", "\"workdir\":\"src\"", "\"tags\":[\"\"]",
	    "\"tags\":\"a\"", "\"split\":\"yes\"", "\"review\":\"me\"",
	    "\"on_dependency_failure\":\"ignore\"", "\"claim\":{}", "\"review\":{}",
	    "\"result\":null", "\"committed\":true", "\"files_created\":[1]",
	    "\"command\":\"\",\"mode\":\"local\""};
	static const char *const good[] = {"\"model\":null", "\"max_budget\":0",
	    "\"depends_on\":[\"b c\"]", "\"ok_exit\":[0,1]", "\"workdir\":\"/tmp\"",
	    "\"tags\":[\"a\"]", "\"decompose\":\"atomic\"", "\"mine\":{\"deep\":[1]}",
	    "\"files_created\":\"a.md\"", "\"timeout\":3600", "\"review\":\"jury\"",
	    "\"status\":\"pending\"", "\"deadline\":\"2030-01-01\"", "\"priority\":-3"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		bool id = strncmp(wrong[i], "\"id\"", 4) == 0,
		     prompt = strncmp(wrong[i], "\"prompt\"", 8) == 0;
		char *text = mem_fmt("{%s%s%s}", id ? "" : "\"id\":\"t\",",
		    prompt ? "" : "\"prompt\":\"p\",", wrong[i]);

		if (accepted(text))
			failures += fprintf(stderr, "task_test: accepted: %s\n", text) > 0;
		free(text);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char *text = mem_fmt("{\"id\":\"t\",\"prompt\":\"p\",%s}", good[i]);

		if (!accepted(text))
			failures += fprintf(stderr, "task_test: refused: %s\n", text) > 0;
		free(text);
	}
	CHECK_TRUE(!accepted("{\"prompt\":\"p\"}"));
	CHECK_TRUE(!accepted("{\"id\":5,\"prompt\":\"p\"}"));
	CHECK_TRUE(!accepted("{\"id\":\"t\"}"));
	CHECK_TRUE(!accepted("{\"id\":\"t\",\"prompt\":\"  \"}"));
	CHECK_TRUE(accepted("{\"id\":\"t\",\"mode\":\"local\",\"task\":\"pwd\"}"));
}

/* 4000 code points pass, of two bytes each; 4001 do not. 64 extra members, not 65. */
static void
test_limits(void)
{
	struct buf b = {0};
	struct err e;
	cJSON *t = json_new();

	json_set_str(t, "id", "t");
	for (int i = 0; i < 4000; i++)
		buf_str(&b, "\xc3\xa4");
	json_set_str(t, "prompt", b.p);
	CHECK_TRUE(task_check(t, &lim, &e) == 0);
	buf_char(&b, 'x');
	json_set_str(t, "prompt", b.p);
	CHECK_TRUE(task_check(t, &lim, &e) == -VIV_CONFIG);
	json_set_str(t, "prompt", "p");
	for (int i = 0; i < 64; i++) {
		char *name = mem_fmt("x%d", i);

		json_set_bool(t, name, true);
		free(name);
	}
	CHECK_TRUE(task_check(t, &lim, &e) == 0);
	json_set_bool(t, "y", true);
	CHECK_TRUE(task_check(t, &lim, &e) == -VIV_CONFIG);
	json_del(t, "y");
	buf_clear(&b);
	for (int i = 0; i < 16384; i++)
		buf_char(&b, 'x');
	json_set_str(t, "x0", b.p);
	CHECK_TRUE(task_check(t, &lim, &e) == -VIV_CONFIG);
	cJSON_Delete(t);
	buf_free(&b);
}

static void
splice_is(const char *text, const char *want)
{
	cJSON *t = json_new();
	struct buf out = {0};
	struct err e;

	json_set_str(t, "id", "n");
	board_splice(text, strlen(text), &t, 1, &out);
	if (strcmp(out.p, want) != 0)
		failures += fprintf(stderr, "task_test: splice of %s gives\n%s\n", text, out.p) > 0;
	CHECK_TRUE(scan_check(out.p, out.len, &e) == 0);
	buf_free(&out);
	cJSON_Delete(t);
}

static void
test_splice(void)
{
	static const char fresh[] = "{\n  \"version\": \"1.1\",\n"
				    "  \"api_endpoint\": \"http://127.0.0.1:8420\",\n  \"tasks\": "
	                            "[\n    {\"id\":\"n\"}\n  ],\n"
				    "  \"completed\": [],\n  \"failed\": []\n}\n";

	splice_is("null", fresh);
	splice_is("[]", fresh);
	splice_is(" {} ", fresh);
	splice_is("{\"a\":1}", "{\n  \"tasks\": [\n    {\"id\":\"n\"}\n  ],\"a\":1}");
	splice_is("{\"tasks\":null,\"a\":1}", "{\"tasks\":[\n    {\"id\":\"n\"}\n  ],\"a\":1}");
	splice_is("{ \"tasks\" : [ ] }\n", "{ \"tasks\" : [\n    {\"id\":\"n\"}\n  ] }\n");
	splice_is("{\"tasks\":[{\"id\":\"a\"}],\"x\":[]}",
	    "{\"tasks\":[{\"id\":\"a\"},\n    {\"id\":\"n\"}\n  ],\"x\":[]}");
	splice_is("{\"tasks\":[\n\t{\"id\" : \"a]\"}\n]}",
	    "{\"tasks\":[\n\t{\"id\" : \"a]\"},\n\t{\"id\":\"n\"}\n]}");
}

static void
cycle_is(const struct board *b, const char *id, const char *want)
{
	char *got = board_cycle(b, (size_t)board_find(b, id));

	if (want == NULL ? got != NULL : got == NULL || strcmp(got, want) != 0)
		failures += fprintf(stderr, "task_test: cycle of %s: %s\n", id,
			   got != NULL ? got : "none") > 0;
	free(got);
}

static void
test_cycles(const char *dir)
{
	struct board b;
	struct world w;

	CHECK_TRUE(load(&b, &w, dir,
		  "{\"tasks\":["
		  "{\"id\":\"z\",\"depends_on\":[\"y\"]},{\"id\":\"y\",\"depends_on\":[\"ok\","
	          "\"a\"]},"
		  "{\"id\":\"ok\",\"depends_on\":[\"gone\",\"ok2\"]},{\"id\":\"ok2\"},"
		  "{\"id\":\"a\",\"depends_on\":[\"b\"]},{\"id\":\"b\",\"depends_on\":[\"ok\","
	          "\"c\"]},"
		  "{\"id\":\"c\",\"depends_on\":[\"a\"]},{\"id\":\"self\",\"depends_on\":[\"self\"]"
	          "}]}") == 1);
	CHECK_TRUE(b.n == 8);
	cycle_is(&b, "z", "waits for 'a', which is part of a cycle: a -> b -> c -> a");
	cycle_is(&b, "c", "is part of a cycle: c -> a -> b -> c");
	cycle_is(&b, "ok", NULL);
	cycle_is(&b, "ok2", NULL);
	cycle_is(&b, "self", "is part of a cycle: self -> self");
	board_free(&b);
	close(w.fd);
}

static void
test_end_cols(void)
{
	static const struct {
		const char *text;
		size_t cols;
		const char *want;
	} row[] = {{"abcdef", 6, "abcdef"}, {"abcdef", 5, "~cdef"}, {"abcdef", 1, "~"},
	    /* two columns each: what would be cut in half goes */
	    {"\u65e5\u672c\u8a9eab", 4, "~ab"}, {"\u65e5\u672c\u8a9eab", 5, "~\u8a9eab"}};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		char *got = utf8_end_cols(row[i].text, row[i].cols);

		CHECK_TRUE(strcmp(got, row[i].want) == 0);
		free(got);
	}
}

int
main(int argc, char **argv)
{
	const char *fixture = argc > 1 ? argv[1] : getenv("FIXTURE");
	char dir[] = "/tmp/task_test.XXXXXX";
	struct err e;
	cJSON *all;

	err_program(argv[0]);
	all = vectors(fixture != NULL ? fixture : "test/fixture");
	if (mkdtemp(dir) == NULL)
		err_exit(VIV_CANTCREAT, "cannot create a directory in /tmp");
	test_end_cols();
	test_prompt(all);
	test_normalize(all, dir);
	test_validate(all, dir);
	test_damaged(dir);
	test_ids();
	test_read();
	test_check();
	test_limits();
	test_splice();
	test_cycles(dir);
	cJSON_Delete(all);
	if (file_remove_tree(AT_FDCWD, dir, &e) != 0)
		err_die(&e);
	printf("%s\n", failures == 0 ? "ok" : "failed");
	return failures != 0;
}
