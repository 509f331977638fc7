/*
 * policy_test: the splitter, the rules and the working directory, without a command.
 * usage: policy_test POLICY.json HOSTILE.tsv HARMLESS.tsv
 * A line of the tables is a command text with the escapes \n \t \r \\ \xHH, a tab, and
 * why it is there.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "file.h"
#include "policy.h"
#include "world.h"

static void
unescape(char *s)
{
	char *out = s;

	for (; *s != '\0'; s++) {
		if (*s != '\\') {
			*out++ = *s;
			continue;
		}
		s++;
		if (*s == 'x') {
			char hex[3] = {s[1], s[2], '\0'};

			*out++ = (char)strtol(hex, NULL, 16);
			s += 2;
		} else {
			*out++ = *s == 'n' ? '\n' : *s == 't' ? '\t' : *s == 'r' ? '\r' : *s;
		}
	}
	*out = '\0';
}

/* Every line of the table must get this answer; returns how many there were. */
static int
table(const struct policy *p, const char *file, bool allowed)
{
	FILE *f = fopen(file, "r");
	char *line = NULL;
	size_t cap = 0;
	int n = 0;

	CHECK(f != NULL, "cannot open %s", file);
	while (f != NULL && getline(&line, &cap, f) > 0) {
		struct policy_argv a;
		struct err e = {0};
		char *tab = strchr(line, '\t');
		int rc;

		if (tab == NULL)
			continue;
		*tab = '\0';
		unescape(line);
		rc = policy_check(p, line, &a, &e);
		CHECK((rc == 0 || rc == -VIV_NOTFOUND) == allowed, "<%s>: %d %s", line, rc, e.msg);
		CHECK(allowed || (rc == -VIV_REFUSED && a.argv == NULL && a.path == NULL),
		    "<%s>: refused with %d", line, rc);
		if (rc == 0)
			policy_argv_free(&a);
		n++;
	}
	free(line);
	if (f != NULL)
		fclose(f);
	return n;
}

/* The words, joined with '/'; "!" and the reason when refused. */
static char *
joined(const char *text)
{
	struct buf b = {0};
	struct err e = {0};
	char **argv;
	int argc;

	if (policy_words(text, &argv, &argc, &e) != 0)
		return mem_fmt("!%s", e.msg);
	for (int i = 0; i < argc; i++)
		buf_fmt(&b, "%s%s", i > 0 ? "/" : "", argv[i]);
	policy_words_free(argv);
	return buf_take(&b);
}

static void
words(void)
{
	static const struct { const char *text, *want; } t[] = {
		{"a b\t c ", "a/b/c"},
		{"'a b'\"c d\"e", "a bc de"},
		{"a '' \"\" b", "a///b"},
		{"\"a\\\"b\\\\c\\d\\$\\`\"", "a\"b\\c\\d$`"},
		{"a\\ b\\;c\\'d", "a b;c'd"},
		{"'$HOME `id` ; \\'", "$HOME `id` ; \\"},
		{"'a\nb' \"c\\\nd\"", "a\nb/cd"},
		{"x=1 y", "!assignment 'x=' before the command: the environment is fixed"},
		{"a x=1 ~", "!home directory '~' at column 7: there is no shell here, quote it to pass it as text"},
		{"a x~ b#c d!e ! f", "a/x~/b#c/d!e/!/f"},
		{"\xc3\xa9;", "!operator ';' at column 2: there is no shell here, quote it to pass it as text"},
		{"caf\xc3\xa9", "caf\xc3\xa9"},
		{"a \"b", "!the \" at column 3 is never closed"},
		{"a 'b", "!the ' at column 3 is never closed"},
		{"a\\", "!the command ends with a backslash"},
		{"a\nb", "!newline at column 2 outside quotes"},
		{"a\rb", "!control character U+000D at column 2"},
		{"a \xc0\xaf", "!byte 3 is not valid UTF-8"},
		{"a \xef\xbc\x9b b", "!U+FF1B at column 3 only looks like ASCII: quote it to pass it as text"},
		{"a '\xef\xbc\x9b'", "a/\xef\xbc\x9b"},
		{" \t ", "!the command is empty"},
		{"", "!the command is empty"},
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		char *got = joined(t[i].text);

		CHECK(strcmp(got, t[i].want) == 0, "<%s>: %s", t[i].text, got);
		free(got);
	}
}

static void
longest(void)
{
	char *text = mem_alloc(65538);
	char **argv;
	int argc;

	memset(text, 'a', 65537);
	text[65537] = '\0';
	CHECK(policy_words(text, &argv, &argc, NULL) == -VIV_REFUSED, "65537 bytes pass");
	text[65536] = '\0';
	CHECK(policy_words(text, &argv, &argc, NULL) == 0, "65536 bytes are refused");
	policy_words_free(argv);
	free(text);
}

static void
damaged(void)
{
	static const char *const bad[] = {
		"[]", "{}", "{\"version\":1}", "{\"version\":2,\"programs\":[]}",
		"{\"version\":1,\"programs\":[],\"extra\":1}",
		"{\"version\":1,\"programs\":[{}]}",
		"{\"version\":1,\"programs\":[{\"name\":\"../x\"}]}",
		"{\"version\":1,\"programs\":[{\"name\":\"a\"},{\"name\":\"a\"}]}",
		"{\"version\":1,\"programs\":[{\"name\":\"a\",\"positionl\":{\"max\":0}}]}",
		"{\"version\":1,\"programs\":[{\"name\":\"a\",\"positional\":{\"maximum\":0}}]}",
		"{\"version\":1,\"programs\":[{\"name\":\"a\",\"flags\":[\"x\"]}]}",
		"{\"version\":1,\"programs\":[{\"name\":\"a\",\"flags\":[\"-xy\"]}]}",
		"{\"version\":1,\"programs\":[{\"name\":\"a\",\"flags\":[\"--\"]}]}",
		"{\"version\":1,\"programs\":[{\"name\":\"a\",\"flags\":[\"-x\",\"-x=\"]}]}",
		"{\"version\":1,\"programs\":[{\"name\":\"a\",\"style\":\"none\"}]}",
		"{\"version\":1,\"programs\":[{\"name\":\"a\",\"fork\":1}]}",
		"{\"version\":1,\"programs\":[{\"name\":\"a\",\"subcommands\":[]}]}",
		"{\"version\":1,\"read\":[\"tmp\"],\"programs\":[]}",
		"{\"version\":1,\"floor\":-1,\"programs\":[]}",
		"{\"version\":1,\"programs\":[],}",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct policy *p = NULL;
		struct err e = {0};
		int rc = policy_parse(&p, bad[i], strlen(bad[i]), "t", &e);

		CHECK(rc == -VIV_CONFIG && e.code == VIV_CONFIG, "%s: %d", bad[i], rc);
		if (rc == 0)
			policy_free(p);
	}
}

static struct policy *
parse(const char *text)
{
	struct policy *p = NULL;
	struct err e = {0};

	CHECK(policy_parse(&p, text, strlen(text), "t", &e) == 0, "%s", e.msg);
	return p;
}

static void
settings(void)
{
	struct policy *p = parse("{\"version\":1,\"floor\":3,\"max_output\":100,\"read\":[\"/a\",\"/b\"],"
	    "\"path\":[\"/nowhere\"],\"programs\":[{\"name\":\"ls\",\"fork\":true}]}");
	struct policy *q = parse("{\"version\":1,\"programs\":[{\"name\":\"sh\",\"fork\":true}]}");
	struct policy_argv a;
	struct err e = {0};

	CHECK(policy_floor(p) == 3 && policy_max_output(p) == 100, "floor or max_output");
	CHECK(strcmp(policy_read_roots(p)[1], "/b") == 0 && policy_read_roots(p)[2] == NULL, "roots");
	CHECK(policy_floor(q) == 1 && policy_max_output(q) == 65536, "defaults");
	CHECK(policy_read_roots(q)[0] == NULL, "default roots");
	CHECK(policy_check(p, "ls", &a, &e) == -VIV_NOTFOUND, "found in /nowhere");
	CHECK(policy_check(q, "sh a", &a, &e) == 0 && a.fork && a.argc == 2 && a.argv[2] == NULL &&
	    strcmp(a.argv[0], "sh") == 0 && a.path[0] == '/' && access(a.path, X_OK) == 0, "sh");
	policy_argv_free(&a);
	policy_free(p);
	policy_free(q);
}

/* A program outside the system directories is not run, not even through a link. */
static void
planted(const char *dir)
{
	char *file = mem_fmt("%s/ls", dir);
	char *text = mem_fmt("{\"version\":1,\"path\":[\"%s\"],\"programs\":[{\"name\":\"ls\"},"
	    "{\"name\":\"cat\"}]}", dir);
	struct policy *p = parse(text);
	struct policy_argv a;
	struct err e = {0};
	FILE *f = fopen(file, "w");
	char *link = mem_fmt("%s/cat", dir);

	CHECK(f != NULL && fclose(f) == 0 && chmod(file, 0755) == 0, "cannot plant");
	CHECK(symlink("/bin/cat", link) == 0, "cannot link");
	CHECK(policy_check(p, "ls", &a, &e) == -VIV_NOTFOUND, "a planted ls was found");
	CHECK(policy_check(p, "cat", &a, &e) == 0 && strncmp(a.path, dir, strlen(dir)) != 0, "link");
	policy_argv_free(&a);
	policy_free(p);
	unlink(file);
	unlink(link);
	free(file);
	free(link);
	free(text);
}

static void
workdir_case(const struct policy *p, const struct world *w, const char *dir, const char *sub, bool want)
{
	struct err e = {0};
	char *path = mem_fmt("%s%s", dir, sub);
	char *out = NULL;
	int rc = policy_workdir(p, w, path, &out, &e);

	CHECK((rc == 0) == want && (rc == 0 || rc == -VIV_REFUSED), "'%s': %d %s", path, rc, e.msg);
	CHECK(rc != 0 || (out != NULL && strstr(out, "..") == NULL), "'%s' is not resolved", path);
	free(out);
	free(path);
}

static void
workdir(const char *dir)
{
	char *text = mem_fmt("{\"version\":1,\"read\":[\"%s/tree\",\"%s/w\"],\"programs\":[]}", dir, dir);
	char *root = mem_fmt("%s/w/world", dir);
	struct policy *p = parse(text);
	struct world w = {.root = root, .fd = -1};
	static const char *const made[] = {"tree/sub", "tree2", "w/world/world/mutable/library/docs",
		"w/world/meta", "w/beside"};
	struct err e = {0};

	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		char *path = mem_fmt("%s/%s", dir, made[i]);

		CHECK(file_mkdirs(AT_FDCWD, path, 0755, &e) == 0, "%s", e.msg);
		free(path);
	}
	text[0] = '\0';
	workdir_case(p, &w, dir, "/tree", true);
	workdir_case(p, &w, dir, "/tree/sub/..", true);
	workdir_case(p, NULL, dir, "/tree/sub", true);
	workdir_case(p, &w, dir, "/tree2", false);
	workdir_case(p, &w, dir, "/tree/../tree2", false);
	workdir_case(p, &w, dir, "/tree/missing", false);
	workdir_case(p, &w, dir, "/w", false);
	workdir_case(p, &w, dir, "/w/beside", true);
	workdir_case(p, &w, dir, "/w/world", false);
	workdir_case(p, &w, dir, "/w/world/meta", false);
	workdir_case(p, &w, dir, "/w/world/world/mutable", false);
	workdir_case(p, &w, dir, "/w/world/world/mutable/library/docs", true);
	workdir_case(p, &w, "tree", "", false);
	policy_free(p);
	file_remove_tree(AT_FDCWD, dir, &e);
	free(root);
	free(text);
}

int
main(int argc, char **argv)
{
	char template[] = "/tmp/policy_test.XXXXXX";
	struct buf b = {0};
	struct err e = {0};
	struct policy *p;
	char *dir;
	int bad, good;

	if (argc != 4 || file_read(AT_FDCWD, argv[1], 1 << 20, &b, &e) != 0 ||
	    policy_parse(&p, b.p, b.len, argv[1], &e) != 0) {
		printf("cannot start: %s\n", e.msg);
		return 2;
	}
	bad = table(p, argv[2], false);
	good = table(p, argv[3], true);
	CHECK(bad >= 60 && good >= 60, "only %d hostile and %d harmless commands", bad, good);
	policy_free(p);
	buf_free(&b);
	words();
	longest();
	damaged();
	settings();
	dir = realpath(mkdtemp(template), NULL);
	planted(dir);
	workdir(dir);
	free(dir);
	return failures > 0;
}
