"""Makes templates.jsonl: what transformers makes of the small templates beside it, for conversations of the corpus.

    python make_templates.py

One line a case: {"template", "request", "text"}; the text is null where the template refuses.
Made with transformers 5.23.0.
"""

import json
import pathlib

from habits import put_right
from transformers.utils.chat_template_utils import render_jinja_template

FOLDER = pathlib.Path(__file__).parent
TOPICS = ("turns", "calls", "tools", "habits", "issues")
THOUGHTS = ("reasoning", "reasoning_content", "thinking")
# A guest sees media by their kind, and no part of an unknown one.
PARTS = {"text": "text", "image": "image", "image_url": "image", "audio": "audio", "input_audio": "audio", "video": "video"}
# Data images have bytes, which no template shows.
SKIPPED = ("data:",)


def main():
    lines = [line for topic in TOPICS for line in (FOLDER / "renders" / f"{topic}.jsonl").read_text().splitlines()]
    requests = [json.loads(line)["request"] for line in lines if not any(word in line for word in SKIPPED)]
    with (FOLDER / "templates.jsonl").open("w") as out:
        for path in sorted((FOLDER / "templates").glob("*.jinja")):
            for request in requests[::4]:
                case = {"template": path.stem, "request": request, "text": rendered(path.read_text(), request)}
                out.write(json.dumps(case, ensure_ascii=False) + "\n")


def rendered(template, request):
    right, _ = put_right(request)
    calls = [call for message in right["messages"] for call in message.get("tool_calls") or []]
    if not all(isinstance(call["function"]["arguments"], dict) for call in calls):
        return None  # refused by the host before the template is reached
    for message in right["messages"]:
        message.setdefault("content", None)
        if isinstance(message["content"], list):
            message["content"] = [seen(part) for part in message["content"] if part["type"] in PARTS]
        # A message has one thought, whatever it was sent as; the guest offers it under each name.
        names = [name for name in THOUGHTS if message.get(name)]
        message |= {name: message[names[0]] for name in THOUGHTS if names}
    try:
        texts, _ = render_jinja_template(
            conversations=[right["messages"]],
            tools=right.get("tools"),
            chat_template=template,
            add_generation_prompt=right.get("add_generation_prompt", True),
            bos_token="<bos>",
            enable_thinking=right.get("enable_thinking", False),
            preserve_thinking=right.get("preserve_thinking", False),
        )
    except Exception:  # any refusal counts, whatever its type
        return None
    return texts[0]


def seen(part):
    kind = {"type": PARTS[part["type"]]}
    return kind | ({"text": part["text"]} if kind["type"] == "text" else {})


if __name__ == "__main__":
    main()
