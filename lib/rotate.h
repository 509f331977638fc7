/* rotate: is a log due to be rotated, and the rotation of one that has no chain. */
#ifndef VIV_ROTATE_H
#define VIV_ROTATE_H

#include <stdbool.h>

#include "err.h"

/* Has the file of lines (path below directory dir) size bytes, or is the "timestamp" of
 * its first line age_s old? Negative: not asked. An absent or empty file is never due,
 * one of which nothing is asked always. */
bool rotate_due(int dir, const char *path, long long size, double age_s);

/*
 * A log whose writers open it by name for each line gets the name BASE.N.log: one who
 * is late still appends to the old file and nothing is lost. By link, which never
 * replaces what another process rotated. path ends in ".log".
 */
int rotate_plain(int dir, const char *path, struct err *e);

#endif
