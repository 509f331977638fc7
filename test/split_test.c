/*
 * split_test: intent, split and the slices of text, against core-vectors.json (the
 * reference's own answers) and rules written out here.
 * Usage: split_test [FIXTURE_DIR]
 */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "docs.h"
#include "file.h"
#include "intent.h"
#include "json.h"
#include "split.h"
#include "text.h"
#include "utf8.h"
#include "vectors.h"

static void
test_gut(const char *prompt, const cJSON *want)
{
	unsigned signals = split_signals(prompt);
	cJSON *names = json_list();

	for (int i = 0; i < SPLIT_SIGNALS; i++)
		if ((signals & 1U << i) != 0)
			json_push(names, cJSON_CreateString(split_signal_name(i)));
	CHECK(cJSON_Compare(names, json_arr(want, "signals"), true), "signals of <%s>", prompt);
	CHECK(split_score(signals) == (int)json_num(want, "complexity_score", -1), "score of <%s>",
	    prompt);
	CHECK((split_score(signals) >= SPLIT_COMPLEX) == json_bool(want, "should_decompose", false),
	    "complex: <%s>", prompt);
	cJSON_Delete(names);
}

static void
test_phase4(const cJSON *all)
{
	static const struct {
		const char *name;
		size_t limit;
	} features[] = {{"features5", 5}, {"features2", 2}, {"features1", 1}};
	const cJSON *one;
	int n = 0;

	cJSON_ArrayForEach(one, json_arr(all, "phase4")) {
		const char *prompt = json_str(one, "prompt");
		cJSON *want = json_obj(one, "intent"), *intent = intent_extract(prompt);
		double sure = json_num(want, "confidence", -1);

		n++;
		test_gut(prompt, json_obj(one, "gut_check"));
		CHECK(fabs(json_num(intent, "confidence", -2) - sure) < 1e-9, "%f, not %f: <%s>",
		    json_num(intent, "confidence", -2), sure, prompt);
		json_set_num(intent, "confidence", sure);
		CHECK(cJSON_Compare(intent, want, true), "intent of <%s>: %s", prompt,
		    json_text(intent));
		for (size_t i = 0; i < 3; i++) {
			cJSON *got = split_features(
			    prompt, json_str(intent, "goal"), features[i].limit, NULL);

			CHECK(cJSON_Compare(got, json_arr(one, features[i].name), true), "%s of <%s>: %s",
			    features[i].name, prompt, json_text(got));
			cJSON_Delete(got);
		}
		cJSON_Delete(intent);
	}
	CHECK(n == 10, "%d rows of phase4", n);
}

static void
test_budget(const cJSON *all)
{
	const cJSON *one;
	int n = 0;

	cJSON_ArrayForEach(one, json_arr(all, "split_budget")) {
		const cJSON *in = json_arr(one, "in"), *out = json_arr(one, "out");
		int64_t min = llround(cJSON_GetArrayItem(in, 0)->valuedouble * 1e6);
		int64_t max = llround(cJSON_GetArrayItem(in, 1)->valuedouble * 1e6);

		n++;
		split_budget(&min, &max, (size_t)cJSON_GetArrayItem(in, 2)->valueint);
		CHECK(min == llround(cJSON_GetArrayItem(out, 0)->valuedouble * 1e6), "min of row %d", n);
		CHECK(max == llround(cJSON_GetArrayItem(out, 1)->valuedouble * 1e6), "max of row %d", n);
	}
	CHECK(n == 5, "%d rows of split_budget", n);
	/* shares never add up to more than there is: 3 * floor(100000 / 3) = 99999 */
	int64_t min = 50000, max = 100000;

	split_budget(&min, &max, 3);
	CHECK(min == 16666 && max == 33333, "%lld %lld", (long long)min, (long long)max);
}

static size_t
steps(const char *text)
{
	size_t n;

	cJSON_Delete(split_features(text, text, 1000, &n));
	return n;
}

static void
test_steps(void)
{
	/* clauses at semicolons, colons and lines; too short ones and fillers are dropped */
	CHECK(steps("Please add tests; could you fix the bug: remove\n3. - the old file") == 3, "a");
	CHECK(steps("add more tests, then fix the bug") == 2, "b");
	CHECK(steps("add more tests, fix the bug") == 2, "c");
	CHECK(steps("add more tests, using fixtures there") == 1, "d");
	CHECK(steps("add more tests, bugs") == 1, "e");
	CHECK(steps("strengthen the authentication of everything") == 1, "words are whole");
	CHECK(steps("Add More Tests; add more tests") == 1, "f");
	CHECK(steps("\xc3\xa9t\xc3\xa9then; \xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9") == 1,
	    "seven code points are no step, eight are");
	CHECK(steps("prepare it and  THEN ship it") == 1, "ship it has 7 characters");
	CHECK(steps("") == 0 && steps(" ;;:,, \n\n") == 0, "nothing");
	CHECK((split_signals("\xc3\xa9then, b") & 4) == 0, "an accented letter makes the word another");
	CHECK(split_signals("see http://x") == 16, "a colon");
	CHECK(split_signals("\n\n a \n\n") == 0, "the prompt is trimmed first");
}

static void
test_long(void)
{
	char text[4 * 220 + 1] = "";

	for (int i = 0; i < 219; i++)
		strcat(text, "\xf0\x9f\x90\x88");
	CHECK(split_signals(text) == 0, "219 characters are not long, however many bytes");
	strcat(text, "\xf0\x9f\x90\x88");
	CHECK(split_signals(text) == 1, "220 are");
}

static void
test_intent(void)
{
	cJSON *v = intent_extract("Please note it. You must not touch the schema! It must stay. "
	    "please, always be kind. Skip the notes. If possible, be brief. It must stay");

	CHECK(strcmp(json_str(v, "goal"), "Please note it") == 0, "goal: %s", json_str(v, "goal"));
	CHECK(cJSON_GetArraySize(json_arr(v, "constraints")) == 3, "%s", json_text(v));
	CHECK(strcmp(cJSON_GetArrayItem(json_arr(v, "constraints"), 2)->valuestring,
		"always be kind") == 0, "the filler goes");
	CHECK(cJSON_GetArraySize(json_arr(v, "anti_goals")) == 2, "'note' does not say 'not'");
	CHECK(strcmp(cJSON_GetArrayItem(json_arr(v, "anti_goals"), 1)->valuestring, "the notes") == 0,
	    "the tail is what is left alone");
	CHECK(cJSON_GetArraySize(json_arr(v, "preferences")) == 1, "wishes");
	CHECK(fabs(json_num(v, "confidence", 0) - 1) < 1e-9, "0.5 + 0.2 + 0.3 + 0.1 is at most 1");
	cJSON_Delete(v);
	v = intent_extract(" ");
	CHECK(json_str(v, "goal")[0] != '\0', "a goal is never empty");
	cJSON_Delete(v);
}

static void
test_seed(void)
{
	static const char text[] = "{\"prompt\":\"p\",\"intent\":{\"goal\":\"g\",\"constraints\":\"one\","
	    "\"preferences\":[1,\"two\"]}}";
	cJSON *t = json_parse(text, sizeof(text) - 1, NULL), *v = intent_of(t);
	struct buf b = {0};

	CHECK(strcmp(json_str(v, "goal"), "g") == 0 && json_num(v, "confidence", 0) == 0.5, "seed");
	CHECK(cJSON_GetArraySize(json_arr(v, "constraints")) == 1, "a string is a list of one");
	CHECK(cJSON_GetArraySize(json_arr(v, "preferences")) == 1, "what is no string is none");
	intent_block(v, &b);
	CHECK(strstr(b.p, "Goal: g\n") != NULL && strstr(b.p, "Constraints: one\n") != NULL &&
	    strstr(b.p, "To be left alone: none\n") != NULL, "%s", b.p);
	buf_free(&b);
	cJSON_Delete(v);
	cJSON_Delete(t);
	t = json_new();
	CHECK(intent_of(t) == NULL, "no prompt, no intent");
	cJSON_Delete(t);
}

static void
test_docs(void)
{
	static const struct {
		const char *value;
		bool on;
	} t[] = {{"", true}, {"1", true}, {"0", false}, {" False\n", false}, {"NO", false},
	    {"no way", true}, {"off", true}, {"00", true}};

	unsetenv("VIVARIUM_MVP_DOCS_ONLY");
	CHECK(docs_only(), "on where nobody decided");
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		setenv("VIVARIUM_MVP_DOCS_ONLY", t[i].value, 1);
		CHECK(docs_only() == t[i].on, "<%s>", t[i].value);
	}
}

int
main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : "test/fixture";
	cJSON *all = vectors(dir);

	test_phase4(all);
	test_budget(all);
	test_steps();
	test_long();
	test_intent();
	test_seed();
	test_docs();
	cJSON_Delete(all);
	puts(failures == 0 ? "ok" : "FAILED");
	return failures != 0;
}
