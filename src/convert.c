/* SPDX-License-Identifier: MIT */
/* tomerge convert: any checkpoint as one .safetensors file. */
#include "config.h"

#include "commands.h"

#include "base/memory.h"
#include "base/memory_limit.h"
#include "base/message.h"
#include "base/replace.h"
#include "session/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void command_convert(const options *o)
{
    tomevit_open_options with = session_open_options(o);
    tomevit_message why;
    /* Of a link the file it leads to is replaced. */
    char *target = realpath(o->output, NULL);
    const char *path = target ? target : o->output;
    size_t size = strlen(path) + 32;
    char *part = memory_zero(size, 1);

    /* The process may end while the library is writing. */
    snprintf(part, size, "%s.part-%ld", path, (long)getpid());
    replacement_note(part);
    int error = tomevit_convert(o->model, &with, path, o->storage, &why);
    if (error != 0)
        message_failed("%s%s", why.text,
                       memory_limited_by(error == TOMEVIT_ENOMEM));
    replacement_forget(part);
    free(part);
    free(target);
}
