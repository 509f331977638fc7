/*
 * provider_test: is a server this machine? Rows of "loopback" of the reference's vectors:
 *	provider_test VECTORS.json
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "file.h"
#include "json.h"
#include "provider.h"

int
main(int argc, char **argv)
{
	struct buf text = {0};
	int failures = 0, rows = 0;
	const cJSON *row;
	cJSON *tree;

	if (argc != 2 || file_read(AT_FDCWD, argv[1], 1 << 20, &text, NULL) != 0)
		return 2;
	tree = json_parse(text.p, text.len, NULL);
	cJSON_ArrayForEach(row, json_arr(tree, "loopback")) {
		const char *url = json_str(row, "ep");

		/* Another scheme, and blanks, are refused before anybody asks (viv-llm(1)). */
		if (strncasecmp(url, "http", 4) != 0)
			continue;
		rows++;
		if (provider_loopback(url) == json_bool(row, "ok", false))
			continue;
		printf("%s: not as the reference has it\n", url);
		failures++;
	}
	cJSON_Delete(tree);
	buf_free(&text);
	return failures > 0 || rows != 5;
}
