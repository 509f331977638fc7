/*
 * words: a command text split into words as POSIX does it, and nothing else that a
 * shell does. What a shell would act on is refused with its name and column.
 */
#ifndef VIV_WORDS_H
#define VIV_WORDS_H

#include "err.h"

enum { WORDS_TEXT_MAX = 65536 };	/* bytes of one command text */

/* 0 and at least one word in a NULL-terminated vector (words_free), or -VIV_REFUSED. */
int words_split(const char *text, char ***argv_out, int *argc_out, struct err *e);
void words_free(char **argv);		/* NULL is fine */

/* s made fit for a message: at most 60 bytes, control bytes and the like as '?'. */
#define WORDS_SHOW 64
const char *words_show(char out[WORDS_SHOW], const char *s);

#endif
