"""Skill 2 and 3: tool calls, with and without thinking."""

from __future__ import annotations

import random

import intents
from intents import INTENTS, Intent
from render import Builder, Tool

# Two requests in one message, (trained, held out).
PAIR_SHARE = (0.35, 0.25)
NO_TOOL = "Sorry, I have no tool for that."


class Request:
    """One intent with a declaration, values and a sentence of the user."""

    def __init__(self, rng: random.Random, intent: Intent, held: bool, shipped: bool = False):
        self.intent = intent
        shipped = shipped and intent.label in intents.SHIPPED
        self.tool, self.keys = intents.SHIPPED[intent.label] if shipped else intents.draw_tool(rng, intent, held)
        self.draw(rng, held)

    def draw(self, rng: random.Random, held: bool) -> "Request":
        """New values for the same tool."""
        kinds = [kind for _, _, _, kind in self.intent.slots]
        self.values = [intents.draw_value(rng, kind, held) for kind in kinds]
        said = [intents.spoken(rng, kind, value) for kind, value in zip(kinds, self.values)]
        self.sentence = rng.choice(self.intent.asks).format(*said)
        arguments = dict(zip(self.keys, self.values))
        if self.tool is intents.CLOCK and rng.random() < 0.35:
            arguments = {"offset": intents.offset(rng)}
            self.sentence = rng.choice(intents.OFFSET_ASKS).format(arguments["offset"])
        self.fields = intents.result_fields(rng, held)
        self.result = intents.result_text(rng, self.intent, self.values, self.fields)
        self.call = (self.tool.name, arguments)
        self.aim = self.intent.aim.format(*self.values)
        self.reply = self.intent.reply.format(*self.values, **self.fields)
        return self

    def again(self, rng: random.Random, held: bool) -> "Request":
        """A second request to the same tool."""
        twin = object.__new__(Request)
        twin.intent, twin.tool, twin.keys = self.intent, self.tool, self.keys
        return twin.draw(rng, held)


def other_tools(rng: random.Random, used: list[Intent], held: bool, count: int, taken: set[str]) -> list[Tool]:
    """Distractors: declarations of other intents, names apart. Often they are just the two that a host ships with."""
    if count and rng.random() < 0.3:
        pair = [intents.SHIPPED[label][0] for label in ("sum", "time") if label not in {i.label for i in used}]
        pair = [tool for tool in pair if tool.name not in taken]
        taken.update(tool.name for tool in pair)
        return pair
    free = [intent for intent in INTENTS if intent not in used]
    tools = []
    for intent in rng.sample(free, count):
        request = Request(rng, intent, held, shipped=rng.random() < 0.2)
        if request.tool.name not in taken:
            taken.add(request.tool.name)
            tools.append(request.tool)
    return tools


def draw_requests(rng: random.Random, held: bool, count: int, shipped: bool) -> list[Request]:
    """`count` requests; two may go to the same tool."""
    pool = [i for i in INTENTS if i.label in intents.SHIPPED] if shipped else list(INTENTS)
    first = Request(rng, rng.choice(pool), held, shipped)
    if count == 1:
        return [first]
    if first.intent.slots and rng.random() < 0.5:
        return [first, first.again(rng, held)]
    second = Request(rng, rng.choice([i for i in INTENTS if i is not first.intent]), held, shipped)
    return [first] if second.tool.name == first.tool.name else [first, second]


def together(rng: random.Random, requests: list[Request]) -> str:
    """One message of the user for all requests."""
    if len(requests) == 1:
        return requests[0].sentence
    first, second = (request.sentence for request in requests)
    return rng.choice((f"{first} {second}", f"{first} And: {second}", f"{first} Then: {second}"))


def aims(requests: list[Request]) -> str:
    """What a thought says before the calls."""
    wants = " and ".join(request.aim for request in requests)
    names = list(dict.fromkeys(request.tool.name for request in requests))
    return f"The user wants {wants}. The tool {' and '.join(names)} can do it."


def system_text(rng: random.Random) -> str:
    """Mostly nothing; now and then an ordinary line."""
    lines = ("You are a helpful assistant.", "Use the tools when they help.", "You are Lapidary's small model.")
    return rng.choice(lines) if rng.random() < 0.2 else ""


def tool_call(rng: random.Random, held: bool, level: int) -> Builder:
    """One or two calls, results, an answer; a fifth of the results are errors."""
    count = 2 if level > 0 and rng.random() < PAIR_SHARE[held] else 1
    shipped = rng.random() < 0.28
    requests = draw_requests(rng, held, count, shipped)
    used = [request.intent for request in requests]
    tools = list({request.tool.name: request.tool for request in requests}.values())
    spare = rng.choice((0, 0, 1, 1, 2)) if level > 0 else rng.choice((0, 0, 0, 1))
    tools += other_tools(rng, used, held, max(0, spare + 1 - len(tools)), {tool.name for tool in tools})
    rng.shuffle(tools)
    build = Builder(system_text(rng), tools, rng.random() < 0.4, skill="tool_call")
    build.user(together(rng, requests))
    return finish(rng, build, requests)


def finish(rng: random.Random, build: Builder, requests: list[Request]) -> Builder:
    """Calls, results and answer; an error result replaces the first result sometimes."""
    results, replies = [request.result for request in requests], [request.reply for request in requests]
    after = "The tool has answered. I can tell the user."
    if rng.random() < 0.15:
        error = rng.choice(intents.ERRORS)
        results[0] = rng.choice((f"error: {error}", '{"error": "' + error + '"}'))
        replies[0] = f"Sorry, that failed: {error}."
        after = "The tool has failed. I must tell the user."
        build.skill = "tool_error"
    build.calls([request.call for request in requests], results, aims(requests))
    return build.answer_from_results(" ".join(replies), after)


def no_fit(rng: random.Random, held: bool, level: int) -> Builder:
    """A request that none of the declared tools can serve."""
    wanted = Request(rng, rng.choice(INTENTS), held)
    tools = other_tools(rng, [wanted.intent], held, rng.choice((0, 1, 1, 2) if level else (0, 1, 1)), set())
    build = Builder(system_text(rng), tools, rng.random() < 0.4, skill="no_fit").user(wanted.sentence)
    return build.answer(NO_TOOL, f"The user wants {wanted.aim}. No tool can do it.")


def distractors(rng: random.Random, held: bool) -> list[Tool]:
    """Some tools for a conversation that needs none."""
    return other_tools(rng, [], held, rng.choice((1, 1, 2)), set())
