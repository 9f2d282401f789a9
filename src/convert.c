/* SPDX-License-Identifier: MIT */
/* tomerge convert: any checkpoint as one .safetensors file. */
#include "config.h"

#include "commands.h"

#include "base/message.h"
#include "session/session.h"

#include <stdlib.h>

void command_convert(const options *o)
{
    tomevit_open_options with = session_open_options(o);
    tomevit_message why;
    /* Of a link the file it leads to is replaced. */
    char *target = realpath(o->output, NULL);
    const char *path = target ? target : o->output;

    if (tomevit_convert(o->model, &with, path, o->storage, &why) != 0)
        message_failed("%s", why.text);
    free(target);
}
