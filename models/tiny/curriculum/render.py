"""Text of prompts and answers, as the official chat template (small variant) renders them.

A sample is a list of segments `(text, is_target)`. `check_template.py` compares these functions with a template file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

QUOTE = '<|"|>'


@dataclass
class Tool:
    """One declaration. `parameters` maps a name to `(type, description, enum or None)`; all are required unless
    listed in `optional`."""

    name: str
    description: str
    parameters: dict[str, tuple[str, str, list[str] | None]] = field(default_factory=dict)
    optional: tuple[str, ...] = ()

    def required(self) -> list[str]:
        """Names of required parameters in declaration order."""
        return [name for name in self.parameters if name not in self.optional]

    def schema(self) -> dict:
        """The declaration as the `tools` argument of a chat template."""
        properties = {}
        for name, (kind, description, enum) in self.parameters.items():
            entry = {"type": kind} | ({"description": description} if description else {})
            properties[name] = entry | ({"enum": enum} if enum else {})
        parameters: dict = {"type": "object", "properties": properties}
        if self.required():
            parameters["required"] = self.required()
        function = {"name": self.name, "description": self.description, "parameters": parameters}
        return {"type": "function", "function": function}


def quoted(text: str) -> str:
    """A string value."""
    return f"{QUOTE}{text}{QUOTE}"


def parameter(name: str, entry: tuple[str, str, list[str] | None]) -> str:
    """One property of a declaration."""
    kind, description, enum = entry
    parts = [f"description:{quoted(description)}"] if description else []
    if enum and kind == "string":
        parts.append("enum:[" + ",".join(quoted(value) for value in enum) + "]")
    parts.append(f"type:{quoted(kind.upper())}")
    return f"{name}:{{" + ",".join(parts) + "}"


def declaration(tool: Tool) -> str:
    """One declaration, control tokens included."""
    names = sorted(tool.parameters, key=str.lower)
    inner = ",".join(parameter(name, tool.parameters[name]) for name in names)
    properties = f"properties:{{{inner}}}," if inner else ""
    required = ",".join(quoted(name) for name in tool.required())
    required = f"required:[{required}]," if required else ""
    body = f"description:{quoted(tool.description)},parameters:{{{properties}{required}type:{quoted('OBJECT')}}}"
    return f"<|tool>declaration:{tool.name}{{{body}}}<tool|>"


def system_turn(text: str, tools: list[Tool], thinking: bool) -> str:
    """The system turn, or nothing."""
    if not (text or tools or thinking):
        return ""
    think = "<|think|>\n" if thinking else ""
    return f"<|turn>system\n{think}{text.strip()}{''.join(map(declaration, tools))}<turn|>\n"


def user_turn(text: str) -> str:
    """A user turn."""
    return f"<|turn>user\n{text.strip()}<turn|>\n"


def value(argument) -> str:
    """One argument of a call."""
    if isinstance(argument, str):
        return quoted(argument)
    return json.dumps(argument)


def call(name: str, arguments: dict) -> str:
    """One tool call as the model writes it."""
    inner = ",".join(f"{key}:{value(arguments[key])}" for key in sorted(arguments, key=str.lower))
    return f"<|tool_call>call:{name}{{{inner}}}<tool_call|>"


def response(name: str, text: str) -> str:
    """One tool result."""
    return f"<|tool_response>response:{name}{{value:{quoted(text)}}}<tool_response|>"


def thought(text: str) -> str:
    """A thought in its channel."""
    return f"<|channel>thought\n{text}\n<channel|>"


@dataclass
class Builder:
    """Collects the segments of one conversation, and its parts as messages for the oracle and for evaluation.

    `media` holds soft tokens for training, `sources` pictures, samples and lists of frames for evaluation, both in the
    order of the prompt.
    """

    system: str = ""
    tools: list[Tool] = field(default_factory=list)
    thinking: bool = False
    segments: list[tuple[str, bool]] = field(default_factory=list)
    messages: list[dict] = field(default_factory=list)
    skill: str = ""
    media: list = field(default_factory=list)
    sources: list = field(default_factory=list)

    def __post_init__(self):
        self.segments.append(("<bos>" + system_turn(self.system, self.tools, self.thinking), False))
        if self.system:
            self.messages.append({"role": "system", "content": self.system})

    def reasoning(self, thinks: str) -> dict:
        """The message field of a thought, where thinking is on."""
        return {"reasoning": thinks} if self.thinking else {}

    def user(self, text: str, marks: tuple[tuple[str, str], ...] = (), after: bool = False) -> "Builder":
        """A user turn and the generation prompt. `marks` are `(kind, expanded placeholder)` of media before the text, or
        after it."""
        media = "".join(mark for _, mark in marks)
        self.segments.append((user_turn(text + media if after else media + text) + "<|turn>model\n", False))
        said, shown = [{"type": "text", "text": text}], [{"type": kind} for kind, _ in marks]
        content = (said + shown if after else shown + said) if marks else text
        self.messages.append({"role": "user", "content": content})
        return self

    def ask(self, question: str, answer: str, thinks: str = "", marks: tuple = (), after: bool = False) -> "Builder":
        """A question and its answer; may be repeated, every answer is a target."""
        if self.segments[-1][1]:
            self.segments.append(("\n", False))
        return self.user(question, marks, after).answer(answer, thinks)

    def past(self, text: str) -> "Builder":
        """A finished model turn of the past: no target, thoughts already dropped."""
        self.segments.append((f"{text}<turn|>\n", False))
        self.messages.append({"role": "assistant", "content": text})
        return self

    def answer(self, text: str, thinks: str = "") -> "Builder":
        """The answer that ends a turn."""
        self.segments.append(((thought(thinks) if self.thinking else "") + f"{text}<turn|>", True))
        self.messages.append({"role": "assistant", "content": text, **self.reasoning(thinks)})
        return self

    def calls(self, calls: list[tuple[str, dict]], results: list[str], thinks: str = "") -> "Builder":
        """Calls and their results. Afterwards the model goes on in the same turn."""
        text = "".join(call(name, arguments) for name, arguments in calls)
        self.segments.append(((thought(thinks) if self.thinking else "") + text + "<|tool_response>", True))
        replies = "".join(response(name, result) for (name, _), result in zip(calls, results))
        self.segments.append((replies.removeprefix("<|tool_response>"), False))
        requests = [
            {"id": f"call_{i}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for i, (name, arguments) in enumerate(calls)
        ]
        self.messages.append({"role": "assistant", "tool_calls": requests, **self.reasoning(thinks)})
        for i, result in enumerate(results):
            self.messages.append({"role": "tool", "tool_call_id": f"call_{i}", "content": result})
        return self

    def answer_from_results(self, text: str, thinks: str = "") -> "Builder":
        """The answer after tool results; with thinking on, the prompt has already opened the thought."""
        if self.thinking:
            self.segments.append(("<|channel>thought\n", False))
            self.segments.append((f"{thinks}\n<channel|>{text}<turn|>", True))
        else:
            self.segments.append((f"{text}<turn|>", True))
        self.messages.append({"role": "assistant", "content": text, **self.reasoning(thinks)})
        return self
