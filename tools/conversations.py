"""Conversations that every chat template is tried on, as the variables that a template sees."""

TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


def user(content):
    return {"role": "user", "content": content}


def assistant(content, **more):
    return {"role": "assistant", "content": content} | more


def system(content):
    return {"role": "system", "content": content}


def call(name, arguments, id="abcdefghi"):
    return {"type": "function", "id": id, "function": {"name": name, "arguments": arguments}}


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "What the weather is like \"now\" in a city <like Zürich>.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "The city's name"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
                "days": {"type": "integer", "minimum": 1, "maximum": 7},
            },
            "required": ["city"],
        },
    },
}
CLOCK = {
    "type": "function",
    "function": {
        "name": "clock", "description": "The time.", "parameters": {"type": "object", "properties": {}},
    },
}

PROMPT = {"add_generation_prompt": True, "tools": None, "documents": None}


def conversation(*messages, **more):
    return PROMPT | {"messages": list(messages)} | more


CONVERSATIONS = {
    "one question": conversation(user("Who built the bridge?")),
    "no prompt": conversation(user("Hi"), assistant("Hello."), add_generation_prompt=False),
    "system": conversation(system("You are terse."), user("Hi")),
    "system alone": conversation(system("You are terse.")),
    "three turns": conversation(
        system("  Padded.\n"), user(" One? "), assistant(" 1 \n"), user("Two?\n\n"), assistant("2"), user("Three?")),
    "other scripts": conversation(user("橋は？ \U0001f309 é e\u0301 <b>&amp;</b> {{ x }} {% y %}"), assistant("Ωμέγα \u00a0"),
                                  user("\t")),
    "markers": conversation(user("</s> [INST] <|eot_id|><end_of_turn> <|im_end|>"), assistant("<think>\nhm\n</think>\n\nYes."),
                            user("And?")),
    "empty": conversation(user("")),
    "none": conversation(),
    "wrong order": conversation(user("a"), user("b")),
    "assistant first": conversation(assistant("a"), user("b")),
    "unknown role": conversation(user("a"), {"role": "narrator", "content": "b"}),
    "parts": conversation({"role": "user", "content": [{"type": "text", "text": "See "}, {"type": "image"},
                                                       {"type": "text", "text": "this."}]}),
    "tools": conversation(user("Weather in Zürich?"), tools=[WEATHER, CLOCK]),
    "tools and system": conversation(system("Be kind."), user("Weather?"), tools=[WEATHER]),
    "tool call": conversation(
        user("Weather in Zürich?"),
        {"role": "assistant", "content": "", "tool_calls": [call("get_weather", {"city": "Zürich", "days": 2})]},
        {"role": "tool", "name": "get_weather", "tool_call_id": "abcdefghi", "content": "{\"degrees\": 21.5}"},
        tools=[WEATHER]),
    "tool call answered": conversation(
        system("S"), user("Weather?"),
        {"role": "assistant", "tool_calls": [call("get_weather", {"city": "Bern"})]},
        {"role": "tool", "name": "get_weather", "tool_call_id": "abcdefghi", "content": {"degrees": 21.5, "sky": "clear"}},
        assistant("21.5 degrees."), user("Thanks"), tools=[WEATHER]),
    "two tool calls": conversation(
        user("Both?"),
        {"role": "assistant", "content": "Let me see.", "tool_calls": [
            call("get_weather", {"city": "Bern", "unit": "celsius"}), call("clock", {}, "123456789")]},
        {"role": "tool", "name": "get_weather", "tool_call_id": "abcdefghi", "content": "21"},
        {"role": "tool", "name": "clock", "tool_call_id": "123456789", "content": "12:00"},
        tools=[WEATHER, CLOCK]),
    "string arguments": conversation(
        user("?"), {"role": "assistant", "content": None, "tool_calls": [call("clock", "{\"a\": [1, 2.0]}")]},
        {"role": "tool", "tool_call_id": "abcdefghi", "content": "x"}, tools=[CLOCK]),
    "date given": conversation(user("Hi"), date_string="1 Jan 2025"),
    "tools in system": conversation(
        system("S"), user("?"), tools=[CLOCK], tools_in_user_message=False, date_string="1 Jan 2025"),
    "thinking": conversation(
        user("2+2?"), assistant("4", reasoning_content="two and two"), user("3+3?"), enable_thinking=True),
    "no thinking": conversation(user("2+2?"), assistant("<think>\nadd\n</think>\n\n4"), user("?"), enable_thinking=False),
    "documents": conversation(
        user("What?"), documents=[{"title": "A", "text": "Text of A", "contents": "c"}, {"title": "B", "text": "b"}]),
}
