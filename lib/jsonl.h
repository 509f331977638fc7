/* jsonl: JSON Lines from a descriptor, one at a time, damage reported and survived. */
#ifndef VIV_JSONL_H
#define VIV_JSONL_H

#include <stdbool.h>
#include <stddef.h>
#include <cjson/cJSON.h>

#include "buf.h"
#include "err.h"

enum { JSONL_MAX = 4 * 1024 * 1024 };	/* bytes of one line */

/* Zero-initialise, set fd. jsonl_free frees. */
struct jsonl {
	int fd;
	struct buf buf;		/* bytes read and not yet handed out, from at */
	size_t at;
	unsigned long line;	/* number of the line handed out last, from 1 */
	bool eof;
	bool skipping;		/* inside a line that is too long */
	int bad;		/* damaged lines so far */
};

/* Read once (blocks unless data is there). 1: something, 0: end, -VIV_IO. */
int jsonl_fill(struct jsonl *j, struct err *e);

/*
 * Next complete line as an object the caller deletes, or NULL when more input is
 * needed (or, after eof, at the end). Damaged lines (not JSON, not an object,
 * torn, over JSONL_MAX) are reported on stderr with their number and counted in
 * bad. Blank lines are skipped.
 */
cJSON *jsonl_next(struct jsonl *j);
void jsonl_free(struct jsonl *j);

/* One object as one line in one write; -VIV_IO, with errno EPIPE when the reader has
 * gone (where SIGPIPE has not ended the process already). */
int jsonl_write(int fd, const cJSON *v, struct err *e);

/* Has the reader of this pipe or socket gone? Never blocks. */
bool jsonl_reader_gone(int fd);

#endif
