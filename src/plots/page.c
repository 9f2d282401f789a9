/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "page.h"

#include "plot.h"

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1c1d20;--quiet:#5d6167;"
    "--paper:#fff;--line:#dfe1e5}\n"
    "@media screen and (prefers-color-scheme:dark){:root{--ink:#e6e7ea;"
    "--quiet:#a0a5ad;--paper:#16181b;--line:#33373d}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;padding:1.5rem 1rem 4rem;max-width:76rem;"
    "background:var(--paper);color:var(--ink);"
    "font:1rem/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',"
    "Arial,sans-serif;font-variant-numeric:tabular-nums;"
    "overflow-wrap:anywhere}\n"
    "h1{font-size:1.6rem;line-height:1.25;margin:0 0 .25rem}\n"
    "h2{font-size:1.15rem;margin:2.5rem 0 .5rem}\n"
    "p{max-width:44rem;margin:.5rem 0}\n"
    "figcaption,dt,.quiet{color:var(--quiet)}\n"
    ".plots{display:grid;gap:1.5rem;margin-top:1.5rem;"
    "grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr))}\n"
    ".plots svg{display:block;width:100%;height:auto;overflow:visible}\n"
    ".wide{overflow-x:auto}\n"
    "table{border-collapse:collapse;font-size:.875rem;white-space:nowrap}\n"
    "th,td{padding:.3rem .5rem;text-align:right;"
    "border-bottom:1px solid var(--line)}\n"
    "th:first-child{text-align:left}\n"
    "figure{margin:0}figcaption{font-size:.8125rem;line-height:1.35}\n"
    "figcaption b{color:var(--ink)}\n"
    "dl{display:grid;grid-template-columns:minmax(6rem,max-content) 1fr;"
    "gap:.25rem 1rem;font-size:.875rem}dd{margin:0}\n"
    "code{white-space:pre-wrap}\n";

void page_begin(FILE *out)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n"
          "<meta name=\"viewport\" content=\"width=device-width, "
          "initial-scale=1\"/>\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
          "'none'; img-src data:; style-src 'unsafe-inline'\"/>\n"
          "<link rel=\"icon\" href=\"data:,\"/>\n<title>", out);
}

void page_style(FILE *out)
{
    fprintf(out, "</title>\n<style>\n%s%s", style, plot_style);
}
