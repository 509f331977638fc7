/*
 * viv-llm: chat completions: one for a person, or one for each line (-l), -j at once.
 *
 * For a person the arguments are the prompt, and "-" among them, or no argument at all,
 * stands for standard input; the answer is written as it comes. With -l each task line is
 * written again with "result" added, as soon as it is over, in any order; a line
 * {"cancel":REF} ends the one whose "ref" is REF. Input is read on while calls run, because
 * a cancel may come, but lines wait in memory until there is room.
 *
 * What may not leave this process: no core file is written and no other process of the
 * user can look into it, because a provider's key is in its memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "buf.h"
#include "file.h"
#include "json.h"
#include "jsonl.h"
#include "llm.h"
#include "num.h"
#include "opt.h"
#include "speak.h"
#include "stage.h"
#include "stop.h"
#include "utf8.h"
#include "world.h"

#define USAGE "viv-llm [-lv] [-C DIR] [-b USD] [-j JOBS] [-m MODEL] [-p PROVIDER] [-s SYSTEM] " \
	"[-t TIMEOUT] [--max-tokens N] [--no-stream] [--temperature T] [PROMPT ...]"

enum { JOBS_MAX = 256, PROMPT_MAX = 2 * 1024 * 1024, AHEAD = 64 };
enum { LONG_TEMPERATURE = 0x2000, LONG_TOKENS, LONG_NO_STREAM };

struct front {
	struct world world;
	struct llm llm;
	struct jsonl in;
	cJSON *ahead;			/* lines that wait for room */
	struct speak speak;
	bool lines, verbose, gone;
};

static void
protect(void)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
}

static void
write_line(struct front *f, const cJSON *line)
{
	struct err e;

	if (f->gone || jsonl_write(STDOUT_FILENO, line, &e) == 0)
		return;
	f->gone = true;
	if (errno != EPIPE) {
		err_warn("%s", e.msg);
		f->speak.rc = VIV_IO;
	}
}

/* A line is over: hand it on, or tell the person. Returns the exit code of a person's. */
static int
finish(struct front *f, cJSON *line)
{
	const cJSON *r = json_obj(line, "result");

	if (f->lines) {
		write_line(f, line);
		if (f->verbose)
			speak_usage(r);
		return 0;
	}
	speak_end(&f->speak, json_str(r, "text"));
	if (f->verbose)
		speak_usage(r);
	return f->speak.gone || stop_asked() != 0 ? 0 : speak_fault(r);
}

/* A line came in: a cancel at once, the others in their order. */
static void
take_line(struct front *f, cJSON *line)
{
	const cJSON *ref = json_get(line, "cancel");
	cJSON *item, *next;

	if (ref == NULL) {
		json_push(f->ahead, line);
		return;
	}
	llm_cancel(&f->llm, ref, "interrupted", "cancelled");
	for (item = f->ahead->child; item != NULL; item = next) {
		next = item->next;
		if (!cJSON_Compare(json_get(item, "ref"), ref, true))
			continue;
		cJSON_DetachItemViaPointer(f->ahead, item);
		llm_refuse(&f->llm, item, "interrupted", "cancelled");
		write_line(f, item);
		cJSON_Delete(item);
	}
	cJSON_Delete(line);
}

/* Lines from memory into the loop; what is not open passes as it is. */
static void
start_some(struct front *f)
{
	while (f->llm.n < f->llm.jobs && f->ahead->child != NULL) {
		cJSON *line = cJSON_DetachItemFromArray(f->ahead, 0);

		if (stage_open(line)) {
			llm_add(&f->llm, line);
			continue;
		}
		write_line(f, line);
		cJSON_Delete(line);
	}
}

static void
stop_all(struct front *f)
{
	cJSON *line;

	llm_cancel(&f->llm, NULL, "interrupted", "interrupted");
	while ((line = cJSON_DetachItemFromArray(f->ahead, 0)) != NULL) {
		if (stage_open(line))
			llm_refuse(&f->llm, line, "interrupted", "interrupted");
		write_line(f, line);
		cJSON_Delete(line);
	}
}

/* Wait, and read what has come. */
static int
listen_once(struct front *f, struct err *e)
{
	bool more = f->lines && !f->in.eof && cJSON_GetArraySize(f->ahead) < AHEAD;
	struct pollfd p[] = {{.fd = STDOUT_FILENO},
	    {.fd = more ? STDIN_FILENO : -1, .events = POLLIN},
	    {.fd = stop_fd(), .events = POLLIN}};
	int rc = 0;
	cJSON *line;

	if (f->llm.n == 0)
		poll(p, 3, -1);
	else
		llm_wait(&f->llm, p, 3);
	poll(p, 3, 0);
	if (p[0].revents & (POLLERR | POLLNVAL))
		f->gone = true;
	if (p[1].revents != 0 && stop_asked() == 0 && (rc = jsonl_fill(&f->in, e)) >= 0)
		while ((line = jsonl_next(&f->in)) != NULL)
			take_line(f, line);
	return rc < 0 ? rc : 0;
}

static int
run(struct front *f)
{
	struct err e = {0};
	cJSON *line;
	int stop, rc = 0;

	for (;;) {
		f->gone |= f->speak.gone;
		if ((stop = stop_asked()) != 0 || f->gone)
			stop_all(f);
		start_some(f);
		while ((line = llm_next(&f->llm)) != NULL) {
			rc = finish(f, line);
			cJSON_Delete(line);
		}
		if (f->llm.n < f->llm.jobs && f->ahead->child != NULL && stop == 0 && !f->gone)
			continue;	/* all that were answered make room at once */
		if (f->llm.n == 0 && f->ahead->child == NULL &&
		    (f->gone || stop != 0 || !f->lines || f->in.eof))
			break;
		if (!f->lines)
			speak_wait(&f->speak);
		if (listen_once(f, &e) != 0) {
			err_warn("%s", e.msg);
			rc = VIV_IO;
			break;
		}
	}
	return f->speak.rc != 0 ? f->speak.rc : stop != 0 ? 128 + stop : rc;
}

/* Standard input as text, in the place of "-". */
static void
read_stdin(struct buf *b)
{
	ssize_t n;

	do {
		buf_reserve(b, 65536);
		n = read(STDIN_FILENO, b->p + b->len, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err_exit(VIV_IO, "cannot read input: %s", strerror(errno));
		b->len += (size_t)n;
		b->p[b->len] = '\0';
		if (b->len > PROMPT_MAX)
			err_exit(VIV_USAGE, "the prompt is longer than 2 MiB");
	} while (n != 0);
}

/* The one line of a person. */
static cJSON *
person(int argc, char **argv, const char *system)
{
	struct buf b = {0};
	cJSON *line = json_new();

	if (argc == 0)
		read_stdin(&b);
	for (int i = 0; i < argc; i++) {
		if (i > 0)
			buf_char(&b, ' ');
		if (strcmp(argv[i], "-") == 0)
			read_stdin(&b);
		else
			buf_str(&b, argv[i]);
	}
	if (b.len == 0 || strspn(b.p, " \t\r\n") == b.len)
		opt_usage("there is no prompt");
	if (strlen(b.p) != b.len || utf8_invalid(b.p, b.len) != b.len)
		err_exit(VIV_USAGE, "the prompt is not UTF-8 text");
	json_set_str(line, "prompt", b.p);
	if (system != NULL)
		json_set_str(line, "system", system);
	buf_free(&b);
	return line;
}

/* The text every system message begins with; people bring their own. */
static char *
base_text(bool lines)
{
	char *path = lines ? world_share("prompts/system.txt") : NULL;
	struct buf b = {0};
	struct err e;

	if (path != NULL && file_read(AT_FDCWD, path, 65536, &b, &e) != 0)
		err_die(&e);
	if (path == NULL && lines)
		err_exit(VIV_CONFIG, "'prompts/system.txt' is not installed");
	free(path);
	return buf_take(&b);
}

static const char *
default_model(void)
{
	const char *env = getenv("DEFAULT_GROQ_MODEL");

	return env != NULL && *env != '\0' ? env : "llama-3.1-8b-instant";
}

struct options {
	const char *system;
	double budget;
	size_t jobs;
};

static void
parse(int argc, char **argv, struct front *f, struct call_setup *s, struct options *o)
{
	static const struct option longs[] = {{"budget", required_argument, NULL, 'b'},
	    {"jobs", required_argument, NULL, 'j'}, {"lines", no_argument, NULL, 'l'},
	    {"model", required_argument, NULL, 'm'}, {"provider", required_argument, NULL, 'p'},
	    {"system", required_argument, NULL, 's'}, {"timeout", required_argument, NULL, 't'},
	    {"verbose", no_argument, NULL, 'v'},
	    {"temperature", required_argument, NULL, LONG_TEMPERATURE},
	    {"max-tokens", required_argument, NULL, LONG_TOKENS},
	    {"no-stream", no_argument, NULL, LONG_NO_STREAM}, {NULL, 0, NULL, 0}};
	struct ask_defaults *d = &s->defaults;
	long long n;
	int c;

	while ((c = opt_next(argc, argv, "b:j:lm:p:s:t:v", longs)) != -1) {
		if (c == 'b' && !num_real(optarg, 0, 1e6, &o->budget))
			opt_usage("-b wants US dollars, not '%s'", optarg);
		if (c == 'j' && (!num_int(optarg, 1, JOBS_MAX, &n) || (o->jobs = (size_t)n) == 0))
			opt_usage("-j wants a number from 1 to %d, not '%s'", JOBS_MAX, optarg);
		if (c == 't' && !num_seconds(optarg, 0.001, ASK_TIMEOUT_MAX_S, &d->timeout_s))
			opt_usage("-t wants seconds up to %d, not '%s'", ASK_TIMEOUT_MAX_S, optarg);
		if (c == LONG_TEMPERATURE && !num_real(optarg, 0, 2, &d->temperature))
			opt_usage("--temperature wants a number from 0 to 2, not '%s'", optarg);
		if (c == LONG_TOKENS && !num_int(optarg, 1, CHAT_MAX_TOKENS_MAX, &n))
			opt_usage("--max-tokens wants a number from 1 to %d, not '%s'",
			    CHAT_MAX_TOKENS_MAX, optarg);
		if (c == LONG_TOKENS)
			d->max_tokens = (int)n;
		f->lines |= c == 'l';
		f->verbose |= c == 'v';
		if (c == LONG_NO_STREAM)
			s->stream = false;
		if (c == 'm')
			d->model = optarg;
		if (c == 'p')
			s->provider = optarg;
		if (c == 's')
			o->system = optarg;
	}
	if (f->lines && (optind < argc || o->system != NULL))
		opt_usage("with -l, prompts come on standard input, and -s in their lines");
	if (!f->lines && o->jobs != 1)
		opt_usage("-j goes with -l");
}

int
main(int argc, char **argv)
{
	struct front f = {.in = {.fd = STDIN_FILENO}, .ahead = json_list()};
	struct call_setup s = {.stream = true, .cassette = getenv("VIV_CASSETTE"), .cap = -1,
	    .defaults = {.model = default_model(), .max_tokens = CHAT_MAX_TOKENS,
		.temperature = 0.2, .timeout_s = ASK_TIMEOUT_S}};
	struct options o = {.jobs = 1, .budget = -1};
	struct err e = {0};
	char *base;
	int rc;

	opt_init(argc, argv, USAGE);
	parse(argc, argv, &f, &s, &o);
	protect();
	if ((rc = world_find(&f.world, opt_world, &e)) < 0)
		err_die(&e);
	s.w = rc > 0 ? &f.world : NULL;
	s.defaults.base = base = base_text(f.lines);
	s.cap = o.budget >= 0 ? llround(o.budget * 1e6) : -1;
	f.speak.tty = isatty(STDOUT_FILENO);
	if (s.cassette != NULL && *s.cassette == '\0')
		s.cassette = NULL;
	if (!f.lines) {
		json_push(f.ahead, person(argc - optind, argv + optind, o.system));
		s.text = s.stream ? speak_text : NULL;
		s.arg = &f.speak;
	}
	stop_catch();		/* while a person typed, a signal just ended us */
	if (stop_fd() < 0)
		err_exit(VIV_IO, "cannot wait for signals: %s", strerror(errno));
	if (llm_open(&f.llm, &s, o.jobs, &e) != 0)
		err_die(&e);
	rc = run(&f);
	llm_close(&f.llm);
	if (rc == 0 && f.in.bad > 0)
		rc = VIV_NO;
	jsonl_free(&f.in);
	cJSON_Delete(f.ahead);
	free(base);
	if (s.w != NULL)
		world_close(&f.world);
	return opt_end(rc);
}
