/* SPDX-License-Identifier: MIT */
/* Version and error texts. */
#include "config.h"

#include "tomevit.h"

int tomevit_version(void)
{
    return TOMERGE_VERSION;
}

const char *tomevit_version_string(void)
{
    return PACKAGE_VERSION;
}

const char *tomevit_strerror(int error)
{
    switch (error) {
    case TOMEVIT_OK:
        return "no error";
    case TOMEVIT_EINVAL:
        return "an argument is out of its range";
    case TOMEVIT_ENOMEM:
        return "out of memory";
    case TOMEVIT_EIO:
        return "the file cannot be read";
    case TOMEVIT_EFORMAT:
        return "the file is damaged or of another format";
    case TOMEVIT_EMODEL:
        return "the checkpoint holds no model that can be run";
    default:
        return "unknown error";
    }
}
