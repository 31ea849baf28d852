// What a tool in C needs beside its bindings: members of a call's arguments, which are a JSON object that the
// host has checked.
#ifndef LAPIDARY_H
#define LAPIDARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Behind the string that begins at `at`.
static inline const char *json_after_string(const char *at, const char *end) {
    for (at++; at < end && *at != '"'; at++) at += *at == '\\';
    return at < end ? at + 1 : end;
}

// Behind the value that begins at `at`, and the white space after it.
static inline const char *json_after(const char *at, const char *end) {
    int depth = 0;
    while (at < end) {
        if (*at == '"') { at = json_after_string(at, end); if (depth == 0) break; continue; }
        if (*at == '{' || *at == '[') depth++;
        if (*at == '}' || *at == ']') { if (depth == 0) break; depth--; if (depth == 0) { at++; break; } }
        if (*at == ',' && depth == 0) break;
        at++;
    }
    while (at < end && strchr(" \t\r\n", *at)) at++;
    return at;
}

// Where the value of the member `key` begins; NULL where there is none.
static inline const char *json_member(const char *json, size_t length, const char *key) {
    const char *at = json, *end = json + length;
    while (at < end && *at != '{') at++;
    for (at++; at < end; at++) {
        while (at < end && strchr(" \t\r\n", *at)) at++;
        if (at >= end || *at != '"') return NULL;
        const char *name = at + 1, *behind = json_after_string(at, end);
        bool is_it = (size_t)(behind - 1 - name) == strlen(key) && !memcmp(name, key, strlen(key));
        for (at = behind; at < end && strchr(" \t\r\n:", *at);) at++;
        if (is_it) return at < end ? at : NULL;
        at = json_after(at, end);
    }
    return NULL;
}

// One character in UTF-8; returns the bytes written.
static inline size_t json_utf8(uint32_t point, char *to) {
    if (point < 0x80) return to[0] = (char)point, 1;
    if (point < 0x800) return to[0] = (char)(0xc0 | point >> 6), to[1] = (char)(0x80 | (point & 63)), 2;
    if (point < 0x10000) {
        to[0] = (char)(0xe0 | point >> 12), to[1] = (char)(0x80 | (point >> 6 & 63));
        return to[2] = (char)(0x80 | (point & 63)), 3;
    }
    to[0] = (char)(0xf0 | point >> 18), to[1] = (char)(0x80 | (point >> 12 & 63));
    return to[2] = (char)(0x80 | (point >> 6 & 63)), to[3] = (char)(0x80 | (point & 63)), 4;
}

// Four hexadecimal digits.
static inline uint32_t json_hex(const char *at) {
    char digits[5] = {at[0], at[1], at[2], at[3], 0};
    return (uint32_t)strtoul(digits, NULL, 16);
}

// The text of the member `key`, ended by a zero byte, for the caller to free; NULL where there is no such string.
static inline char *json_text(const char *json, size_t length, const char *key) {
    static const char escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    const char *at = json_member(json, length, key), *end = json + length;
    if (!at || *at != '"') return NULL;
    char *text = malloc((size_t)(end - at)), *to = text;
    if (!text) abort();
    for (at++; at < end && *at != '"'; at++) {
        if (*at != '\\') { *to++ = *at; continue; }
        if (++at >= end) break;
        if (*at != 'u') { const char *pair = strchr(escapes, *at); *to++ = pair ? pair[1] : *at; continue; }
        if (end - at < 5) break;
        uint32_t point = json_hex(at + 1);
        at += 4;
        if (point >> 10 == 0x36 && end - at > 6 && at[1] == '\\' && at[2] == 'u') {
            point = 0x10000 + ((point & 0x3ff) << 10) + (json_hex(at + 3) & 0x3ff);
            at += 6;
        }
        to += json_utf8(point, to);
    }
    *to = 0;
    return text;
}

// The number of the member `key`; false where there is no such number.
static inline bool json_number(const char *json, size_t length, const char *key, double *number) {
    const char *at = json_member(json, length, key);
    char digits[64] = {0};
    if (!at || !strchr("-0123456789", *at)) return false;
    for (size_t i = 0; at < json + length && i < 63 && strchr("+-.0123456789eE", *at); i++) digits[i] = *at++;
    return *number = strtod(digits, NULL), true;
}

#endif
