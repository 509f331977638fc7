/*
 * docs: the mode in which residents only write documentation.
 *
 * It is on where nobody decided: a world whose owner has not thought about it must not
 * plan, act or be given tools.
 */
#include "docs.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool
docs_only(void)
{
	static const char *const off[] = {"0", "false", "no"};
	const char *s = getenv("VIVARIUM_MVP_DOCS_ONLY");
	size_t n;

	if (s == NULL)
		return true;
	s += strspn(s, " \t\r\n");
	n = strcspn(s, " \t\r\n");
	if (s[n + strspn(s + n, " \t\r\n")] != '\0')
		return true;
	for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++)
		if (n == strlen(off[i]) && strncasecmp(s, off[i], n) == 0)
			return false;
	return true;
}
