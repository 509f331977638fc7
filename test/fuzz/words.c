/* Any text as a command: split, matched with a permissive policy, never a crash. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "policy.h"
#include "screen.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char rules[] = "{\"version\":1,\"programs\":["
    "{\"name\":\"echo\",\"style\":\"free\"},"
    "{\"name\":\"ls\",\"flags\":[\"-l\",\"--sort=\",\"--color=?auto|never\"],\"positional\":{\"max\":3}}]}";

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct policy *policy;
	struct policy_argv argv;
	struct screen screen;
	struct err e;
	char *text;

	if (policy == NULL && policy_parse(&policy, rules, strlen(rules), "rules", &e) != 0)
		abort();
	if (memchr(data, 0, size) != NULL || utf8_invalid((const char *)data, size) != size)
		return 0;
	text = mem_ndup((const char *)data, size);
	screen_text(text, size, &screen);
	if (policy_check(policy, text, &argv, &e) == 0)
		policy_argv_free(&argv);
	free(text);
	return 0;
}
