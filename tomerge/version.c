/* SPDX-License-Identifier: MIT */
/* Version and error texts. */
#include "config.h"

#include "tomerge.h"

int tomerge_version(void)
{
    return TOMERGE_VERSION;
}

const char *tomerge_version_string(void)
{
    return PACKAGE_VERSION;
}

const char *tomerge_strerror(int error)
{
    switch (error) {
    case TOMERGE_OK:
        return "no error";
    case TOMERGE_EINVAL:
        return "an argument is NULL, zero or out of range";
    case TOMERGE_EOPTION:
        return "an option has a value that this version does not know";
    case TOMERGE_ESPACE:
        return "the workspace is too small";
    case TOMERGE_ERANGE:
        return "a count is too large";
    case TOMERGE_EMAP:
        return "a map points outside its rows or leaves a row without a token";
    default:
        return "unknown error";
    }
}
