/* SPDX-License-Identifier: MIT */
/* tomerge convert: any checkpoint as one .safetensors file. */
#include "commands.h"

#include "base/message.h"
#include "session/session.h"

void command_convert(const options *o)
{
    tomevit_open_options with = session_open_options(o);
    tomevit_message why;

    if (tomevit_convert(o->operands[0], &with, o->output, o->storage, &why) !=
        0)
        message_failed("%s", why.text);
}
