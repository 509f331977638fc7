/* rand: bytes from the kernel's generator; nothing here can be seeded or predicted. */
#include "rand.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "err.h"

void
rand_bytes(void *out, size_t n)
{
	unsigned char *p = out;

	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			err_exit(VIV_IO, "cannot read random bytes: %s", strerror(errno));
		p += got;
		n -= (size_t)got;
	}
}

void
rand_hex(char *out, size_t nbytes)
{
	static const char digit[] = "0123456789abcdef";

	rand_bytes(out, nbytes);
	for (size_t i = nbytes; i-- > 0;) {
		unsigned char c = (unsigned char)out[i];

		out[2 * i] = digit[c >> 4];
		out[2 * i + 1] = digit[c & 15];
	}
	out[2 * nbytes] = '\0';
}

void
rand_base64url(char *out, size_t nbytes)
{
	static const char digit[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned char b[3];

	for (size_t i = 0; i < nbytes; i += 3) {
		rand_bytes(b, 3);
		*out++ = digit[b[0] >> 2];
		*out++ = digit[(b[0] & 3) << 4 | b[1] >> 4];
		*out++ = digit[(b[1] & 15) << 2 | b[2] >> 6];
		*out++ = digit[b[2] & 63];
	}
	*out = '\0';
}

uint64_t
rand_below(uint64_t limit)
{
	uint64_t v, top;

	if (limit < 2)
		return 0;
	top = UINT64_MAX - UINT64_MAX % limit;
	do
		rand_bytes(&v, sizeof(v));
	while (v >= top);
	return v % limit;
}
