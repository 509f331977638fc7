/* rand: bytes from the kernel. */
#ifndef VIV_RAND_H
#define VIV_RAND_H

#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *out, size_t n);
void rand_hex(char *out, size_t nbytes);	/* 2 * nbytes + NUL */
void rand_base64url(char *out, size_t nbytes);	/* nbytes % 3 == 0; 4/3 nbytes + NUL */
uint64_t rand_below(uint64_t limit);		/* uniform in [0, limit) */

#endif
