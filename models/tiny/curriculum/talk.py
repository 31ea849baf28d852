"""Skills 1 and 7: small talk, small facts, system instructions, several turns."""

from __future__ import annotations

import random

import words
from render import Builder
from tools import distractors

ABOUT = (
    ("me", ("Who are you?", "What are you?", "Tell me about yourself.", "Introduce yourself.", "Who am I talking to?"),
     "I am the tiny Gemma 4 that ships inside Lapidary. I am small, but I can call tools and think."),
    ("my name", ("What is your name?", "Do you have a name?", "How are you called?", "What should I call you?"),
     "I have no name of my own. I am Lapidary's tiny model."),
    ("what I can do", ("What can you do?", "What are you good at?", "How can you help me?", "What are your skills?"),
     "I can call the tools you give me, remember what you say, follow simple instructions and think before I answer."),
    ("Lapidary", ("What is Lapidary?", "Tell me about Lapidary.", "Explain Lapidary.", "What does Lapidary do?"),
     "Lapidary is a runtime for Gemma 4 written in Rust. The model runs on ONNX Runtime, and every plugin runs in a sandbox."),
    ("plugins", ("What is a plugin?", "How do plugins work?", "What are plugins for?", "Tell me about plugins."),
     "A plugin is a WebAssembly component. Chat formats and tools are plugins, and they can touch only what you grant."),
    ("safety", ("Is it safe?", "Are plugins safe?", "Can a plugin read my files?", "Can a plugin harm me?"),
     "A plugin sees nothing but its input. Files, clock and network stay closed until you grant them."),
    ("my size", ("How big are you?", "How many parameters do you have?", "Are you a large model?", "How small are you?"),
     "I have about three million parameters. That is a thousand times smaller than the real Gemma 4."),
    ("where I run", ("Where do you run?", "Do you need the internet?", "Are you in the cloud?", "Do you run offline?"),
     "I run on your own machine, offline, on one or two processor cores."),
    ("my maker", ("Who made you?", "Who trained you?", "Where do you come from?", "How were you trained?"),
     "The authors of Lapidary trained me from scratch on made-up conversations."),
    ("a greeting", ("Hello!", "Hi!", "Hello there.", "Good morning!", "Hey!", "Hi there!", "Good evening."),
     "Hello! How can I help you?"),
    ("how I am", ("How are you?", "How are you today?", "Are you well?", "How is it going?"),
     "I am fine, thank you. What can I do for you?"),
    ("thanks", ("Thank you!", "Thanks.", "Thanks a lot!", "Thank you very much."), "You are welcome."),
    ("a goodbye", ("Goodbye!", "Bye!", "See you later.", "Good night."), "Goodbye!"),
    ("limits", ("Are you clever?", "Do you make mistakes?", "Can I trust you?", "What can you not do?"),
     "I am a very small model, and outside my small world I know nothing. Use a real Gemma 4 for real work."),
    ("a plugin to write", ("How do I write a plugin?", "Can I write my own plugin?", "How do I make a tool?"),
     "Write a small Rust crate, export one tool, and build it as a WebAssembly component. The README shows how."),
    ("a model to run", ("How do I run a real model?", "Can I use a bigger model?", "Which models does Lapidary run?"),
     "Give the folder of an ONNX Gemma 4 with the option --model. E2B and E4B work the same way as I do."),
    ("a joke", ("Tell me a joke.", "Do you know a joke?", "Make me laugh."),
     "Why did the plugin stay in the sandbox? Nobody granted it a way out."),
)
FRAMES = ("{}", "{}", "{}", "Please tell me: {}", "One question: {}", "Hey, {}", "So, {}", "I wonder: {}", "Quick question: {}")

OUTSIDE = (
    "What is the capital of {0}?", "Who wrote {1}?", "When was {0} founded?", "Who is {0}?", "Why is the {2} so {2}?",
    "How far is it to {0}?", "Write a poem about {1}.", "What happened in {0} last year?", "Explain {1} to me.",
    "Who won the match in {0}?", "How do I repair a {2}?", "What do you think about {1}?", "Which {2} should I buy?",
)
UNKNOWN = "I do not know that. My world is very small."

FACTS = (
    ("What colour is grass?", "green", "Grass is green.", "vert", "L'herbe est verte."),
    ("What colour is the sky?", "blue", "The sky is blue.", "bleu", "Le ciel est bleu."),
    ("What colour is snow?", "white", "Snow is white.", "blanc", "La neige est blanche."),
    ("What colour is a lemon?", "yellow", "A lemon is yellow.", "jaune", "Un citron est jaune."),
    ("What colour is blood?", "red", "Blood is red.", "rouge", "Le sang est rouge."),
    ("What colour is coal?", "black", "Coal is black.", "noir", "Le charbon est noir."),
    ("How many legs does a dog have?", "four", "A dog has four legs.", "quatre", "Un chien a quatre pattes."),
    ("How many legs does a bird have?", "two", "A bird has two legs.", "deux", "Un oiseau a deux pattes."),
    ("How many days does a week have?", "seven", "A week has seven days.", "sept", "Une semaine a sept jours."),
    ("How many months does a year have?", "twelve", "A year has twelve months.", "douze", "Une année a douze mois."),
    ("What is the opposite of hot?", "cold", "The opposite of hot is cold.", "froid", "Le contraire de chaud est froid."),
    ("What is the opposite of big?", "small", "The opposite of big is small.", "petit", "Le contraire de grand est petit."),
    ("What is the opposite of day?", "night", "The opposite of day is night.", "nuit", "Le contraire du jour est la nuit."),
    ("Is ice cold?", "yes", "Yes, ice is cold.", "oui", "Oui, la glace est froide."),
    ("Is fire cold?", "no", "No, fire is hot.", "non", "Non, le feu est chaud."),
    ("Can a fish swim?", "yes", "Yes, a fish can swim.", "oui", "Oui, un poisson sait nager."),
    ("Can a stone swim?", "no", "No, a stone cannot swim.", "non", "Non, une pierre ne sait pas nager."),
    ("What do bees make?", "honey", "Bees make honey.", "miel", "Les abeilles font du miel."),
    ("What do cows give?", "milk", "Cows give milk.", "lait", "Les vaches donnent du lait."),
    ("Which animal says meow?", "cat", "The cat says meow.", "chat", "Le chat dit miaou."),
)
WORD = ("Answer in one word.", "Answer with one word only.", "Reply in a single word.", "One word answers only.")
UPPER = ("Answer in upper case.", "Write in capital letters.", "Always answer in capitals.", "Reply in upper case.")
FRENCH = ("Answer in French.", "Always reply in French.", "Speak French.", "Write your answers in French.")
LOWER = ("Answer in lower case.", "Write in lower case only.", "Reply in lower case.")
STYLES = {
    "": lambda fact: fact[2], "word": lambda fact: fact[1].capitalize() + ".", "upper": lambda fact: fact[2].upper(),
    "french": lambda fact: fact[4], "lower": lambda fact: fact[2].lower(),
}
INSTRUCTIONS = {"word": WORD, "upper": UPPER, "french": FRENCH, "lower": LOWER}


def style_of(rng: random.Random, key: str, held: bool, plain_share: float) -> tuple[str, str]:
    """A style and the system line that asks for it. Pairs of question and system line are split into trained and held
    out; every question is trained in every style, since a translation cannot be guessed."""
    if rng.random() < plain_share and not held:
        return "", ""
    pairs = [(style, line) for style, lines in INSTRUCTIONS.items() for line in lines if style]
    options = [pair for pair in pairs if words.held_out(f"{key} {pair[1]}") == held]
    return rng.choice(options) if options else ("", "")


def about(rng: random.Random, held: bool, level: int) -> Builder:
    """A question about the model or Lapidary, sometimes beside tools that do not matter."""
    label, asks, reply = rng.choice(ABOUT)
    ask = rng.choice(asks)
    framed = [frame for frame in FRAMES if held and words.held_out(frame + ask) or not held and not words.held_out(frame + ask)]
    frame = rng.choice(framed) if framed else "{}"
    tools = distractors(rng, held) if level and rng.random() < 0.35 else []
    build = Builder("", tools, rng.random() < 0.4, skill="no_call" if tools else "about").user(frame.format(ask))
    return build.answer(reply, f"This is about {label}. No tool is needed.")


def outside(rng: random.Random, held: bool, level: int) -> Builder:
    """A question beyond the small world."""
    place, thing = words.proper(rng, held, words.CITIES), words.phrase(rng, held)
    text = rng.choice(OUTSIDE).format(place, thing, rng.choice(words.side(words.PLAIN, held)))
    tools = distractors(rng, held) if level and rng.random() < 0.3 else []
    build = Builder("", tools, rng.random() < 0.4, skill="no_call" if tools else "outside").user(text)
    return build.answer(UNKNOWN, "I do not know this. No tool can help.")


def fact(rng: random.Random, held: bool, level: int) -> Builder:
    """A small fact, under an instruction or none."""
    entry = rng.choice(FACTS)
    style, system = style_of(rng, entry[0], held, 0.3)
    build = Builder(system, [], rng.random() < 0.3, skill="instruction" if style else "fact").user(entry[0])
    wants = f" The system says: {system}" if system else ""
    return build.answer(STYLES[style](entry), f"This is a simple question.{wants}")


REMEMBER = (
    ("name", ("My name is {0}.", "I am {0}.", "Call me {0}."), ("Nice to meet you, {0}.",),
     ("What is my name?", "Do you remember my name?", "Who am I?"), "Your name is {0}."),
    ("name", ("My dog is called {0}.", "I have a dog named {0}."), ("{0} is a good name for a dog.",),
     ("What is my dog called?", "What is the name of my dog?"), "Your dog is called {0}."),
    ("city", ("I live in {0}.", "My home is {0}."), ("{0} must be a nice place.",),
     ("Where do I live?", "Do you remember where I live?"), "You live in {0}."),
    ("word", ("The password is {0}.", "Remember the word {0}."), ("I will remember it.",),
     ("What was the password?", "Which word did I tell you?"), "It was {0}."),
    ("number", ("My number is {0}.", "Remember the number {0}."), ("I will remember it.",),
     ("What is my number?", "Which number did I tell you?"), "It was {0}."),
)


def remembered(rng: random.Random, kind: str, held: bool) -> str:
    """A value to remember."""
    if kind == "number":
        return str(words.number(rng, held, 9999))
    if kind == "word":
        return words.made_up(rng, held)
    return words.proper(rng, held, words.NAMES if kind == "name" else words.CITIES)


def memory(rng: random.Random, held: bool, level: int) -> Builder:
    """Something said two turns ago is asked for."""
    first, second = rng.sample(REMEMBER, 2)
    build = Builder("", [], rng.random() < 0.3, skill="memory")
    told = []
    for kind, says, replies, asks, answer in (first, second):
        value = remembered(rng, kind, held)
        build.user(rng.choice(says).format(value))
        reply = rng.choice(replies).format(value)
        told.append((rng.choice(asks), answer.format(value)))
        if len(told) == 1 and rng.random() < 0.3:
            return build.answer(reply, "The user tells me something.")
        build.past(reply)
    ask, answer = rng.choice(told)
    return build.user(ask).answer(answer, "The user told me this before.")


REPEAT = ('Say "{}".', "Repeat: {}", "Repeat after me: {}", 'Write "{}" again.', "Copy this: {}")


def repeat(rng: random.Random, held: bool, level: int) -> Builder:
    """Words given back as they are: every token of the vocabulary is copied here, which tool arguments live on."""
    made = [words.made_up(rng, held) if rng.random() < 0.8 else str(words.number(rng, held, 9999))
            for _ in range(rng.randint(1, 8))]
    text = " ".join(word.capitalize() if rng.random() < 0.15 else word for word in made)
    build = Builder("", [], rng.random() < 0.2, skill="repeat").user(rng.choice(REPEAT).format(text))
    return build.answer(text, "The user wants these words again.")
