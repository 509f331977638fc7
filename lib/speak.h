/*
 * speak: an answer for a person: the text on stdout as it comes, the talk on stderr.
 */
#ifndef VIV_SPEAK_H
#define VIV_SPEAK_H

#include <stdbool.h>
#include <stddef.h>
#include <cjson/cJSON.h>

/* Zero-initialise; set tty. */
struct speak {
	bool tty;		/* stdout is a terminal */
	bool gone;		/* stdout takes no more; */
	int rc;			/* VIV_IO when that is an error */
	bool waiting;		/* the note is on the terminal */
	char last;		/* byte written last, 0 none */
};

/* On a terminal: that there is nothing to see yet. */
void speak_wait(struct speak *s);

/* Some more of the answer (a receive_text_fn; arg: the struct speak). */
void speak_text(const char *text, size_t n, void *arg);

/* The answer is over: all of it unless it came in pieces, and a newline. */
void speak_end(struct speak *s, const char *text);

/* From a line's "result": what it took, and what went wrong with the exit code for it. */
void speak_usage(const cJSON *result);
int speak_fault(const cJSON *result);

#endif
