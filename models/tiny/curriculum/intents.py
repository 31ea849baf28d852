"""What a user may want of a tool: names, parameters and phrasings, from which declarations and requests are drawn."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

import words
from render import Tool


@dataclass(frozen=True)
class Intent:
    """`slots` are `(keys, description, type, kind of value)`; `asks` use `{0}`, `{1}` for the slots; `aim` completes
    "The user wants …"; `reply` turns values and result fields into the answer."""

    label: str
    names: str
    descriptions: tuple[str, ...]
    slots: tuple[tuple[str, str, str, str], ...]
    asks: tuple[str, ...]
    aim: str
    reply: str


INTENTS = (
    Intent("weather", "get_weather weather current_weather weather_report check_weather forecast",
           ("Tells the current weather of a city.", "Gets the weather for a place.", "Weather in a city right now."),
           (("city location place town", "The city.", "string", "city"),),
           ("What is the weather in {0}?", "How is the weather in {0} today?", "Is it raining in {0}?",
            "Tell me the weather in {0}.", "What is the weather like in {0}?", "Weather in {0}, please."),
           "the weather in {0}", "It is {condition} in {0}, {degrees} degrees."),
    Intent("sum", "calculator calculate evaluate compute math",
           ("Evaluates an arithmetic expression and returns the number.", "Calculates an expression.",
            "Works out a sum."),
           (("expression formula input", "The expression to evaluate.", "string", "expression"),),
           ("What is {0}?", "Calculate {0}.", "How much is {0}?", "Please work out {0}.", "Compute {0} for me."),
           "a calculation", "{0} is {number}."),
    Intent("timer", "set_timer start_timer timer countdown",
           ("Starts a timer.", "Sets a countdown timer."),
           (("minutes duration length", "Minutes to wait.", "integer", "integer"),),
           ("Set a timer for {0} minutes.", "Start a timer of {0} minutes.", "Remind me in {0} minutes."),
           "a timer", "The timer is set for {0} minutes."),
    Intent("message", "send_message send_text message_contact send_note",
           ("Sends a message to a person.", "Sends a text to somebody."),
           (("recipient to contact person", "Who gets it.", "string", "name"),
            ("text body content message", "What to say.", "string", "phrase")),
           ('Tell {0}: "{1}".', 'Send {0} the message "{1}".', 'Write "{1}" to {0}.', 'Text {0} "{1}".'),
           "a message sent to {0}", "I sent the message to {0}."),
    Intent("song", "play_music play_song start_music play",
           ("Plays music.", "Plays a song by its title."),
           (("title song track", "The song.", "string", "phrase"),),
           ("Play {0}.", "Play the song {0}.", "I want to hear {0}.", "Put on {0}, please."),
           "some music", "Now playing {0}."),
    Intent("light", "set_light switch_light light_control turn_light",
           ("Switches a light.", "Turns the light of a room on or off."),
           (("room place", "The room.", "string", "room"), ("state mode", "On or off.", "string", "state")),
           ("Turn {1} the light in the {0}.", "Switch the {0} light {1}.", "Light {1} in the {0}, please."),
           "the light {1}", "The light in the {0} is {1}."),
    Intent("shopping", "add_item add_to_list shopping_list list_add",
           ("Adds an item to the shopping list.", "Puts something on the list."),
           (("item name thing", "What to buy.", "string", "phrase"),
            ("quantity count amount", "How many.", "integer", "integer")),
           ("Add {1} {0} to the shopping list.", "Put {1} {0} on the list.", "We need {1} {0}, add it to the list."),
           "something on the list", "I added {1} {0} to the list."),
    Intent("stock", "stock_price get_price share_price quote",
           ("Looks up the price of a share.", "Gets a stock price."),
           (("company symbol name", "The company.", "string", "proper"),),
           ("What is the share price of {0}?", "How much is a share of {0}?", "Price of {0} stock?"),
           "a share price", "A share of {0} costs {number}."),
    Intent("define", "define_word dictionary look_up definition",
           ("Explains a word.", "Looks up a word in the dictionary."),
           (("word term", "The word.", "string", "word"),),
           ("What does {0} mean?", "Define {0}.", "Look up the word {0}.", "Explain the word {0}."),
           "the meaning of a word", "{0} means {phrase}."),
    Intent("convert", "convert_units convert unit_converter",
           ("Converts between units.", "Converts an amount to another unit."),
           (("amount value number", "How much.", "number", "integer"), ("source from_unit", "Unit now.", "string", "unit"),
            ("target to_unit", "Unit wanted.", "string", "unit")),
           ("Convert {0} {1} to {2}.", "How many {2} are {0} {1}?", "What is {0} {1} in {2}?"),
           "units converted", "{0} {1} are {number} {2}."),
    Intent("alarm", "set_alarm wake_up alarm",
           ("Sets an alarm.", "Wakes the user at a time."),
           (("time at hour", "The time.", "string", "clock"),),
           ("Wake me at {0}.", "Set an alarm for {0}.", "I must get up at {0}."),
           "an alarm", "The alarm is set for {0}."),
    Intent("search", "search_files find_file search file_search",
           ("Searches the files.", "Finds files by name."),
           (("query pattern text", "What to look for.", "string", "phrase"),),
           ("Find files about {0}.", "Search for {0}.", "Where is the file {0}?", "Look for {0} in my files."),
           "a search", "I found {integer} files for {0}."),
    Intent("table", "book_table reserve_table reservation",
           ("Books a table.", "Reserves a table in a restaurant."),
           (("restaurant place venue", "The restaurant.", "string", "proper"),
            ("people guests seats", "How many people.", "integer", "integer")),
           ("Book a table for {1} at {0}.", "Reserve a table at {0} for {1} people.", "Table for {1} at {0}, please."),
           "a table at {0}", "A table for {1} at {0} is booked."),
    Intent("translate", "translate translate_text translator",
           ("Translates a text.", "Translates text into a language."),
           (("text source", "The text.", "string", "phrase"), ("language target", "The language.", "string", "language")),
           ('Translate "{0}" into {1}.', 'How do you say "{0}" in {1}?', 'What is "{0}" in {1}?'),
           "a translation", 'In {1} it is "{phrase}".'),
    Intent("time", "current_time clock get_time time_now",
           ("Tells the current date, time and weekday.", "Gives the current time.", "Tells the time."), (),
           ("What time is it?", "What is the time now?", "Tell me the time.", "Which day is it today?",
            "What is the date today?", "Can you tell me the time, please?"),
           "the time", "It is {moment}."),
)
# Shares of names that say something, (trained, held out): training has more of the hard ones.
PLAIN_NAME_SHARE = (0.55, 0.7)
PLAIN_KEY_SHARE = (0.76, 0.88)
CONDITIONS = "sunny cloudy rainy snowy windy foggy stormy clear dry wet".split()
UNITS = "miles kilometres metres feet inches pounds kilos grams litres gallons hours minutes days".split()
ROOMS = "kitchen bedroom bathroom hall garage office garden library".split()
LANGUAGES = "French German Spanish Italian Danish Polish Greek Turkish".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
ERRORS = ("not found", "no connection", "service is down", "access denied", "timed out", "unknown place", "no answer")


def draw_value(rng: random.Random, kind: str, held: bool):
    """One value for a slot."""
    makers = {
        "city": lambda: words.proper(rng, held, words.CITIES), "name": lambda: words.proper(rng, held, words.NAMES),
        "proper": lambda: words.proper(rng, held, words.NAMES, 0.9), "phrase": lambda: words.phrase(rng, held),
        "word": lambda: words.phrase(rng, held, 1, 1), "integer": lambda: words.number(rng, held),
        "expression": lambda: expression(rng, held), "room": lambda: rng.choice(ROOMS),
        "state": lambda: rng.choice(("on", "off")), "unit": lambda: rng.choice(UNITS),
        "language": lambda: rng.choice(LANGUAGES),
        "clock": lambda: f"{rng.randint(0, 23)}:{rng.randint(0, 59):02d}",
    }
    return makers[kind]()


def expression(rng: random.Random, held: bool) -> str:
    """An arithmetic expression in digits and signs, now and then with brackets or a function."""
    if rng.random() < 0.2:
        inner = f"{words.number(rng, held)} {rng.choice('+-*/')} {words.number(rng, held)}"
        form = rng.choice(("({}) {} {}", "({}) {} {}", "sqrt({})", "abs({})", "round({})"))
        return form.format(inner, rng.choice("+-*/"), words.number(rng, held))
    parts = [str(words.number(rng, held))]
    for _ in range(rng.choice((1, 1, 1, 2))):
        parts += [rng.choice("+-*/"), str(words.number(rng, held))]
    return " ".join(parts)


SPOKEN = {"+": ("plus", "+"), "-": ("minus", "-"), "*": ("times", "*", "multiplied by"), "/": ("divided by", "/")}


def spoken(rng: random.Random, kind: str, value) -> str:
    """How the user writes a value: signs may be words."""
    if kind != "expression":
        return str(value)
    style = rng.random()
    return " ".join(
        (SPOKEN[part][0] if style < 0.6 else rng.choice(SPOKEN[part])) if part in SPOKEN else part
        for part in value.split(" ")
    )


def invented_name(rng: random.Random, held: bool) -> str:
    """A tool name that says nothing: only the description tells what it does."""
    return rng.choice(("", "do_", "tool_", "x_")) + words.made_up(rng, held)


def draw_tool(rng: random.Random, intent: Intent, held: bool) -> tuple[Tool, list[str]]:
    """A declaration of an intent, and the parameter names in slot order."""
    plain = rng.random() < PLAIN_NAME_SHARE[held]
    name = rng.choice(intent.names.split()) if plain else invented_name(rng, held)
    parameters, keys = {}, []
    for options, description, kind, values in intent.slots:
        # A name that says nothing needs its description, or nobody could tell what it is for.
        plain_key = rng.random() < PLAIN_KEY_SHARE[held]
        key = rng.choice(options.split()) if plain_key else words.made_up(rng, held)
        if key in parameters:
            key = f"{key}_2"
        keys.append(key)
        enum = ["on", "off"] if values == "state" and rng.random() < 0.5 else None
        parameters[key] = (kind, description if rng.random() < 0.7 or not plain_key else "", enum)
    return Tool(name, rng.choice(intent.descriptions), parameters), keys


# The tools that Lapidary ships, declared as guests/tool-*/src declare them.
CALCULATOR = Tool(
    "calculator", "Evaluates an arithmetic expression and returns the number.",
    {"expression": ("string", (
        "The expression to evaluate, such as (2 + 3) * sqrt(16) / 4. Operators: + - * / % ^. Functions: sqrt, abs, min, "
        "max, round, floor, ceil, pow, exp, ln, log10, log2, sin, cos, tan. Constants: pi, e."), None)})
CLOCK = Tool(
    "current_time", "Tells the current date, time and weekday.",
    {"offset": ("string", (
        "The offset from UTC to tell the time in, such as UTC, +02:00 or -05:30. Left out: the local time of the "
        "machine."), None)}, ("offset",))
WEATHER = Tool("weather", "Tells the weather of a city.", {"city": ("string", "The city.", None)})
SHIPPED = {"sum": (CALCULATOR, ["expression"]), "time": (CLOCK, []), "weather": (WEATHER, ["city"])}
OFFSET_ASKS = ("What time is it at {0}?", "What is the time at UTC offset {0}?", "Tell me the time for {0}.")


def offset(rng: random.Random) -> str:
    """An offset from UTC."""
    return f"{rng.choice('+-')}{rng.randint(0, 12):02d}:{rng.choice((0, 0, 30)):02d}"


def result_fields(rng: random.Random, held: bool) -> dict:
    """Everything a result may carry."""
    day, month, hour = rng.randint(1, 28), rng.randint(1, 12), rng.randint(0, 23)
    stamp = f"20{rng.randint(24, 39)}-{month:02d}-{day:02d}"
    weekday, minute = rng.choice(DAYS), rng.randint(0, 59)
    clock = f"{hour:02d}:{minute:02d}"
    iso = f"{stamp}T{clock}:{rng.randint(0, 59):02d}{offset(rng)}, {weekday}"
    raw = rng.choice((iso, iso, clock, f"{weekday} {stamp} {clock}"))
    number = rng.choice((words.number(rng, held), words.number(rng, held) + 0.5, words.number(rng, held, 999)))
    return {
        "condition": rng.choice(CONDITIONS), "degrees": rng.randint(-20, 40), "number": number,
        "integer": rng.randint(0, 30), "phrase": words.phrase(rng, held),
        "raw": raw, "moment": clock if raw == clock else f"{clock} on {weekday}",
    }


def result_text(rng: random.Random, intent: Intent, values: list, fields: dict) -> str:
    """What the tool returns: plain text or JSON, with what the answer needs."""
    wanted = [name for name in fields if "{" + name + "}" in intent.reply]
    if not wanted:
        return rng.choice(("ok", "done", '{"ok": true}', '{"status": "done"}', "success"))
    if intent.label == "weather":
        plain = f"{fields['condition']}, {fields['degrees']} degrees"
        known = {"city": values[0], "condition": fields["condition"], "degrees": fields["degrees"]}
        return rng.choice((plain, json.dumps(known), f"{values[0]}: {plain}", json.dumps(known)))
    if intent.label == "time":
        return rng.choice((fields["raw"], fields["raw"], json.dumps({"time": fields["raw"]})))
    name = wanted[0]
    key = {"number": "result", "integer": "count", "phrase": "text"}[name]
    return rng.choice((str(fields[name]), str(fields[name]), json.dumps({key: fields[name]})))
