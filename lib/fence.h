/* fence: material of others, quoted so that it cannot be taken for instructions. Pure. */
#ifndef VIV_FENCE_H
#define VIV_FENCE_H

#include <stddef.h>

#include "buf.h"

/*
 * Append text (valid UTF-8; at most max_chars code points of it) as quoted material called
 * name. Nothing in text ends the quotation: each of its lines is marked, and the end names
 * a hash of it.
 */
void fence_quote(struct buf *out, const char *name, const char *text, size_t max_chars);

#endif
