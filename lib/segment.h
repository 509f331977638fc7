/* segment: the files of the log; the private half of log.h. */
#ifndef VIV_SEGMENT_H
#define VIV_SEGMENT_H

#include "log.h"

#define SEGMENT_PREFIX "execution_log"

/* Is name of the form execution_log[.host].N.jsonl? */
bool segment_is_rotated(const char *name);

/* Hand out the complete lines of one segment from its offset on, which follows. */
int segment_read(struct log *l, struct log_segment *s, log_fn *fn, void *arg, struct err *e);
void segment_free(struct log_segment *s);
void segment_names_free(char **names, size_t n);

#endif
