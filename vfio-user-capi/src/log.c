/* vfu_log: formats a message, and passes it on. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* Returns whether the program receives messages of this level. */
typedef int wants_fn(void *ctx, int level);
/* Passes a formatted message to the program's function. */
typedef void pass_fn(void *ctx, int level, const char *line);

static wants_fn *wants;
static pass_fn *pass;

/* Sets the functions, which are in Rust, and which this file must not export to name them. */
void vfio_user_log_install(wants_fn *new_wants, pass_fn *new_pass)
{
    wants = new_wants;
    pass = new_pass;
}

void vfio_user_log_format(void *ctx, int level, const char *format, ...)
{
    int saved = errno;
    char line[BUFSIZ];
    va_list arguments;

    if (ctx == NULL || format == NULL || !wants(ctx, level)) {
        return;
    }
    va_start(arguments, format);
    errno = saved;
    if (vsnprintf(line, sizeof(line), format, arguments) >= 0) {
        pass(ctx, level, line);
    }
    va_end(arguments);
    errno = saved;
}
