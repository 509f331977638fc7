/* check: what the C tests have in common: a count of what is not true, and the vectors. */
#ifndef TEST_CHECK_H
#define TEST_CHECK_H

#include <stdio.h>

static int failures;

/* Say so, with the words behind it, and count it, when the condition is not true. */
#define CHECK(cond, ...) do { \
	if (!(cond)) { \
		failures++; \
		printf("line %d: ", __LINE__); \
		printf(__VA_ARGS__); \
		printf("\n"); \
	} \
} while (0)

/* The same with the condition itself as the words. */
#define CHECK_TRUE(cond) CHECK(cond, "not true: %s", #cond)

#endif
