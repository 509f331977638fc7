/* buf: growable bytes, and allocation that ends the command when it fails. */
#ifndef VIV_BUF_H
#define VIV_BUF_H

#include <stddef.h>

/* Zero-initialise; p is NUL-terminated whenever it is not NULL; buf_free frees. */
struct buf {
	char *p;
	size_t len, cap;	/* bytes; len does not count the NUL */
};

void buf_add(struct buf *b, const void *data, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_fmt(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_reserve(struct buf *b, size_t more);	/* room for more bytes after len */
void buf_drop(struct buf *b, size_t n);		/* remove the first n bytes */
void buf_clear(struct buf *b);			/* len = 0, memory kept */
void buf_free(struct buf *b);			/* back to all zero */
char *buf_take(struct buf *b);			/* the caller frees the string; never NULL */

/* Checked malloc, calloc, realloc, strdup: out of memory exits with 74. */
void *mem_alloc(size_t n);
void *mem_zero(size_t count, size_t size);
void *mem_grow(void *p, size_t count, size_t size);
char *mem_dup(const char *s);
char *mem_ndup(const char *s, size_t n);
char *mem_fmt(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
