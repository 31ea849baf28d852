// Converts quantities between units of one kind: a tool in C, for models.
//
// Computes only: the component imports nothing.

#include <stdio.h>
#include <strings.h>

#include "guest.h"
#include "lapidary.h"

typedef enum { LENGTH, MASS, VOLUME, TIME, SPEED, DATA, TEMPERATURE } kind_t;

// One of the unit is `factor` of the kind's base unit, above its zero by `offset`.
typedef struct {
    const char *name;
    kind_t kind;
    double factor;
    double offset;
} unit_t;

static const unit_t UNITS[] = {
    {"m", LENGTH, 1, 0},          {"km", LENGTH, 1e3, 0},      {"cm", LENGTH, 1e-2, 0},
    {"mm", LENGTH, 1e-3, 0},      {"mi", LENGTH, 1609.344, 0}, {"yd", LENGTH, 0.9144, 0},
    {"ft", LENGTH, 0.3048, 0},    {"in", LENGTH, 0.0254, 0},   {"nmi", LENGTH, 1852, 0},
    {"kg", MASS, 1, 0},           {"g", MASS, 1e-3, 0},        {"mg", MASS, 1e-6, 0},
    {"t", MASS, 1e3, 0},          {"lb", MASS, 0.45359237, 0}, {"oz", MASS, 0.028349523125, 0},
    {"l", VOLUME, 1, 0},          {"ml", VOLUME, 1e-3, 0},     {"m3", VOLUME, 1e3, 0},
    {"gal", VOLUME, 3.785411784, 0}, {"pt", VOLUME, 0.473176473, 0}, {"cup", VOLUME, 0.2365882365, 0},
    {"s", TIME, 1, 0},            {"min", TIME, 60, 0},        {"h", TIME, 3600, 0},
    {"day", TIME, 86400, 0},      {"week", TIME, 604800, 0},
    {"m/s", SPEED, 1, 0},         {"km/h", SPEED, 1 / 3.6, 0}, {"mph", SPEED, 0.44704, 0},
    {"kn", SPEED, 1852 / 3600.0, 0},
    {"B", DATA, 1, 0},            {"kB", DATA, 1e3, 0},        {"MB", DATA, 1e6, 0},
    {"GB", DATA, 1e9, 0},         {"KiB", DATA, 1024, 0},      {"MiB", DATA, 1048576, 0},
    {"GiB", DATA, 1073741824, 0},
    {"K", TEMPERATURE, 1, 0},     {"C", TEMPERATURE, 1, 273.15},
    {"F", TEMPERATURE, 5 / 9.0, 459.67 * 5 / 9.0},
};
static const size_t UNIT_COUNT = sizeof UNITS / sizeof *UNITS;

static const char PARAMETERS[] =
    "{\"type\":\"object\",\"properties\":{"
    "\"value\":{\"type\":\"number\",\"description\":\"How many of the unit from.\"},"
    "\"from\":{\"type\":\"string\",\"description\":\"The unit to convert from, such as km, lb, gal, h, mph, MiB or F.\"},"
    "\"to\":{\"type\":\"string\",\"description\":\"The unit to convert to, of the same kind.\"}},"
    "\"required\":[\"value\",\"from\",\"to\"]}";

// The host frees what these functions return, so it is never a constant.
void exports_lapidary_plugin_tools_definitions(exports_lapidary_plugin_tools_list_tool_definition_t *tools) {
    tools->len = 1;
    tools->ptr = calloc(1, sizeof *tools->ptr);
    guest_string_dup(&tools->ptr->name, "convert_units");
    guest_string_dup(&tools->ptr->description, "Converts a quantity to another unit of the same kind.");
    guest_string_dup(&tools->ptr->parameters, PARAMETERS);
    tools->ptr->traits = LAPIDARY_PLUGIN_TYPES_TOOL_TRAITS_READ_ONLY | LAPIDARY_PLUGIN_TYPES_TOOL_TRAITS_IDEMPOTENT;
}

// Case matters only where it tells two units apart: kB and KB are one, t and T too.
static const unit_t *find_unit(const char *name) {
    const unit_t *alike = NULL;
    for (size_t i = 0; name && i < UNIT_COUNT; i++) {
        if (!strcmp(UNITS[i].name, name)) return &UNITS[i];
        if (!alike && !strcasecmp(UNITS[i].name, name)) alike = &UNITS[i];
    }
    return alike;
}

static bool known_units(const char *unit, char *message, size_t size) {
    size_t at = (size_t)snprintf(message, size, "the unit %.40s is not known; known are", unit ? unit : "that is missing");
    for (size_t i = 0; i < UNIT_COUNT && at < size; i++) {
        at += (size_t)snprintf(message + at, size - at, " %s", UNITS[i].name);
    }
    return false;
}

// Writes the answer, or a sentence for the model; returns whether it is the answer.
static bool convert(const double *value, const char *from, const char *to, char *answer, size_t size) {
    const unit_t *source = find_unit(from), *target = find_unit(to);
    if (!value) return snprintf(answer, size, "expected value, a number"), false;
    if (!source) return known_units(from, answer, size);
    if (!target) return known_units(to, answer, size);
    if (source->kind != target->kind) {
        return snprintf(answer, size, "%s and %s are units of different kinds", source->name, target->name), false;
    }
    double base = *value * source->factor + source->offset;
    snprintf(answer, size, "%.10g %s", (base - target->offset) / target->factor, target->name);
    return true;
}

bool exports_lapidary_plugin_tools_call(exports_lapidary_plugin_tools_tool_call_t *call,
                                        exports_lapidary_plugin_tools_tool_output_t *output,
                                        exports_lapidary_plugin_tools_error_t *error) {
    const char *arguments = (const char *)call->arguments.ptr;
    size_t length = call->arguments.len;
    char *from = json_text(arguments, length, "from"), *to = json_text(arguments, length, "to");
    double value;
    bool has_value = json_number(arguments, length, "value", &value);
    char answer[400];
    output->is_error = !convert(has_value ? &value : NULL, from, to, answer, sizeof answer);
    output->content.tag = LAPIDARY_PLUGIN_TYPES_CONTENT_TEXT;
    guest_string_dup(&output->content.val.text, answer);
    free(from);
    free(to);
    exports_lapidary_plugin_tools_tool_call_free(call);
    return true;
}
