/* SPDX-License-Identifier: MIT */
/* Version and error texts. */
#include "build.h"

#include "tomerge.h"

#define TEXT(number) TEXT_OF(number)
#define TEXT_OF(number) #number

int tomerge_version(void)
{
    return TOMERGE_VERSION;
}

const char *tomerge_version_string(void)
{
    return TEXT(TOMERGE_VERSION_MAJOR) "." TEXT(TOMERGE_VERSION_MINOR) "."
        TEXT(TOMERGE_VERSION_PATCH);
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
