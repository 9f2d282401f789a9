/* SPDX-License-Identifier: MIT */
#include "tomevit.h"

#include <stdio.h>

int main(void)
{
    printf("tomerge %s\n", tomerge_version_string());
    return 0;
}
