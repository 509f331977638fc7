/*
 * post_flag: the options of viv-add that become members of the task.
 */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "json.h"
#include "num.h"
#include "opt.h"
#include "post.h"

static cJSON *
words(const char *s, bool codes, const char *flag)
{
	cJSON *list = json_list();
	long long code = 0;

	for (;;) {
		size_t n = strcspn(s, ",");
		char *word = mem_ndup(s, n);
		bool ok = n > 0 && (!codes || num_int(word, 0, 255, &code));

		json_push(
		    list, codes ? cJSON_CreateNumber((double)code) : cJSON_CreateString(word));
		free(word);
		if (!ok) {
			cJSON_Delete(list);
			opt_usage(
			    "%s needs %s separated by commas", flag, codes ? "exit codes" : "ids");
		}
		if (s[n] == '\0')
			return list;
		s += n + 1;
	}
}

/* "+30m" from now, or a date: as UTC text. */
static void
set_date(cJSON *t, const char *name, const char *s)
{
	char text[CLOCK_TEXT];
	double when;

	if (*s == '+' && num_seconds(s + 1, 0, 1e9, &when))
		when += clock_wall();
	else if (!clock_parse(s, &when))
		opt_usage("'%s' is neither a date (2030-01-31T08:00:00Z) nor a delay (+30m)", s);
	clock_utc(when, text);
	json_set_str(t, name, text);
}

static void
set_number(cJSON *t, const char *name, const char *s, bool integer, double max)
{
	long long i;
	double v;

	if (integer ? !num_int(s, (long long)-max, (long long)max, &i) : !num_real(s, 0, max, &v))
		opt_usage("'%s' is not a number for '%s'", s, name);
	json_set_num(t, name, integer ? (double)i : v);
}

static void
set_tag(cJSON *d, const char *tag)
{
	if (json_arr(d, "tags") == NULL)
		json_set(d, "tags", json_list());
	json_push(json_arr(d, "tags"), cJSON_CreateString(tag));
}

/* Options that become members of the task. */
void
post_flag(cJSON *d, int c, const char *arg)
{
	double seconds;

	if (c == 'd')
		json_set(d, "depends_on", words(arg, false, "-d"));
	else if (c == 'p')
		set_number(d, "priority", arg, true, 1e6);
	else if (c == 'b')
		set_number(d, "max_budget", arg, false, 1e6);
	else if (c == POST_MAX_ATTEMPTS)
		set_number(d, "max_attempts", arg, true, 1000);
	else if (c == 'M')
		json_set_str(d, "model", arg);
	else if (c == 'I')
		json_set_str(d, "identity_id", arg);
	else if (c == POST_REVIEW)
		json_set_str(d, "review", arg);
	else if (c == 'T')
		set_tag(d, arg);
	else if (c == POST_NOT_BEFORE)
		set_date(d, "not_before", arg);
	else if (c == POST_DEADLINE)
		set_date(d, "deadline", arg);
	else if (c == POST_OK_EXIT)
		json_set(d, "ok_exit", words(arg, true, "--ok-exit"));
	else if (c == POST_SERIAL)
		json_set_bool(d, "parallel_safe", false);
	else if (c == 't' && num_seconds(arg, 0.001, TASK_TIMEOUT_MAX_S, &seconds))
		json_set_num(d, "timeout", seconds);
	else if (c == 't')
		opt_usage("'%s' is not a time up to %d s", arg, TASK_TIMEOUT_MAX_S);
}
