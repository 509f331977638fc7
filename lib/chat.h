/*
 * chat: the body of a chat completion, and the answer to it. Pure.
 */
#ifndef VIV_CHAT_H
#define VIV_CHAT_H

#include <stdbool.h>
#include <stddef.h>
#include <cjson/cJSON.h>

#include "buf.h"
#include "err.h"

enum {
	CHAT_MAX_TOKENS = 2048,		/* default, */
	CHAT_MAX_TOKENS_MAX = 65536,	/* and bound of max_tokens */
	CHAT_TEXT_MAX = 512 * 1024,	/* bytes of an answer's text */
	CHAT_BODY_MAX = 4 * 1024 * 1024, /* bytes of an answer that is not streamed, */
	CHAT_STREAM_MAX = 64 * 1024 * 1024 /* and of one that is */
};

/* What is asked. chat_ask_free frees the strings. */
struct chat_ask {
	char *system;		/* may be "" */
	char *user;		/* context, task, what was wrong with the attempt before */
	char *note;		/* id and clock, the end of the user's message; not part of
				 * what identifies the request; may be "" */
	cJSON *response_format; /* or NULL */
	int max_tokens;
	double temperature;
};

/*
 * The texts of a task line: base is the text of share/prompts/system.txt, prompt the
 * task's. Members of the line that are read: system, context, previous.
 */
void chat_texts(struct chat_ask *a, const char *base, const char *prompt, const cJSON *line);
void chat_ask_free(struct chat_ask *a);

/* The body for a server, and the text that stands for the request whoever answers it;
 * the caller frees. tokens_member: the server's name of max_tokens. */
char *chat_body(
    const struct chat_ask *a, const char *model, const char *tokens_member, bool stream);
char *chat_essence(const struct chat_ask *a, const char *model);

/* An answer as it grows. Zero-initialise; chat_answer_free frees. */
struct chat_answer {
	struct buf text;
	char finish[32];		/* finish_reason, "" so far */
	char model[128], id[128];	/* as the server says, "" when it does not */
	long input, output, total, cached;	/* tokens, as reported; see usage */
	bool usage;			/* the server has reported them */
	bool done;			/* [DONE], or a whole body */
	int error;			/* 0, or the status in an error object; -1 none in it */
	char message[512];		/* of the error object */
};

/* One event of a stream; text_out is where its text begins in a->text. 0, or
 * -VIV_CONFIG: not understood; -VIV_NO: longer than CHAT_TEXT_MAX. */
int chat_event(struct chat_answer *a, const char *data, size_t n, struct err *e);

/* A whole body: the answer, or an error object. Returns as chat_event. */
int chat_whole(struct chat_answer *a, const char *body, size_t n, struct err *e);

/* NULL: a whole and useful answer; else "truncated", "empty", "length", "content_filter",
 * "server_error". */
const char *chat_fault(const struct chat_answer *a);

void chat_answer_free(struct chat_answer *a);

#endif
