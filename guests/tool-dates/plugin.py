"""Counts the days between two dates: a tool in Python, for models.

Computes only: the component imports nothing, and has no idea what day it is.
"""

import json
from datetime import date

from wit_world import exports
from wit_world.exports.tools import ToolOutput
from wit_world.imports.types import Content_Structured, Content_Text, ToolCall, ToolDefinition, ToolTraits


def day(description: str) -> dict:
    """The schema of a date."""
    return {"type": "string", "format": "date", "description": f"{description}, as YYYY-MM-DD."}


PARAMETERS = {
    "type": "object",
    "properties": {"from": day("The first day"), "to": day("The last day")},
    "required": ["from", "to"],
}


def difference(arguments: dict) -> dict:
    """Days from one date to the other, negative backwards, and the weekday of each."""
    first, last = (date.fromisoformat(arguments[key]) for key in ("from", "to"))
    return {"days": (last - first).days, "from_weekday": f"{first:%A}", "to_weekday": f"{last:%A}"}


class Tools(exports.Tools):
    """What the component exports."""

    def definitions(self) -> list[ToolDefinition]:
        description = "Counts the days from one date to another and tells their weekdays."
        traits = ToolTraits.READ_ONLY | ToolTraits.IDEMPOTENT
        return [ToolDefinition("days_between", description, json.dumps(PARAMETERS), None, traits)]

    def call(self, call: ToolCall) -> ToolOutput:
        try:
            found = difference(json.loads(call.arguments))
        except KeyError as missing:
            return ToolOutput(Content_Text(f"expected {missing}, a date"), is_error=True)
        except (TypeError, ValueError) as error:
            return ToolOutput(Content_Text(f"expected dates as YYYY-MM-DD: {error}"), is_error=True)
        return ToolOutput(Content_Structured(json.dumps(found)), is_error=False)
