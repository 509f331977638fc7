/* beneath: files below world/mutable, opened without following a link. */
#ifndef VIV_BENEATH_H
#define VIV_BENEATH_H

#include <stdbool.h>
#include <sys/types.h>

#include "buf.h"
#include "err.h"
#include "world.h"

/* The directory of a path below world/mutable, made where it is missing, for the caller
 * to close; *base_out is the path's last name. -1: some of it is no directory. */
int beneath_open(const struct world *w, const char *path, const char **base_out);

/* Size of a file that may be written to, 0 when there is none; -1: it may not. The first
 * takes a path below world/mutable, and makes its directory. */
off_t beneath_size(const struct world *w, const char *path);
off_t beneath_size_at(int dir, const char *base);

/* After a -1: by errno, is it the path that is wrong (a link, no directory, no plain
 * file), rather than the disk? */
bool beneath_refused(void);

/*
 * Append the record that was to begin at that offset, or what is missing of it, and sync:
 * what stands there already is not written again. -VIV_REFUSED: no plain file.
 */
int beneath_append(
    int dir, const char *base, off_t at, const struct buf *record, mode_t mode, struct err *e);

#endif
