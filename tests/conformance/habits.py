"""Conversations as clients keep them, put the way the model speaks: the same habits as `guests/gemma4` and the host
understand, written a second time, so that the corpus does not check the one with itself."""

import copy
import json

TEXTS = ("text", "input_text", "output_text")
MEDIA = ("image", "image_url", "audio", "input_audio", "video")


def put_right(request):
    """The request that transformers is asked to render, and the names of the habits found in the given one."""
    right, habits = copy.deepcopy(request), []
    for message in right["messages"]:
        fields(message, habits)
    right["messages"] = settled(structured(right["messages"], habits), right, habits)
    return right, sorted(set(habits))


def fields(message, habits):
    """What is put right inside of one message."""
    if message.get("role") == "model":
        message["role"] = "assistant"
        habits.append("model-role")
    if isinstance(message.get("content"), list):
        for part in message["content"]:
            if part.get("type") != "text" and part.get("type", "text") in TEXTS:
                part["type"] = "text"
                habits.append("text-part-names")
            if part.get("type") == "video_url":
                part["type"] = "video"
                habits.append("video-url")
    for call in message.get("tool_calls") or []:
        arguments = parsed(call["function"]["arguments"])
        if call["function"]["arguments"] is None:
            call["function"]["arguments"] = {}
        if isinstance(arguments, dict):
            call["function"]["arguments"] = arguments
            habits.append("arguments-as-text")


def parsed(arguments):
    if not isinstance(arguments, str):
        return None
    try:
        return json.loads(arguments) if arguments.strip() else {}
    except ValueError:
        return None


def structured(messages, habits):
    """Objects as results, which the template takes inside of the assistant's message only."""
    made, rest = [], list(messages)
    while rest:
        message = rest.pop(0)
        made.append(message)
        results = []
        while message.get("tool_calls") and len(results) < len(rest) and rest[len(results)]["role"] == "tool":
            results.append(rest[len(results)])
        if any(isinstance(result["content"], dict) for result in results):
            message["tool_responses"] = [response(message["tool_calls"], result) for result in results]
            del rest[: len(results)]
            habits.append("object-as-result")
    return made


def response(calls, result):
    names = [call["function"]["name"] for call in calls if call.get("id") == result.get("tool_call_id")]
    return {"name": names[-1] if names else result.get("name"), "response": result["content"]}


def settled(messages, request, habits):
    """Text before calls in a message of its own; calls that the conversation went on without, answered by null."""
    made = []
    for index, message in enumerate(messages):
        last = index + 1 == len(messages)
        calls = message["role"] == "assistant" and message.get("tool_calls")
        if not calls:
            made.append(message)
            continue
        continued = last and request.get("continue_final_message", False)
        if says(message.get("content")) and not continued:
            past = any(later["role"] == "user" for later in messages[index:])
            made += split(message, past and request.get("preserve_thinking", False))
            habits.append("text-and-calls")
        else:
            made.append(message)
        if not last and messages[index + 1]["role"] != "tool" and "tool_responses" not in message:
            made += [unanswered(call) for call in calls]
            habits.append("dangling-calls")
    return made


def unanswered(call):
    return {"role": "tool", "name": call["function"]["name"], "content": None, "tool_call_id": call.get("id")}


def says(content):
    if isinstance(content, str):
        return bool(spoken(content))
    parts = content or []
    return any(bool(spoken(part["text"])) if part["type"] == "text" else part["type"] in MEDIA for part in parts)


def spoken(text):
    return "".join(part.split("<|channel>")[0] for part in text.split("<channel|>")).strip()


def split(message, thought_with_calls):
    without = lambda *keys: {key: value for key, value in message.items() if key not in keys}
    thoughts = ("reasoning", "reasoning_content", "thinking")
    said = without("tool_calls", "tool_responses", *(thoughts if thought_with_calls else ()))
    return [said, {**without(*(() if thought_with_calls else thoughts)), "content": None}]
