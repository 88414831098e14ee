/* What the test programs share: one case for each run, by its name; what fails ends it and says where. */

#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                          \
    do {                                                                          \
        if (!(condition)) {                                                       \
            fprintf(stderr, "%s:%d: not: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                              \
        }                                                                         \
    } while (0)

#define CHECK_EQ(left, right)                                                                               \
    do {                                                                                                    \
        long long left_ = (long long)(left);                                                                \
        long long right_ = (long long)(right);                                                              \
                                                                                                            \
        if (left_ != right_) {                                                                              \
            fprintf(stderr, "%s:%d: %s is %lld, and not %s, %lld\n", __FILE__, __LINE__, #left, left_, #right, \
                    right_);                                                                                \
            exit(1);                                                                                        \
        }                                                                                                   \
    } while (0)

struct test_t {
    const char *name_p;
    void (*run)(void);
};

#define TEST(name) { #name, name }

/* Runs the case named by the first argument, or lists all. */
static inline int run_test(const struct test_t *tests_p, size_t length, int argc, const char *argv[])
{
    size_t i;

    for (i = 0; i < length; i++) {
        if (argc < 2) {
            printf("%s\n", tests_p[i].name_p);
        } else if (strcmp(argv[1], tests_p[i].name_p) == 0) {
            tests_p[i].run();

            return 0;
        }
    }

    if (argc > 1) {
        fprintf(stderr, "no test is called %s\n", argv[1]);
    }

    return argc > 1;
}

#endif
